"""The player's graphics: peaks of the waveform, and a spectrogram in log bands.

Peaks are int8 pairs, least and greatest sample of 256 frames of both channels. A spectrogram is rows of 128 bytes,
one for 2,048 frames: bands from 40 Hz to 16 kHz, 0 for -90 dBFS or less, 255 for 0.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PEAK_FRAMES = 256
COLUMN_FRAMES = 2048
BANDS = 128
_WINDOW = 4096
_LOW_HZ, _HIGH_HZ = 40.0, 16000.0
_FLOOR_DB = -90.0


class PeakMeter:
    """Computes the peaks of a stem, block by block.

    >>> meter = PeakMeter()
    >>> meter.add(np.array([[0.5, -1.0]], np.float32))
    >>> list(np.frombuffer(meter.result(), np.int8))
    [np.int8(-127), np.int8(64)]
    """

    def __init__(self) -> None:
        self._waiting = np.zeros((0, 2), np.float32)
        self._pairs: list[NDArray[np.int8]] = []

    def add(self, sound: NDArray[np.float32]) -> None:
        """Add ``(frames, 2)``."""
        sound = np.concatenate([self._waiting, sound])
        whole = len(sound) // PEAK_FRAMES * PEAK_FRAMES
        self._pairs.append(_pairs(sound[:whole].reshape(-1, PEAK_FRAMES * 2)))
        self._waiting = sound[whole:]

    def result(self) -> bytes:
        """Return all pairs, the last of the remaining frames."""
        rest = [_pairs(self._waiting.reshape(1, -1))] if len(self._waiting) else []
        return np.concatenate([*self._pairs, *rest], dtype=np.int8).tobytes() if self._pairs or rest else b""


class Spectrogram:
    """Computes the columns of a stem's spectrogram, block by block; a column is centred on its frames.

    Args:
        sample_rate: frames per second.
    """

    def __init__(self, sample_rate: int) -> None:
        self._edges = _band_edges(sample_rate)
        self._shape = np.hanning(_WINDOW).astype(np.float32)
        self._waiting = np.zeros((_WINDOW - COLUMN_FRAMES) // 2, np.float32)
        self._columns: list[NDArray[np.uint8]] = []

    def add(self, sound: NDArray[np.float32]) -> None:
        """Add ``(frames, 2)``."""
        mono = (sound[:, 0] + sound[:, 1]) * np.float32(0.5)  # thirty times faster than mean() over an axis of two
        self._waiting = np.concatenate([self._waiting, mono])
        count = max(0, (len(self._waiting) - _WINDOW) // COLUMN_FRAMES + 1)
        if count:
            windows = np.lib.stride_tricks.sliding_window_view(self._waiting, _WINDOW)[::COLUMN_FRAMES][:count]
            self._columns.append(self._column(windows))
            self._waiting = self._waiting[count * COLUMN_FRAMES :]

    def result(self) -> bytes:
        """Return all columns, the last padded with silence."""
        left = len(self._waiting) - (_WINDOW - COLUMN_FRAMES) // 2
        if left > 0:
            self.add(np.zeros((_WINDOW, 2), np.float32)[: -(-left // COLUMN_FRAMES) * COLUMN_FRAMES - left + 1024])
        return b"".join(column.tobytes() for column in self._columns)

    def _column(self, windows: NDArray[np.float32]) -> NDArray[np.uint8]:
        bins = np.fft.rfft(windows * self._shape)
        sums = np.zeros((len(bins), bins.shape[1] + 1))
        np.cumsum(bins.real**2 + bins.imag**2, axis=1, out=sums[:, 1:])
        low, high = (_sum_below(sums, edges) for edges in self._edges)  # a matrix product would occupy all processors
        level = 10 * np.log10((high - low) * (4 / self._shape.sum() ** 2) + 1e-12)
        scaled = np.clip((level - _FLOOR_DB) / -_FLOOR_DB, 0, 1) * 255
        return np.asarray(scaled.round(), np.uint8)


def _pairs(rows: NDArray[np.float32]) -> NDArray[np.int8]:
    pairs = np.stack([rows.min(axis=1, initial=1.0), rows.max(axis=1, initial=-1.0)], axis=1)
    return np.asarray(np.rint(np.clip(pairs, -1, 1) * 127), np.int8).reshape(-1)


@lru_cache(maxsize=4)
def _band_edges(sample_rate: int) -> NDArray[np.float64]:
    """Return where each band begins and ends in the FFT's bins, a bin from its number to the next: ``(2, bands)``."""
    edges = np.geomspace(_LOW_HZ, min(_HIGH_HZ, sample_rate / 2), BANDS + 1) * _WINDOW / sample_rate
    low, high = edges[:-1], np.maximum(edges[1:], edges[:-1] + 1)
    return np.minimum(np.stack([low, high]) + 0.5, _WINDOW // 2 + 1)


def _sum_below(sums: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what prefix sums, ``(columns, bins + 1)``, are at edges between their numbers: ``(columns, edges)``."""
    whole = np.minimum(edges.astype(np.int64), sums.shape[1] - 2)
    before = sums[:, whole]
    below: NDArray[np.float64] = before + (edges - whole) * (sums[:, whole + 1] - before)
    return below
