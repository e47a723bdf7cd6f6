"""Mean, deviation, length and peak of a song, measured in one pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.separators.spectral_peak import SpectralPeakMeter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream_sep.protocols import Block


@dataclass(frozen=True)
class SongStatistics:
    """The level of a whole song, by which Demucs normalises it.

    Attributes:
        frames: number of frames.
        mean: of the mono mix.
        deviation: of the mono mix, never 0.
        peak: the largest magnitude of any channel.
        spectral_peak: the largest magnitude of the STFT, if it was requested.
    """

    frames: int
    mean: float
    deviation: float
    peak: float
    spectral_peak: float = 0.0


def measure_song(blocks: Iterable[Block], stft_size: int = 0) -> SongStatistics:
    """Read a song once for its level.

    Args:
        blocks: the mix, ``(2, frames)`` each.
        stft_size: frames of a window of the STFT to measure too; none if 0.

    >>> level = measure_song([np.array([[1, 3], [1, 3]], np.float32)])
    >>> level.frames, level.mean, round(level.deviation, 6), level.peak
    (2, 2.0, 1.414214, 3.0)
    """
    frames, total, squares, peak = 0, 0.0, 0.0, 0.0
    spectrum = SpectralPeakMeter(stft_size) if stft_size else None
    for block in blocks:
        if spectrum is not None:
            spectrum.add(block)
        mono = block.mean(axis=0, dtype=np.float64)
        frames += block.shape[1]
        total += float(mono.sum())
        squares += float(np.square(mono).sum())
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
    mean = total / max(frames, 1)
    variance = max(0.0, squares - frames * mean * mean) / max(frames - 1, 1)
    return SongStatistics(frames, mean, math.sqrt(variance) + 1e-8, peak, spectrum.finish() if spectrum else 0.0)
