"""Spectral features of a causal network, per mask bin.

Level of mid and side against the last second, balance and phase between the channels, phase advance in time and over
frequency, and how well each bin fits the present pitches (`harmonics`). All are invariant to the level and the
absolute phase of the mix.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_always_inline, njit_cached, njit_fastmath
from stream_sep.lowlevel.vector_math import logarithm
from stream_sep.separators.causal.band_layout import RATE, plan_band_layout
from stream_sep.separators.causal.harmonics import HARMONICS, find_harmonics, harmonic_workspace, plan_harmonics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.protocols import Block
    from stream_sep.separators.causal.config import NetworkConfig
    from stream_sep.separators.causal.harmonics import HarmonicPlan, HarmonicWorkspace

    Row: TypeAlias = NDArray[np.float32]

SPECTRAL_FEATURES = 8
FEATURES = SPECTRAL_FEATURES + HARMONICS
"""Features per mask bin."""

_LEVEL_SECONDS = 1.0
TINY_POWER = 1e-20
LEVEL_FLOOR = 1e-8  # of the power, against the last second's mean: below, a sound is masked
MAX_STEP = 1.5
HALF_BELS = 0.5 / math.log(10)
_ZERO = np.float32(0.0)


class FeaturePlan(NamedTuple):
    """Constants of a stream."""

    spans: NDArray[np.int64]  # (mask_bins, 2): first FFT bin of each mask bin, and the one after its last
    widths: NDArray[np.int64]  # (mask_bins,): FFT bins per mask bin, some of which may lie above the spectrum
    phase_advance: NDArray[np.complex128]  # (bins,): phase advance of each bin's centre in a hop, negative
    decay: float  # decay of the level average per hop
    harmonics: HarmonicPlan


class FeatureState(NamedTuple):
    """State carried from hop to hop."""

    level: NDArray[np.float64]  # (2,): decaying sum of power, and of its weights
    before: NDArray[np.complex64]  # (bins,): the previous spectrum of mid


def plan_features(size: NetworkConfig, sample_rate: int) -> FeaturePlan:
    """Return the constants of a network's streams.

    Args:
        size: the network's configuration.
        sample_rate: frames per second.
    """
    layout = plan_band_layout(size, sample_rate)
    turns = np.arange(size.bins) * size.hop % size.window / size.window
    return FeaturePlan(
        layout.spans,
        layout.widths,
        np.exp(-2j * np.pi * turns),
        math.exp(-size.hop / sample_rate / _LEVEL_SECONDS),
        plan_harmonics(sample_rate, size.window),
    )


class FeatureExtractor:
    """Computes features of a stream, whose state is passed in.

    Args:
        size: the network's configuration.
        sample_rate: frames per second.
    """

    def __init__(self, size: NetworkConfig, sample_rate: int = RATE) -> None:
        self._plan = plan_features(size, sample_rate)
        self.points, self._bins = len(self._plan.spans), size.bins

    def initial_state(self) -> FeatureState:
        """Return the state before the first hop."""
        return FeatureState(np.zeros(2), np.zeros(self._bins, np.complex64))

    def workspace(self) -> HarmonicWorkspace:
        """Return buffers for `compute`."""
        return harmonic_workspace(self._plan.harmonics, self._bins)

    def compute(
        self, spectra: NDArray[np.complex64], state: FeatureState, features: Block, workspace: HarmonicWorkspace
    ) -> None:
        """Write the features of the next hops, and update ``state``.

        Shape:
            spectra: complex64 ``(hops, 2, bins)``, mid and side
            features: ``(hops, FEATURES, points)``
        """
        _compute(spectra, self._plan, state, features, workspace)


@njit_cached
def _compute(
    spectra: NDArray[np.complex64],
    plan: FeaturePlan,
    state: FeatureState,
    features: Block,
    workspace: HarmonicWorkspace,
) -> None:
    for hop in range(len(spectra)):
        mid, side = spectra[hop, 0], spectra[hop, 1]
        loudness = _loudness(mid, side, plan.decay, state.level)
        find_harmonics(spectra[hop], loudness, plan.harmonics, workspace)
        out = features[hop]
        for point in range(len(plan.widths)):
            _point_features(mid, side, state.before, plan, point, out[:SPECTRAL_FEATURES, point])
        _measure_loudness(out[0], loudness)
        _measure_loudness(out[1], loudness)
        for row in range(HARMONICS):
            _pool_salience(workspace.salience[row], plan.spans, out[SPECTRAL_FEATURES + row])
        for k in range(len(mid)):
            state.before[k] = mid[k]


@njit_always_inline
def _loudness(
    mid: NDArray[np.complex64], side: NDArray[np.complex64], decay: float, level: NDArray[np.float64]
) -> float:
    """Return the mean power of the last second: a decaying sum over the sum of its weights."""
    power = 0.0
    for k in range(len(mid)):
        power += _power(mid[k]) + _power(side[k])
    level[0] = decay * level[0] + power / len(mid)
    level[1] = decay * level[1] + 1.0
    return float(level[0] / level[1] + TINY_POWER)


@njit_always_inline
def _point_features(  # noqa: PLR0917 - the innermost loop, where a tuple of them costs time
    mid: NDArray[np.complex64],
    side: NDArray[np.complex64],
    before: NDArray[np.complex64],
    plan: FeaturePlan,
    point: int,
    features: Block,
) -> None:
    middle = sides = past = 0.0
    across = moved = stepped = 0j
    for k in range(plan.spans[point, 0], plan.spans[point, 1]):
        here = complex(mid[k])
        middle += _power(here)
        sides += _power(side[k])
        past += _power(before[k])
        across += here * complex(side[k]).conjugate()
        moved += here * complex(before[k]).conjugate() * plan.phase_advance[k]
        if k > 0:
            stepped += here * complex(mid[k - 1]).conjugate()
    share = 1.0 / plan.widths[point]
    tiny = TINY_POWER * plan.widths[point]
    features[0], features[1] = middle * share, sides * share
    across *= 2 / (middle + sides + tiny)
    moved *= 2 / (middle + past + tiny)
    stepped *= 1 / (middle + tiny)
    features[2], features[3] = across.real, across.imag
    features[4], features[5] = moved.real, moved.imag
    features[6] = min(max(stepped.real, -MAX_STEP), MAX_STEP)
    features[7] = min(max(stepped.imag, -MAX_STEP), MAX_STEP)


@njit_fastmath
def _measure_loudness(powers: Row, loudness: float) -> None:
    for point in range(len(powers)):
        powers[point] = logarithm(powers[point] / loudness + LEVEL_FLOOR) * HALF_BELS + 1.0


@njit_always_inline
def _pool_salience(salience: Row, spans: NDArray[np.int64], features: Row) -> None:
    """Max-pool the salience of FFT bins into mask bins."""
    for point in range(len(spans)):
        best = _ZERO
        for k in range(spans[point, 0], spans[point, 1]):
            best = max(best, salience[k])
        features[point] = best


@njit_always_inline
def _power(number: complex) -> float:
    return float(number.real) ** 2 + float(number.imag) ** 2
