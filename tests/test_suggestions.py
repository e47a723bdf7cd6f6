"""The hint for an unknown name, and that there is one of its kind."""

import re
from pathlib import Path

import pytest

from stream_sep.suggestions import did_you_mean

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("vocal", ("drums", "vocals"), "did you mean 'vocals'?"),
        ("limiter", ("Limiter", "Gain"), "did you mean 'Limiter'?"),
        ("xyz", ("drums", "vocals"), "choose from drums, vocals"),
        ("xyz", (), "there are none"),
    ],
)
def test_hint_names_the_closest_name_or_all(name, known, hint):
    assert did_you_mean(name, known) == hint


def test_hint_ends_with_the_fallback_text_where_no_name_is_close():
    assert did_you_mean("xyz", ("drums",), "see --help") == "see --help"
    assert did_you_mean("drum", ("drums",), "see --help") == "did you mean 'drums'?"


def test_hint_shows_the_closest_name_as_the_user_writes_it():
    assert did_you_mean("drum", ("drums",), shown=lambda name: f"stem/{name}") == "did you mean 'stem/drums'?"


def test_no_other_module_compares_names():
    sources = [path for package in ("stream_sep", "bridge") for path in (ROOT / package).rglob("*.py")]
    importing = [
        path.name
        for path in sources
        if re.search(r"^\s*(import|from) difflib\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert importing == ["suggestions.py"]
