"""The native side of the protocol reads what Python writes, and survives what nobody should write."""

import ctypes
import json
import re
from importlib.resources import files

import pytest

ABSENT, REFUSED = -1e9, -2e9


def read(harness, line, key):
    return harness.harness_parse(line.encode(), key.encode())


@pytest.mark.parametrize("value", [0.0, 1.0, -6.0, 0.1, -89.999999, 1e-3, 1.5e3, 123456789.0, 2.5e-7])
def test_numbers_are_read_as_python_writes_them(harness, value):
    line = json.dumps({"set": {"stem/vocals/gain_db": value}, "list": [1, {"a": 2}]})
    assert read(harness, line, "set\nstem/vocals/gain_db") == pytest.approx(value, rel=1e-12, abs=0)


@pytest.mark.parametrize("value", [0.0, -0.5, 44100.0, -90.0, 0.333333])
def test_numbers_are_written_as_python_reads_them(harness, value):
    text = ctypes.create_string_buffer(64)
    harness.harness_number(value, text, 64)
    assert json.loads(text.value) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("512", 512), ("512.0", 512), ("1e300", -1), ("-7", -1), ("0.5", -1), ("9007199254740994", -1)],
)
def test_whole_numbers_are_those_that_are_exact(harness, text, expected):
    assert harness.harness_whole(f'{{"n":{text}}}'.encode(), b"n") == expected
    assert harness.harness_whole(b"{}", b"n") == -1


@pytest.mark.parametrize(
    "source", sorted((files("bridge.plugin") / "native").glob("*.cpp")), ids=lambda path: path.name
)
def test_no_decimal_depends_on_the_locale_of_the_daw(source):
    by_locale = r"%[-+#0-9.*]*l?[aefgAEFG]|\bstrto(d|f|ld)\b|\bsto(d|f|ld)\b|\bato(f)\b|scanf|stringstream"
    assert re.findall(rf".*(?:{by_locale}).*", source.read_text(encoding="utf-8")) == []


def test_texts_switches_and_lists_beside_a_number_do_no_harm(harness):
    line = json.dumps({"name": 'a "b" \\ \u00e9\n', "on": True, "off": False, "nothing": None, "list": [], "n": 7})
    assert read(harness, line, "n") == 7
    assert read(harness, line, "on") == 1
    assert read(harness, line, "name") == ABSENT


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "nonsense", '{"a":}', '{"a":1', '{"a":1}}', '{"a":"', '{"a":1e999}', '{"a":"\\', '{"a" 1}'],
)
def test_nonsense_is_refused(harness, line):
    assert read(harness, line, "a") == REFUSED


@pytest.mark.parametrize("begin", ["{", '{"a":', "[", '{"a":['])
def test_line_without_end_is_refused(harness, begin):
    assert read(harness, begin * 5000, "a") == REFUSED
