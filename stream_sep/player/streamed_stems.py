"""Stems of the live separator, aligned with the song: its latency is read ahead."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.separators.stem_guard import StemGuard

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.player.decoded_song import DecodedSong
    from stream_sep.protocols import Separator, Stems

SHORT_WARM_UP = 0.2
"""Seconds of audio before a seek position that warm up the separator while playback waits."""

LONG_WARM_UP = 2.0
"""The same where there is time: after it, the output of `bands` is within 20 dB of an uninterrupted run."""


class StreamedStems:
    """Separates a song from any frame on, feeding the separator ahead by its latency.

    Args:
        separator: splits the song.

    >>> from stream_sep.separators.passthrough import PassthroughSeparator
    >>> streamed = StreamedStems(PassthroughSeparator(hop=64, latency=100))
    >>> streamed.stems
    ('vocals', 'drums', 'bass', 'other')
    """

    def __init__(self, separator: Separator) -> None:
        self._separator, self._guard = separator, StemGuard(separator)
        self._sound: DecodedSong | None = None
        self._fed = 0  # next song frame to feed
        self._ready = self._nothing()
        self.stems = separator.stems

    @property
    def reach(self) -> int:
        """Frames beyond a read that must be decoded."""
        return self._separator.latency + self._separator.hop

    def seek(
        self,
        sound: DecodedSong,
        frame: int,
        seconds: float = LONG_WARM_UP,
        should_cancel: Callable[[], bool] = lambda: False,
    ) -> None:
        """Continue from ``frame`` of ``sound``: reset the separator and warm it up with the audio before that frame.

        Args:
            sound: the song.
            frame: the first frame that `read` returns.
            seconds: length of the warm-up.
            should_cancel: polled during the warm-up; after a cancelled one nothing can be read.
        """
        self._sound = sound
        self._separator.reset()
        hop, latency = self._separator.hop, self._separator.latency
        past = min(round(seconds * self._separator.sample_rate), max(frame, 0))  # there is no audio before the song
        hops = math.ceil((past + latency) / hop)
        self._fed = frame + latency - hops * hop  # so that a hop boundary falls on ``frame``
        self._ready = self._nothing()
        for _ in range(hops):
            if should_cancel():
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
        ):  # a model that fails must not silence the song: the last stem carries the mix
            self._separator.reset()
            stems = self._nothing(hop)
            stems[-1] = self._sound.read(self._fed - hop - self._separator.latency, hop)
        return stems

    def _nothing(self, frames: int = 0) -> Stems:
        return np.zeros((len(self._separator.stems), 2, frames), np.float32)
