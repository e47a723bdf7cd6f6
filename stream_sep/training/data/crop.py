"""Crops of songs: at once on a GPU; on the CPU compiled, where the same would take a third of a training's time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from stream_sep.lowlevel.numba_intrinsics import njit_cached, njit_reassoc
from stream_sep.training.data.store import SILENT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.training.data.cache import SourceFrames
    from stream_sep.training.data.store import OnDisk, StemSamples

TAPS = 16
"""Taps: frames of a song that contribute to one frame of a crop."""

_PHASES = 512
_NOTHING = 1e-12  # rounding error of a sinc at whole frames


def crop(samples: StemSamples, songs: Tensor, starts: Tensor, rates: Tensor, frames: int) -> Tensor:
    """Return crops ``(batch, 2, frames)``, at the songs' loudness; silence where a crop leaves its song.

    Args:
        samples: where to cut.
        songs: int64 ``(batch,)``; `SILENT` gives silence.
        starts: int64 ``(batch,)``, frames from the song's beginning.
        rates: float32 ``(batch,)``: 1.1 plays a song faster, and higher, by a tenth.
        frames: length of a crop.
    """
    if not samples.songs:
        return torch.zeros(len(songs), 2, frames, device=songs.device)
    if isinstance(samples.sound, tuple):
        rows = zip(songs.tolist(), starts.tolist(), rates.tolist(), strict=True)
        crops = torch.stack([_sum_of_crops(samples.sound, *row, frames) for row in rows])
    else:
        crops = _crop_at_once(samples, samples.sound, songs.clamp(min=0), starts, rates, frames)
    gain = torch.where(songs == SILENT, 0.0, samples.gain[songs.clamp(min=0)])
    return crops * gain[:, None, None]


def _sum_of_crops(sound: OnDisk, song: int, start: int, rate: float, frames: int) -> Tensor:
    if song == SILENT:
        return torch.zeros(2, frames)
    first, *others = (crop_resampled(source, start, rate, frames) for source in sound[song])
    for other in others:
        first += other
    return first


def _crop_at_once(  # noqa: PLR0917 - a crop is all of these
    samples: StemSamples, sound: Tensor, songs: Tensor, starts: Tensor, rates: Tensor, frames: int
) -> Tensor:
    """Return all crops at once, a tap at a time, which is fast on GPUs."""
    place = torch.arange(frames, device=sound.device) * rates.double()[:, None]
    whole = place.floor()
    part = (place - whole).float()
    where = whole.long() + starts[:, None]
    total = torch.zeros(len(songs), frames, 2, device=sound.device)
    first, length = samples.first[songs][:, None], samples.length[songs][:, None]
    narrow = torch.clamp(1 / rates, max=1.0)[:, None]
    taps = [0] if bool((rates == 1).all()) else range(-TAPS // 2 + 1, TAPS // 2 + 1)
    for tap in taps:
        at = where + tap
        inside = (at >= 0) & (at < length)
        found = sound[(at.clamp(min=0).minimum(length - 1)) + first].float()
        total += found * (_kernel(part - tap, narrow) * inside)[..., None]
    return total.transpose(1, 2)


def _kernel(distance: Tensor, narrow: Tensor) -> Tensor:
    """Return a windowed sinc, lower by as much as the sound is played faster, so that nothing folds back."""
    window = torch.cos(torch.clamp(distance / (TAPS / 2), -1, 1) * (torch.pi / 2)) ** 2
    return torch.sinc(distance * narrow) * narrow * window


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
