"""A live separator that runs along a song: what it gives is in time with the song, as the song is known ahead."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.separators.stem_guard import StemGuard

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.player.decoded_song import SongSound
    from stream_sep.protocols import Separator, Stems

SHORT_WARM_UP = 0.2
"""Seconds of the song before a frame that a separator hears again where somebody waits for it to begin there."""

LONG_WARM_UP = 2.0
"""The same where there is time: `bands` remembers about so much, and is then within 20 dB of not having jumped."""


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
        self._separator, self._guard = separator, StemGuard(separator)
        self._sound: SongSound | None = None
        self._fed = 0  # frame of the song that the separator is given next
        self._ready = self._nothing()
        self.stems = separator.stems

    @property
    def reach(self) -> int:
        """Frames of the song behind those asked for that have to be there."""
        return self._separator.latency + self._separator.hop

    def seek(
        self, sound: SongSound, frame: int, seconds: float = LONG_WARM_UP, give_up: Callable[[], bool] = lambda: False
    ) -> None:
        """Go on from ``frame`` of ``sound``: the separator forgets, and hears again what comes before that frame.

        Args:
            sound: the song.
            frame: the frame that `read` gives next.
            seconds: how much it hears again.
            give_up: asked now and then whether that is still wanted; where it is not, nothing can be read.
        """
        self._sound = sound
        self._separator.reset()
        hop, latency = self._separator.hop, self._separator.latency
        heard = min(round(seconds * self._separator.sample_rate), max(frame, 0))  # before a song there is nothing
        hops = math.ceil((heard + latency) / hop)
        self._fed = frame + latency - hops * hop  # so that a hop begins at the very frame
        self._ready = self._nothing()
        for _ in range(hops):
            if give_up():
                return
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
        mix = self._sound.read(self._fed, hop)
        stems = self._separator.process(mix).copy()
        self._fed += hop
        if not self._guard.accepts(
            mix, stems
        ):  # a model that breaks must not silence the song: the mix goes on one stem
            self._separator.reset()
            stems = self._nothing(hop)
            stems[-1] = self._sound.read(self._fed - hop - self._separator.latency, hop)
        return stems

    def _nothing(self, frames: int = 0) -> Stems:
        return np.zeros((len(self._separator.stems), 2, frames), np.float32)
