"""Harmonic salience: how well each FFT bin fits a series of partials, as of voices and basses but not of drums.

A pitch is scored by the spectral peaks at its partials against those between them (harmonic summation: Hermes 1988).
Each bin then gets the best score of the pitches that have a partial there. A small network, whose bands cover a
dozen mask bins each, would need many songs to find this by itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_always_inline, njit_inline

if TYPE_CHECKING:
    from numpy.typing import NDArray

HARMONICS = 3
"""Salience channels: best low pitch with a partial there, best high pitch, and the overall best pitch."""

_LOWEST, _HIGH, _HIGHEST = 45.0, 166.0, 1000.0  # Hz: basses are below the middle one, most voices above
_STEPS = 36  # pitches an octave
_PARTIALS = 14  # that score a pitch, up to `_TOP`
_TOP = 4950.0  # Hz
_SCORED_PARTIALS = 39  # partials of a pitch that receive its score
_PARTIAL_DECAY = 0.85  # weight of a partial against the one below
AROUND = 8  # bins either side of the local average
MAX_PEAK = 3.0  # largest deviation from it, in nepers of power
_SCALE = 1 / 6
FLOOR = 1e-10  # of the power of the last second


class HarmonicPlan(NamedTuple):
    """Constants of a stream."""

    pitches: NDArray[np.float64]  # in bins
    high: int  # index of the first high pitch
    top: int  # bins that score pitches


class HarmonicWorkspace(NamedTuple):
    """Temporary buffers; no state."""

    sums: NDArray[np.float64]  # prefix sums of log power, one more than bins
    peaks: NDArray[np.float64]  # nepers above the local average
    salience: NDArray[np.float32]  # (HARMONICS, bins of the spectrum)


def plan_harmonics(sample_rate: int, window: int) -> HarmonicPlan:
    """Return the pitch grid for spectra of ``window`` frames.

    Args:
        sample_rate: frames per second.
        window: frames of the analysis window.

    >>> plan = plan_harmonics(44100, 4096)
    >>> len(plan.pitches), plan.high, plan.top
    (162, 68, 460)
    """
    steps = np.arange(math.ceil(_STEPS * math.log2(_HIGHEST / _LOWEST)))
    pitches = _LOWEST * 2.0 ** (steps / _STEPS) * window / sample_rate
    top = min(round(_TOP * window / sample_rate), window // 2 - AROUND - 2)
    return HarmonicPlan(pitches, math.ceil(_STEPS * math.log2(_HIGH / _LOWEST)), top)


def harmonic_workspace(plan: HarmonicPlan, bins: int) -> HarmonicWorkspace:
    """Return buffers for `find_harmonics` in spectra of ``bins`` bins.

    Args:
        plan: of the stream.
        bins: FFT bins.
    """
    known = plan.top + 2
    return HarmonicWorkspace(
        sums=np.zeros(known + AROUND + 1),
        peaks=np.zeros(known),
        salience=np.zeros((HARMONICS, bins), np.float32),
    )


def score_weights(plan: HarmonicPlan) -> NDArray[np.float64]:
    """Return how much each peak counts in the score of each pitch, ``(peaks, pitches)``.

    Args:
        plan: of the stream.
    """
    weights = np.zeros((plan.top + 2, len(plan.pitches)))
    for k, one in enumerate(np.eye(plan.top + 2)):
        weights[k] = [_pitch_score(pitch, plan.top, one) for pitch in plan.pitches]
    return weights


def reached_bins(plan: HarmonicPlan, bins: int) -> NDArray[np.bool_]:
    """Return which bins receive the score of each pitch, ``(pitches, bins)``.

    Args:
        plan: of the stream.
        bins: FFT bins.
    """
    reached = np.zeros((len(plan.pitches), bins), np.float32)
    for pitch, row in zip(plan.pitches, reached, strict=True):
        _spread(pitch, 1.0, row)
    return reached > 0


@njit_always_inline
def find_harmonics(
    spectrum: NDArray[np.complex64],
    loudness: float,
    plan: HarmonicPlan,
    workspace: HarmonicWorkspace,
) -> None:
    """Write into ``workspace.salience`` how well each bin fits the present pitches.

    Args:
        spectrum: complex64 ``(2, bins)``, mid and side.
        loudness: the mean power of a bin over the last second.
        plan: of the stream.
        workspace: of the thread.
    """
    _find_peaks(spectrum, FLOOR * loudness, workspace)
    workspace.salience[:] = 0.0
    best, most = plan.high, 0.0
    for pitch in range(len(plan.pitches)):
        weight = _pitch_score(plan.pitches[pitch], plan.top, workspace.peaks)
        _spread(plan.pitches[pitch], weight, workspace.salience[int(pitch >= plan.high)])
        if pitch >= plan.high and weight > most:
            best, most = pitch, weight
    _spread(plan.pitches[best], most, workspace.salience[2])


@njit_always_inline
def _find_peaks(spectrum: NDArray[np.complex64], floor: float, workspace: HarmonicWorkspace) -> None:
    sums, peaks = workspace.sums, workspace.peaks
    for k in range(len(sums) - 1):
        a, b = complex(spectrum[0, k]), complex(spectrum[1, k])
        power = a.real * a.real + a.imag * a.imag + b.real * b.real + b.imag * b.imag
        sums[k + 1] = sums[k] + math.log(power + floor)
    for k in range(len(peaks)):
        low, high = max(k - AROUND, 0), k + AROUND + 1
        around = (sums[high] - sums[low]) / (high - low)
        peaks[k] = min(max(sums[k + 1] - sums[k] - around, -MAX_PEAK), MAX_PEAK)


@njit_always_inline
def _pitch_score(pitch: float, top: int, peaks: NDArray[np.float64]) -> float:
    weight, share = 0.0, _SCALE
    for partial in range(1, _PARTIALS + 1):
        at = partial * pitch
        if at > top:
            break
        weight += share * (_between(peaks, at) - _between(peaks, at - pitch / 2))
        share *= _PARTIAL_DECAY
    return weight


@njit_always_inline
def _between(values: NDArray[np.float64], at: float) -> float:
    k = int(at)
    return float(values[k] + (at - k) * (values[k + 1] - values[k]))


@njit_inline
def _spread(pitch: float, weight: float, salience: NDArray[np.float32]) -> None:
    if weight <= 0.0:
        return
    for partial in range(1, _SCORED_PARTIALS + 1):
        near = int(partial * pitch + 0.5)
        if near >= len(salience):
            break
        for k in range(max(near - 1, 0), min(near + 2, len(salience))):
            salience[k] = max(salience[k], weight)
