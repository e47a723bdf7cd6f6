"""Files made of stems, each with its gain: ``vocals``, ``karaoke=drums+bass+other``, ``vocals*0.2+drums``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_sep.protocols import Block, Stems

SONG = "song"
"""The name of the whole song in a mix, as in ``song-vocals``."""

_TERM = re.compile(r"\s*([+-]?)\s*(?:(\d*\.?\d+)\s*\*\s*)?([^\W\d]\w*)\s*(?:\*\s*(\d*\.?\d+)\s*)?")
_NAME = re.compile(r"[^/\\:*?\"<>|=\x00-\x1f]+")


@dataclass(frozen=True)
class StemMix:
    """One file to write: a name, and the gain of every stem in it.

    Attributes:
        name: replaces ``{stem}`` in the file's name.
        gains: linear, by stem; `SONG` is the whole song.
    """

    name: str
    gains: tuple[tuple[str, float], ...]

    @property
    def stems(self) -> tuple[str, ...]:
        """The stems in the mix."""
        return tuple(name for name, _ in self.gains if name != SONG)

    def render(self, song: Block, stems: Stems, names: Sequence[str]) -> Block:
        """Return the mix, ``(2, frames)``, of stems called ``names``.

        Args:
            song: the mix, ``(2, frames)``.
            stems: ``(stems, 2, frames)``.
            names: names of the stems.
        """
        rows: dict[str, Block] = {SONG: song, **dict(zip(names, stems, strict=True))}
        if len(self.gains) == 1 and self.gains[0][1] == 1.0:
            return rows[self.gains[0][0]]
        total: Block = np.zeros_like(song)
        for name, gain in self.gains:
            total += np.float32(gain) * rows[name]
        return total


def single(stem: str) -> StemMix:
    """Return the mix that is one stem as it is."""
    return StemMix(stem, ((stem, 1.0),))


def parse_mix(text: str) -> StemMix:
    """Return the mix that a text describes; without a name, the text is its name.

    Raises:
        ConfigError: not of that form.

    >>> parse_mix("karaoke=drums+bass+other").gains
    (('drums', 1.0), ('bass', 1.0), ('other', 1.0))
    >>> parse_mix("soft=song - 0.8*vocals").gains
    (('song', 1.0), ('vocals', -0.8))
    >>> parse_mix("vocals*0.2+drums").name
    'vocals0.2+drums'
    """
    name, equals, formula = text.partition("=")
    formula = formula if equals else text
    gains: dict[str, float] = {}
    at = 0
    while at < len(formula) and (term := _TERM.match(formula, at)) and (term[1] or at == 0):
        gain = float(term[2] or 1) * float(term[4] or 1)
        gains[term[3]] = gains.get(term[3], 0.0) + (-gain if term[1] == "-" else gain)
        at = term.end()
    label = name.strip() if equals else re.sub(r"[*\s]", "", text)
    if at < len(formula) or not gains or not _NAME.fullmatch(label):
        raise ConfigError(f"--mix {text!r} is not NAME=STEM+STEM, as in karaoke=drums+bass+other or quiet=vocals*0.2")
    return StemMix(label, tuple(gains.items()))


def two_stems(stem: str, sources: Sequence[str], method: str) -> list[StemMix]:
    """Return a stem and the song without it, as ``demucs --two-stems`` does.

    Args:
        stem: the one.
        sources: all stems of the model.
        method: ``add`` sums the other stems; ``minus`` takes the stem from the song, which needs fewer networks
            where every stem has its own; ``none`` leaves the rest out.

    Raises:
        ConfigError: no such stem or method.
    """
    if stem not in sources:
        raise ConfigError(f"this model has no stem {stem!r}; it has: {', '.join(sources)}")
    rest = {
        "add": [StemMix(f"no_{stem}", tuple((name, 1.0) for name in sources if name != stem))],
        "minus": [StemMix(f"minus_{stem}", ((SONG, 1.0), (stem, -1.0)))],
        "none": [],
    }
    if method not in rest:
        raise ConfigError(f"unknown --other-method {method!r}; choose from {', '.join(rest)}")
    return [single(stem), *rest[method]]


def needed_stems(mixes: Sequence[StemMix], sources: Sequence[str]) -> tuple[str, ...]:
    """Return the stems in mixes, in the order of ``sources``.

    Args:
        mixes: the mixes.
        sources: stems of the model.

    Raises:
        ConfigError: one that the model does not have, or two mixes of one name.
    """
    used = {stem for mix in mixes for stem in mix.stems}
    unknown = sorted(used - set(sources))
    if unknown:
        raise ConfigError(
            f"this model has no stem {unknown[0]!r}; it has: {', '.join(sources)}, and {SONG}, the whole song"
        )
    names = [mix.name for mix in mixes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"two files would be called {twice!r}; give one another name, as in mine=drums+bass")
    return tuple(stem for stem in sources if stem in used)
