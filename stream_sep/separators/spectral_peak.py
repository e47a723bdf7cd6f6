"""The largest magnitude in the STFT of a song or a stream, by which the input of some networks is divided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream_sep.protocols import Block

FALL_DB = 1.0
"""By how much the peak of a stream falls a second."""

_LOUDEST = 8.0  # times full scale: one wrong number must not deafen a network for minutes
_AT_ONCE = 64  # frames of the STFT
_FLOOR = 1e-8


class SpectralPeakMeter:
    """Measures the largest magnitude in the STFT of a song: Hann windows, centred, that overlap by half.

    Args:
        size: frames of a window of the STFT, an even number.

    >>> meter = SpectralPeakMeter(4)
    >>> meter.add(np.ones((2, 6), np.float32))
    >>> meter.finish()
    2.0
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)
        self._rest = np.zeros((2, size // 2), np.float32)
        self._peak = 0.0

    def add(self, block: Block) -> None:
        """Measure the next block, ``(2, frames)``; non-finite numbers count as silence."""
        sound = np.concatenate([self._rest, np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)], axis=1)
        hop = self._size // 2
        count = max(0, (sound.shape[1] - hop) // hop)
        for start in range(0, count, _AT_ONCE):
            part = sound[:, start * hop : (min(start + _AT_ONCE, count) + 1) * hop]
            frames = np.lib.stride_tricks.sliding_window_view(part, self._size, axis=1)[:, ::hop]
            self._peak = max(self._peak, float(np.abs(np.fft.rfft(frames * self._window)).max()))
        self._rest = sound[:, count * hop :]

    def finish(self) -> float:
        """Return the peak of the whole song; nothing may be added after it."""
        self.add(np.zeros((2, self._size // 2), np.float32))
        return self._peak


def spectral_peak(blocks: Iterable[Block], size: int) -> float:
    """Return the largest magnitude in the STFT of a song.

    Args:
        blocks: ``(2, frames)`` each.
        size: frames of a window of the STFT.
    """
    meter = SpectralPeakMeter(size)
    for block in blocks:
        meter.add(block)
    return meter.finish()


class SongPeak:
    """The level of a song whose peak was measured before: the same for each window.

    Until `peak` is set, each window is divided by its own maximum.
    """

    peak: float = 0.0

    def __call__(self, window_peak: float) -> float:
        """Return what to divide a window by, whose own maximum is given."""
        return max(self.peak or window_peak, _FLOOR)


class FallingPeak:
    """The level of a stream: the largest maximum of its windows so far, falling by `FALL_DB` a second.

    Args:
        seconds: from window to window.
        size: frames of a window of the STFT.

    >>> level = FallingPeak(3.0, 2048)
    >>> [round(level(peak), 3) for peak in (1.0, 0.1, 0.9)]
    [1.0, 0.708, 0.9]
    """

    _peak: float

    def __init__(self, seconds: float, size: int) -> None:
        self._fall = 10 ** (-FALL_DB * seconds / 20)
        self._most = _LOUDEST * size / 2
        self.reset()

    def __call__(self, window_peak: float) -> float:
        """Return what to divide the next window by, whose own maximum is given."""
        self._peak = max(self._peak * self._fall, min(window_peak, self._most))
        return max(self._peak, _FLOOR)

    def reset(self) -> None:
        """Forget the stream."""
        self._peak = 0.0
