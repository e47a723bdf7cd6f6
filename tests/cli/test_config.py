"""Settings: each is the default of its option, what makes no sense is refused, and the file stays the user's."""

import pytest
import tomlkit
import typer

from stream_sep.cli import app
from stream_sep.cli.config_file import Options, read_defaults


@pytest.fixture
def options():
    group = typer.main.get_command(app)
    return Options(group.make_context("stream-sep", ["devices"]))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "settings" / "config.toml"


def test_what_is_set_is_shown_and_can_be_unset(command, file):
    assert command("config", "set", "block-size", "64")[0] == 0
    command("config", "set", "separate.format", "flac")
    _, output, _ = command("config", "show")
    assert output.splitlines() == ["block-size = 64", 'separate.format = "flac"', f"# {file}"]
    command("config", "unset", "separate.format")
    assert tomlkit.parse(file.read_text()).unwrap() == {"block-size": 64}
    assert command("config", "path")[1].strip() == str(file)


def test_setting_is_the_default_of_its_option(command):
    command("config", "set", "render.out", "elsewhere")
    command("config", "set", "sample-rate", "12345")
    _, _, errors = command("live", "--model", "passthrough")
    assert "12345" in errors
    _, _, errors = command("live", "--model", "passthrough", "--sample-rate", "54321")
    assert "54321" in errors


def test_shared_setting_reaches_both_commands_and_a_table_wins(options, file):
    file.parent.mkdir()
    file.write_text('midi = "nano"\nmodel = "bands"\n[play]\nmodel = "passthrough"\n[separate]\nbits = 24\n')
    defaults = read_defaults(options, file)
    assert defaults["live"]["model"] == "bands"
    assert defaults["live"]["midi"] == ["nano"]
    assert defaults["play"]["model"] == "passthrough"
    assert defaults["separate"] == {"bits": "24"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("blok-size = 64", "did you mean 'block-size'"),
        ('block-size = "many"', "block-size"),
        ("[separate]\nfromat = 'flac'", "did you mean 'separate.format'"),
        ("block-size = ", "line 1"),
        ("[" * 5000, "cannot read"),
    ],
)
def test_wrong_file_gives_one_error_message_that_names_it(command, file, text, words):
    file.parent.mkdir()
    file.write_text(text)
    code, _, errors = command("devices")
    assert code == 1
    assert str(file) in errors
    assert words in errors


def test_wrong_file_can_be_mended_by_the_command(command, file):
    file.parent.mkdir()
    file.write_text("blok-size = 64")
    assert command("config", "unset", "blok-size")[0] == 0
    assert command("config", "show")[0] == 0


@pytest.mark.parametrize(("key", "value"), [("block-size", "many"), ("nothing", "1"), ("live.nothing", "1")])
def test_setting_that_makes_no_sense_is_refused(command, file, key, value):
    code, _, errors = command("config", "set", key, value)
    assert code == 1
    assert key in errors
    assert not file.exists()


def test_comments_and_a_byte_order_mark_survive(command, file):
    file.parent.mkdir()
    file.write_text("\ufeff# my card\nblock-size = 64\n", encoding="utf-8")
    command("config", "set", "block-size", "128")
    assert "# my card" in file.read_text(encoding="utf-8")
    code, _, errors = command("devices")
    assert code == 0, errors
