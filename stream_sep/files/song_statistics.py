"""Mean, deviation, length and peak of a song, measured in one pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

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
    """

    frames: int
    mean: float
    deviation: float
    peak: float


def measure_song(blocks: Iterable[Block]) -> SongStatistics:
    """Read a song once for its level.

    >>> level = measure_song([np.array([[1, 3], [1, 3]], np.float32)])
    >>> level.frames, level.mean, round(level.deviation, 6), level.peak
    (2, 2.0, 1.414214, 3.0)
    """
    frames, total, squares, peak = 0, 0.0, 0.0, 0.0
    for block in blocks:
        mono = block.mean(axis=0, dtype=np.float64)
        frames += block.shape[1]
        total += float(mono.sum())
        squares += float(np.square(mono).sum())
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
    mean = total / max(frames, 1)
    variance = max(0.0, squares - frames * mean * mean) / max(frames - 1, 1)
    return SongStatistics(frames, mean, math.sqrt(variance) + 1e-8, peak)
