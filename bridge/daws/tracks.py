"""Which track of a DAW is which stem."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def match_tracks(stems: tuple[str, ...], names: Mapping[int, str | None]) -> dict[str, int]:
    """Find a track for every stem.

    A track with the stem's name comes first, then one whose name has it as a separate word, in any case; the lowest
    number wins. A stem without one takes the track of its own number if that has no name, or if no track at all has a
    stem's name.

    Args:
        stems: in their order.
        names: of the tracks, by number from 1; None for a track that is gone.

    Returns:
        The number of each stem's track; a stem without one is left out.

    >>> match_tracks(("vocals", "drums"), {1: "Click", 2: "DRUMS bus", 3: "Backing Vocals", 4: "vocals"})
    {'vocals': 4, 'drums': 2}
    >>> match_tracks(("vocals", "drums"), {1: "Audio 1", 2: "Audio 2"})
    {'vocals': 1, 'drums': 2}
    """
    found: dict[str, int] = {}
    for fits in (_is_called, _has_as_a_word):
        for stem in stems:
            if stem not in found:
                _assign(found, stem, sorted(track for track, name in names.items() if name and fits(stem, name)))
    by_name = bool(found)
    for track, stem in enumerate(stems, 1):
        name = names.get(track, "")
        if stem not in found and (name == "" or (name is not None and not by_name)):
            _assign(found, stem, [track])
    return {stem: found[stem] for stem in stems if stem in found}


def _assign(found: dict[str, int], stem: str, tracks: list[int]) -> None:
    free = [track for track in tracks if track not in found.values()]
    if free:
        found[stem] = free[0]


def _is_called(stem: str, name: str) -> bool:
    return name.strip().casefold() == stem.casefold()


def _has_as_a_word(stem: str, name: str) -> bool:
    return re.search(rf"(?<![^\W_]){re.escape(stem)}(?![^\W_])", name, re.IGNORECASE) is not None


class Tracks:
    """The names of a DAW's tracks, as received, and the track of each stem.

    Args:
        stems: in their order.
    """

    def __init__(self, stems: tuple[str, ...]) -> None:
        self._stems = stems
        self._names: dict[int, str | None] = {}
        self.of_stem: dict[str, int] = {}

    def name(self, track: int, name: str | None) -> bool:
        """Set a track's name; return whether it is new.

        Args:
            track: its number, from 1.
            name: None if the track is gone.

        Returns:
            Whether it is new.
        """
        new = track not in self._names or self._names[track] != name
        self._names[track] = name
        return new

    def list(self, names: tuple[str, ...]) -> bool:
        """Set the names of all tracks; return whether they are new."""
        listed: dict[int, str | None] = dict(enumerate(names, 1))
        missing = dict.fromkeys((track for track in range(1, len(self._stems) + 1) if track not in listed), None)
        new = self._names != listed | missing
        self._names = listed | missing
        return new

    def clear(self) -> None:
        """Drop all names and matches."""
        self._names, self.of_stem = {}, {}

    def bind(self) -> tuple[str, ...]:
        """Find tracks for the stems anew; return the stems that have another one now."""
        before, self.of_stem = self.of_stem, match_tracks(self._stems, self._names)
        return tuple(stem for stem, track in self.of_stem.items() if before.get(stem) != track)
