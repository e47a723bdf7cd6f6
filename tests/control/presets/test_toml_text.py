"""Files as editors write them: marks, encodings, line ends, and brackets without end."""

import codecs
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.midi.map import parse_map
from bridge.midi.map_files import load_map
from stream_sep.control.presets.library import check_preset, load_preset, save_preset
from stream_sep.control.presets.preset import Preset
from stream_sep.control.presets.schema import parse_preset
from stream_sep.control.presets.toml_lines import lines_of
from stream_sep.control.presets.toml_text import MAX_BYTES, decode, parse
from stream_sep.errors import ConfigError, PresetError

PRESET = 'schema = 1\ndescription = "größer"\n[stem.vocals]\ngain_db = -90.0\n'
MAP = 'schema = 1\nname = "größer"\n[[control]]\nin = "cc:1:0"\nto = "stem/1/fader"\n'
READERS = {"preset": (load_preset, PRESET, PresetError), "map": (load_map, MAP, ConfigError)}

BOMBS = {
    "arrays": "a = " + "[" * 5000,
    "closed arrays": "a = " + "[" * 5000 + "]" * 5000,
    "inline tables": "a = " + "{b = " * 5000,
    "dotted keys": "a" + ".a" * 5000 + " = 1",
    "a dotted header": "[a" + ".a" * 5000 + "]",
    "a little deep": "a = " + "[" * 40 + "]" * 40,
}


@pytest.fixture(params=READERS)
def kind(request):
    return READERS[request.param]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["plain", "marked"])
def test_a_file_with_a_mark_is_read_as_without(tmp_path, kind, mark, end):
    read, text, _ = kind
    plain, file = tmp_path / "mine.toml", tmp_path / "marked" / "mine.toml"
    file.parent.mkdir()
    plain.write_bytes(text.encode())
    file.write_bytes(mark + text.replace("\n", end).encode())
    assert read(str(file)) == read(str(plain))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_another_encoding_is_named_with_the_way_out(tmp_path, kind, encoding):
    read, text, error = kind
    file = tmp_path / "mine.toml"
    file.write_bytes(text.encode(encoding))
    if encoding == "utf-16-be":
        file.write_bytes(codecs.BOM_UTF16_BE + file.read_bytes())
    with pytest.raises(error, match=r"mine\.toml.*UTF-16.*Out-File -Encoding utf8"):
        read(str(file))


def test_bytes_that_are_no_text_are_named(tmp_path, kind):
    read, _, error = kind
    file = tmp_path / "mine.toml"
    file.write_bytes(b"a = '\xff'")
    with pytest.raises(error, match="not UTF-8"):
        read(str(file))


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_brackets_without_end_give_an_error_message(tmp_path, kind, bomb):
    read, text, error = kind
    file = tmp_path / "mine.toml"
    file.write_text(f"{text.splitlines()[0]}\n{bomb}\n")
    with pytest.raises(error, match="mine"):
        read(str(file))


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_preset_is_not_written_over_what_cannot_be_read(tmp_path, monkeypatch, bomb):
    monkeypatch.setenv("STREAM_SEP_PRESETS", str(tmp_path))
    file = tmp_path / "mine.toml"
    file.write_text(f"schema = 1\n{bomb}\n")
    with pytest.raises(PresetError):
        save_preset(Preset("mine", {"bypass": True}))
    assert file.read_text() == f"schema = 1\n{bomb}\n"


def test_a_file_without_end_is_not_read(tmp_path, kind):
    read, text, error = kind
    file = tmp_path / "mine.toml"
    file.write_text(text + "#" * MAX_BYTES)
    with pytest.raises(error, match="larger than"):
        read(str(file))


@pytest.mark.slow
def test_thousands_of_lines_of_one_array_are_looked_at_only_so_long():
    rows = ["[1],\n"] * 20_000
    assert ("a",) not in lines_of("a = [\n" + "".join(rows) + "]\n")


@given(st.binary(max_size=200) | st.text(alphabet="ab=[]{}.\"'\n# 1,", max_size=200).map(str.encode))
def test_no_bytes_are_another_exception(data):
    try:
        text = decode(data)
        parse(text)
    except ValueError:
        return
    with contextlib.suppress(PresetError):
        parse_preset(text, "mine", "mine.toml")
    with contextlib.suppress(ConfigError):
        parse_map(text)


@pytest.mark.parametrize("limit", ["low = nan", "high = inf", "low = -inf", "high = -nan"])
def test_a_map_has_no_ends_that_are_no_numbers(limit):
    with pytest.raises(ConfigError, match="finite"):
        parse_map(f'schema = 1\n[[control]]\nin = "cc:1:0"\nto = "stem/1/pan"\n{limit}\n')


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
@pytest.mark.parametrize("key", ["stem.vocals.gain_db", "transport.loop.start", "transport.seek", "ramp_ms"])
def test_a_preset_has_no_value_that_is_no_number(tmp_path, key, value):
    file = tmp_path / "mine.toml"
    file.write_text(f"schema = 1\n{key} = {value}\n")
    (problem,) = check_preset(str(file))
    assert f"{key.replace('.', '/')!r} is" in problem
