"""The bundled demo song as its stems: a mix to separate, and the references to compare with."""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from stream_sep.errors import AudioFileError, reason
from stream_sep.protocols import STEMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.protocols import Block


@dataclass(frozen=True)
class DemoSong:
    """A short pop song as its stems, all of one length.

    Attributes:
        sample_rate: frames per second.
        stems: each of `STEMS` by its name, ``(2, frames)``.
    """

    sample_rate: int
    stems: Mapping[str, Block]

    @property
    def mix(self) -> Block:
        """The sum of the stems, added in the order of `STEMS`, ``(2, frames)``."""
        mix = np.zeros_like(self.stems[STEMS[0]])
        for name in STEMS:
            mix += self.stems[name]
        return mix


def load_demo_song() -> DemoSong:
    """Read the demo song; every call returns new arrays.

    >>> song = load_demo_song()
    >>> list(song.stems), song.mix.shape[1] // song.sample_rate
    (['vocals', 'drums', 'bass', 'other'], 27)

    Raises:
        AudioFileError: a stem is missing from the installed package or cannot be read.
    """
    stems = {}
    for name in STEMS:
        stems[name], sample_rate = _read_stem(name)
    assert len({stem.shape for stem in stems.values()}) == 1, "tools/make_demo_song.py writes equally long stems"
    return DemoSong(sample_rate, MappingProxyType(stems))


def _read_stem(name: str) -> tuple[Block, int]:
    """Read one stem, ``(2, frames)``, and its sample rate."""
    asset = resources.files("stream_sep") / "assets" / "demo" / f"{name}.ogg"
    try:
        frames, sample_rate = soundfile.read(io.BytesIO(asset.read_bytes()), dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as err:
        raise AudioFileError(
            f"the {name} of the demo song cannot be read ({reason(err)}): reinstall stream-sep, "
            "or run tools/make_demo_song.py in a checkout"
        ) from err
    return np.ascontiguousarray(frames.T), sample_rate
