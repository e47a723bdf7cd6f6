"""The data for the fit: clips as they are, and some of them remixed in rarer ways."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stream_sep.evaluation.songs import find_songs, load_song
from stream_sep.protocols import STEMS, Block

RATE = 44100

_LOUDER = 1.4
"""Gain of a sound that moves to one channel alone: about its power as before."""

_DRUMS, _OTHER = STEMS.index("drums"), STEMS.index("other")


def training(folder: Path) -> dict[str, tuple[float, Iterator[Block]]]:
    """Return groups of sounds by name, each with its share in the fit; sounds are read lazily.

    Shape:
        Each sound is ``(stems, 2, frames)``, in the order of `STEMS`.
    """
    songs = find_songs(folder)
    return {
        "as they are": (1.0, map(_load, songs[::2])),
        "mono": (0.15, (_mono(_load(song)) for song in songs[::8])),
        "panned": (0.3, (_panned(_load(song), i % 2) for i, song in enumerate(songs[::8]))),
    }


def _load(path: Path) -> Block:
    stems = load_song(path, RATE).stems
    return np.stack([stems[name] for name in STEMS])


def _mono(sound: Block) -> Block:
    return np.repeat(sound.mean(axis=1, keepdims=True), 2, axis=1)


def _panned(sound: Block, channel: int) -> Block:
    """Put the drums in the centre and `other` on one channel: few clips have hard-panned sources."""
    moved = sound.copy()
    moved[_DRUMS] = sound[_DRUMS].mean(axis=0)
    moved[_OTHER] = 0.0
    moved[_OTHER, channel] = _LOUDER * sound[_OTHER].mean(axis=0)
    return moved
