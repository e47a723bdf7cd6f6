"""Crops of songs on the CPU, compiled: as on a GPU, they would take a third of a training's time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from stream_sep.lowlevel.numba_intrinsics import njit_cached, njit_reassoc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.training.data.cache import SourceFrames

TAPS = 16
"""Taps: frames of a song that contribute to one frame of a crop."""

_PHASES = 512
_NOTHING = 1e-12  # rounding error of a sinc at whole frames


def crop_resampled(song: SourceFrames, start: int, rate: float, frames: int) -> Tensor:
    """Return a crop, float32 ``(2, frames)``; silence where it leaves its song.

    Args:
        song: int16 ``(frames, 2)``, of which only the needed part is read.
        start: where the crop begins, in frames of the song.
        rate: 1.1 plays it faster, and higher, by a tenth.
        frames: length of the crop.
    """
    out = np.empty((2, frames), np.float32)
    first = min(max(0, start - TAPS), len(song))
    last = min(max(first, start + math.ceil(frames * rate) + TAPS), len(song))
    _cut(np.asarray(song[first:last]), start - first, rate, windowed_sinc(rate), out)
    return torch.from_numpy(out)


def windowed_sinc(rate: float) -> NDArray[np.float32]:
    """Return ``(phases + 1, taps)``: a sinc, lower by as much as the sound is played faster, so that nothing folds.

    Of a rate of 1 only the frame itself is left.
    """
    narrow = min(1.0, 1 / rate)
    distance = np.arange(_PHASES + 1)[:, None] / _PHASES - np.arange(-TAPS // 2 + 1, TAPS // 2 + 1)
    window = np.cos(np.clip(distance / (TAPS / 2), -1, 1) * (np.pi / 2)) ** 2
    weights: NDArray[np.float64] = np.sinc(distance * narrow) * narrow * window
    weights[np.abs(weights) < _NOTHING] = 0.0
    return weights.astype(np.float32)


@njit_cached
def _cut(
    song: NDArray[np.int16], start: int, rate: float, sinc: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    taps, phases = sinc.shape[1], sinc.shape[0] - 1
    for frame in range(out.shape[1]):
        place = frame * rate
        whole = int(np.floor(place))
        phase = (place - whole) * phases
        row = int(phase)
        at = start + whole - taps // 2 + 1
        first = max(0, -at)
        last = max(first, min(taps, len(song) - at))
        _interpolate(song[at + first : at + last], sinc[row : row + 2, first:last], phase - row, out[:, frame])


@njit_reassoc
def _interpolate(song: NDArray[np.int16], sinc: NDArray[np.float32], share: float, out: NDArray[np.float32]) -> None:
    """Sum up frames, weighted by a sinc interpolated between two rows of the table."""
    part = np.float32(share)
    left = right = np.float32(0.0)
    for tap in range(len(song)):
        weight = sinc[0, tap] + part * (sinc[1, tap] - sinc[0, tap])
        left += weight * song[tap, 0]
        right += weight * song[tap, 1]
    out[0], out[1] = left, right
