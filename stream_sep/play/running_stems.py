"""A live separator that runs along a song: what it gives is in time with the song, as the song is known ahead."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_sep.play.song_sound import SongSound
    from stream_sep.protocols import Separator, Stems

WARM_UP_SECONDS = 0.5
"""How much of the song before a frame a separator hears again when it has to begin there."""


class RunningStems:
    """Gives the stems of a song from any frame on, by a separator that is fed so much earlier as it is late.

    Args:
        separator: what splits the song.

    >>> from stream_sep.separators.passthrough import PassthroughSeparator
    >>> running = RunningStems(PassthroughSeparator(hop=64, latency=100))
    >>> running.stems
    ('vocals', 'drums', 'bass', 'other')
    """

    def __init__(self, separator: Separator) -> None:
        self._separator = separator
        self._sound: SongSound | None = None
        self._fed = 0  # frame of the song that the separator is given next
        self._ready = self._nothing()
        self.stems = separator.stems
        heard = WARM_UP_SECONDS * separator.sample_rate + separator.latency
        self._warm_up = math.ceil(heard / separator.hop) * separator.hop

    @property
    def reach(self) -> int:
        """Frames of the song behind those asked for that have to be there."""
        return self._separator.latency + self._separator.hop

    def seek(self, sound: SongSound, frame: int) -> None:
        """Go on from ``frame`` of ``sound``: the separator forgets, and hears again what comes before that frame."""
        self._sound = sound
        self._separator.reset()
        self._fed = frame + self._separator.latency - self._warm_up  # so that a hop begins at the very frame
        self._ready = self._nothing()
        for _ in range(self._warm_up // self._separator.hop):
            self._next_hop()

    def read(self, frames: int) -> Stems:
        """Return the stems of the next frames, ``(stems, 2, frames)``."""
        parts = [self._ready]
        missing = frames - self._ready.shape[2]
        while missing > 0:
            parts.append(self._next_hop())
            missing -= self._separator.hop
        ready = np.concatenate(parts, axis=2)
        self._ready = ready[..., frames:]
        return ready[..., :frames]

    def _next_hop(self) -> Stems:
        assert self._sound is not None
        hop = self._separator.hop
        stems = self._separator.process(self._sound.read(self._fed, hop)).copy()
        self._fed += hop
        if not np.isfinite(stems).all():  # a model that breaks must not silence the song: the mix goes on one stem
            self._separator.reset()
            stems = self._nothing(hop)
            stems[-1] = self._sound.read(self._fed - hop - self._separator.latency, hop)
        return stems

    def _nothing(self, frames: int = 0) -> Stems:
        return np.zeros((len(self._separator.stems), 2, frames), np.float32)
