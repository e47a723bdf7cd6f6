"""How well each frequency fits a series of partials, as voices and basses have them and drums have not.

A pitch is weighed by what stands out of its surroundings at its partials, against what does between them (a harmonic
sum: Hermes 1988). Each bin is then told the best of the pitches that have a partial there: what a network of few
weights, whose bands see a dozen points each, would need many songs to learn.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import inlined, merged

if TYPE_CHECKING:
    from numpy.typing import NDArray

HARMONICS = 3
"""Numbers a point: the best of the low pitches with a partial there, of the high ones, and the very best of these."""

_LOWEST, _HIGH, _HIGHEST = 45.0, 166.0, 1000.0  # Hz: basses are below the middle one, most voices above
_STEPS = 36  # pitches an octave
_PARTIALS = 14  # that a pitch is weighed by, up to `_TOP`
_TOP = 4950.0  # Hz
_TOLD = 39  # partials of a pitch that are told of it
_FADING = 0.85  # weight of a partial against the one below
_AROUND = 8  # bins either side that a bin must stand out of
_MOST = 3.0  # nepers of power by which it can
_SCALE = 1 / 6
_FLOOR = 1e-10  # of the power of the last second


class HarmonicPlan(NamedTuple):
    """What stays the same over a stream."""

    pitches: NDArray[np.float64]  # in bins
    high: int  # the first of the high ones
    top: int  # bins that pitches are weighed by


class HarmonicScratch(NamedTuple):
    """Room to work in; nothing of it is remembered."""

    sums: NDArray[np.float64]  # of the logarithms of power, one more than bins
    salient: NDArray[np.float64]  # nepers by which a bin stands out
    told: NDArray[np.float32]  # (HARMONICS, bins of the spectrum)


def plan_harmonics(sample_rate: int, window: int) -> HarmonicPlan:
    """Return the pitches to weigh in spectra of ``window`` frames.

    >>> plan = plan_harmonics(44100, 4096)
    >>> len(plan.pitches), plan.high, plan.top
    (162, 68, 460)
    """
    steps = np.arange(math.ceil(_STEPS * math.log2(_HIGHEST / _LOWEST)))
    pitches = _LOWEST * 2.0 ** (steps / _STEPS) * window / sample_rate
    top = min(round(_TOP * window / sample_rate), window // 2 - _AROUND - 2)
    return HarmonicPlan(pitches, math.ceil(_STEPS * math.log2(_HIGH / _LOWEST)), top)


def harmonic_scratch(plan: HarmonicPlan, bins: int) -> HarmonicScratch:
    """Return room for `find_harmonics` in spectra of so many bins."""
    known = plan.top + 2
    return HarmonicScratch(
        sums=np.zeros(known + _AROUND + 1),
        salient=np.zeros(known),
        told=np.zeros((HARMONICS, bins), np.float32),
    )


@merged
def find_harmonics(
    spectrum: NDArray[np.complex64],
    loudness: float,
    plan: HarmonicPlan,
    scratch: HarmonicScratch,
) -> None:
    """Write into ``scratch.told`` how well each bin fits the pitches there are.

    Args:
        spectrum: complex64 ``(2, bins)``, mid and side.
        loudness: the mean power of a bin over the last second.
        plan: of the stream.
        scratch: of the thread.
    """
    _stand_out(spectrum, _FLOOR * loudness, scratch)
    scratch.told[:] = 0.0
    best, most = plan.high, 0.0
    for pitch in range(len(plan.pitches)):
        weight = _weigh(plan.pitches[pitch], plan.top, scratch.salient)
        _tell(plan.pitches[pitch], weight, scratch.told[int(pitch >= plan.high)])
        if pitch >= plan.high and weight > most:
            best, most = pitch, weight
    _tell(plan.pitches[best], most, scratch.told[2])


@merged
def _stand_out(spectrum: NDArray[np.complex64], floor: float, scratch: HarmonicScratch) -> None:
    sums, salient = scratch.sums, scratch.salient
    for k in range(len(sums) - 1):
        a, b = complex(spectrum[0, k]), complex(spectrum[1, k])
        power = a.real * a.real + a.imag * a.imag + b.real * b.real + b.imag * b.imag
        sums[k + 1] = sums[k] + math.log(power + floor)
    for k in range(len(salient)):
        low, high = max(k - _AROUND, 0), k + _AROUND + 1
        around = (sums[high] - sums[low]) / (high - low)
        salient[k] = min(max(sums[k + 1] - sums[k] - around, -_MOST), _MOST)


@merged
def _weigh(pitch: float, top: int, salient: NDArray[np.float64]) -> float:
    weight, share = 0.0, _SCALE
    for partial in range(1, _PARTIALS + 1):
        at = partial * pitch
        if at > top:
            break
        weight += share * (_between(salient, at) - _between(salient, at - pitch / 2))
        share *= _FADING
    return weight


@merged
def _between(values: NDArray[np.float64], at: float) -> float:
    k = int(at)
    return float(values[k] + (at - k) * (values[k + 1] - values[k]))


@inlined
def _tell(pitch: float, weight: float, told: NDArray[np.float32]) -> None:
    if weight <= 0.0:
        return
    for partial in range(1, _TOLD + 1):
        near = int(partial * pitch + 0.5)
        if near >= len(told):
            break
        for k in range(max(near - 1, 0), min(near + 2, len(told))):
            told[k] = max(told[k], weight)
