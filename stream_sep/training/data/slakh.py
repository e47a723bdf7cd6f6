"""Slakh2100's metadata: the instrument of each track, as one of our sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


_PROGRAMS: tuple[tuple[range | tuple[int, ...], str], ...] = (
    (range(8), "piano"),
    (range(8, 16), "chromatic"),
    (range(16, 24), "organ"),
    (range(24, 32), "guitar"),
    (range(32, 40), "bass"),
    ((*range(40, 52), 55), "strings"),
    (range(52, 55), "choir"),  # synthesized: never vocals
    (range(56, 64), "brass"),
    (range(64, 72), "reed"),
    (range(72, 80), "pipe"),
    (range(80, 96), "synth"),
    (range(104, 112), "ethnic"),
    (range(112, 119), "percussive"),
    ((*range(96, 104), *range(119, 128)), "effects"),
    ((128,), "drums"),
)
"""General MIDI programs -> our name of the source."""


SLAKH_SOURCES = frozenset(source for _, source in _PROGRAMS)
"""Sources that a track of Slakh2100 can be part of."""


def slakh_source(track: Mapping[str, str]) -> str:
    """Return the source that a track of Slakh2100 is part of, by its General MIDI program.

    >>> slakh_source({"is_drum": "false", "program_num": "33"}), slakh_source({"is_drum": "true", "program_num": "0"})
    ('bass', 'drums')
    """
    if track.get("is_drum") == "true":
        return "drums"
    number = track.get("program_num", "")
    if not number.isdigit():
        named = track.get("inst_class", "").partition(" ")[0]
        return named if named in SLAKH_SOURCES else "other"
    return next((source for programs, source in _PROGRAMS if int(number) in programs), "other")


def read_slakh(metadata: Path) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return the metadata of a track and of each of its stems; values are in lower case.

    So little of YAML is used in them that no library is needed.
    """
    about: dict[str, str] = {}
    tracks: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    inside = False
    for line in metadata.read_text(encoding="utf-8").splitlines():
        key, _, value = line.strip().partition(":")
        plain = value.strip().strip("'\"").lower()
        if len(line) == len(line.lstrip()):
            inside = key == "stems"
            about[key] = plain
        elif inside and not value.strip():
            current = tracks.setdefault(key, {})
        elif inside:
            current[key] = plain
    return about, tracks
