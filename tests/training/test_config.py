"""Configs of trainings, as editors write them."""

import codecs

import pytest

from stream_sep.control.presets.paths import shipped_folder
from stream_sep.errors import ConfigError
from stream_sep.training.config_file import read_config

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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[data]\n[training]\nsteps = 1", "names no cache"),
        ("[data]\ncaches = ['x']", "steps or minutes"),
        ("[data]\ncaches = ['x']\nweights = [1, 2]\n[training]\nsteps = 1", "2 weights"),
        ("[training]\nstep = 3", "no key 'step'"),
        ("[training]\nsteps = 1.5", "must be like 0"),
        ("[training]\nlearning_rate = -1", "must be like"),
        ("[teach]\nsuppress_bleed = 1", "must be like False"),
        ("[train]\nsteps = 3", r"no table \[train\]"),
        ("[data]\ncaches = ['x']\n[training]\nsteps = 1\nprecision = 'int4'", "int4"),
        ("[data]\ncaches = ['x']\n[training]\nsteps = 1\n[teach]\nshare = 2.0", "from 0 to 1, not 2.0"),
        ("steps =", "cannot be read"),
    ],
)
def test_invalid_config_is_rejected(tmp_path, text, words):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_config(tmp_path / "c.toml")
