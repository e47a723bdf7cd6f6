"""Configs of trainings, as editors write them."""

import codecs

import pytest

from stream_sep.control.presets.paths import shipped_folder
from stream_sep.errors import ConfigError
from stream_sep.training.config import read_config

SMALL = shipped_folder() / "training" / "small.toml"


def test_a_byte_order_mark_is_taken(tmp_path):
    path = tmp_path / "small.toml"
    path.write_bytes(codecs.BOM_UTF8 + SMALL.read_bytes().replace(b"\n", b"\r\n"))
    assert read_config(path).network == read_config(SMALL).network


def test_utf_16_is_named(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL.read_text(encoding="utf-8"), encoding="utf-16")
    with pytest.raises(ConfigError, match="UTF-16"):
        read_config(path)


def test_brackets_without_end_are_an_error(tmp_path):
    path = tmp_path / "deep.toml"
    path.write_text("a=" + "[" * 5000)
    with pytest.raises(ConfigError, match=r"deep\.toml"):
        read_config(path)
