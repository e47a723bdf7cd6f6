"""What a causal network sees of a spectrum, point by point: only what a mask can depend on.

How loud it is against the last second, in the middle and at the sides, on which side and with which phase between the
channels, how its phase moves in time and from bin to bin, and how well it fits the pitches there are (`harmonics`).
None of it changes with the level or the absolute phase of the mix, which so need not be learnt.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import compiled, merged, vectorised
from stream_sep.lowlevel.vector_log import logarithm
from stream_sep.separators.causal.band_layout import RATE, plan_points
from stream_sep.separators.causal.harmonics import HARMONICS, find_harmonics, harmonic_scratch, plan_harmonics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.protocols import Block
    from stream_sep.separators.causal.config import NetworkSize
    from stream_sep.separators.causal.harmonics import HarmonicPlan, HarmonicScratch

    Row: TypeAlias = NDArray[np.float32]

_SEEN = 8
FEATURES = _SEEN + HARMONICS
"""Features a point."""

_MEMORY_SECONDS = 1.0
_TINY = 1e-20
_FLOOR = 1e-8  # of the power, against the last second's mean: what is below is inaudible beside it
_STEEPEST = 1.5
_HALF_BELS = 0.5 / math.log(10)
_ZERO = np.float32(0.0)


class FeaturePlan(NamedTuple):
    """What stays the same over a stream."""

    spans: NDArray[np.int64]  # (points, 2): the first bin of each point, and the one after its last
    widths: NDArray[np.int64]  # (points,): bins a point, some of which may lie above the spectrum
    turn: NDArray[np.complex128]  # (bins,): how far the middle of each bin turns within a hop, backwards
    decay: float  # share of the last second's power that is left after a hop
    harmonics: HarmonicPlan


class FeatureMemory(NamedTuple):
    """What is remembered of a stream."""

    level: NDArray[np.float64]  # (2,): a fading sum of power, and of its weights
    before: NDArray[np.complex64]  # (bins,): the middle's last spectrum


class FeatureMeter:
    """Measures features; what it remembers of a stream is passed in.

    Args:
        size: of the network that is given them.
        sample_rate: frames per second.
    """

    def __init__(self, size: NetworkSize, sample_rate: int = RATE) -> None:
        plan = plan_points(size, sample_rate)
        self.points, self._bins = plan.points, size.bins
        turns = np.arange(size.bins) * size.hop % size.window / size.window
        self._plan = FeaturePlan(
            plan.spans,
            plan.widths,
            np.exp(-2j * np.pi * turns),
            math.exp(-size.hop / sample_rate / _MEMORY_SECONDS),
            plan_harmonics(sample_rate, size.window),
        )

    def fresh_memory(self) -> FeatureMemory:
        """Return what is remembered before the first hop."""
        return FeatureMemory(np.zeros(2), np.zeros(self._bins, np.complex64))

    def scratch(self) -> HarmonicScratch:
        """Return room for `measure` to work in."""
        return harmonic_scratch(self._plan.harmonics, self._bins)

    def measure(
        self, spectra: NDArray[np.complex64], memory: FeatureMemory, features: Block, scratch: HarmonicScratch
    ) -> None:
        """Write the features of the next hops, and go on with ``memory``, which is changed.

        Shape:
            spectra: complex64 ``(hops, 2, bins)``, mid and side
            features: ``(hops, FEATURES, points)``
        """
        _measure(spectra, self._plan, memory, features, scratch)


@compiled
def _measure(
    spectra: NDArray[np.complex64],
    plan: FeaturePlan,
    memory: FeatureMemory,
    features: Block,
    scratch: HarmonicScratch,
) -> None:
    for hop in range(len(spectra)):
        mid, side = spectra[hop, 0], spectra[hop, 1]
        loudness = _loudness(mid, side, plan.decay, memory.level)
        find_harmonics(spectra[hop], loudness, plan.harmonics, scratch)
        seen = features[hop]
        for point in range(len(plan.widths)):
            _look(mid, side, memory.before, plan, point, seen[:_SEEN, point])
        _measure_loudness(seen[0], loudness)
        _measure_loudness(seen[1], loudness)
        for row in range(HARMONICS):
            _fit(scratch.told[row], plan.spans, seen[_SEEN + row])
        for k in range(len(mid)):
            memory.before[k] = mid[k]


@merged
def _loudness(
    mid: NDArray[np.complex64], side: NDArray[np.complex64], decay: float, level: NDArray[np.float64]
) -> float:
    """Return the mean power of the last second: a fading sum and the sum of its weights, true from the first hop."""
    power = 0.0
    for k in range(len(mid)):
        power += _power(mid[k]) + _power(side[k])
    level[0] = decay * level[0] + power / len(mid)
    level[1] = decay * level[1] + 1.0
    return float(level[0] / level[1] + _TINY)


@merged
def _look(  # noqa: PLR0917 - the innermost loop, where a tuple of them costs time
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
        moved += here * complex(before[k]).conjugate() * plan.turn[k]
        if k > 0:
            stepped += here * complex(mid[k - 1]).conjugate()
    share = 1.0 / plan.widths[point]
    tiny = _TINY * plan.widths[point]
    features[0], features[1] = middle * share, sides * share
    across *= 2 / (middle + sides + tiny)
    moved *= 2 / (middle + past + tiny)
    stepped *= 1 / (middle + tiny)
    features[2], features[3] = across.real, across.imag
    features[4], features[5] = moved.real, moved.imag
    features[6] = min(max(stepped.real, -_STEEPEST), _STEEPEST)
    features[7] = min(max(stepped.imag, -_STEEPEST), _STEEPEST)


@vectorised
def _measure_loudness(powers: Row, loudness: float) -> None:
    for point in range(len(powers)):
        powers[point] = logarithm(powers[point] / loudness + _FLOOR) * _HALF_BELS + 1.0


@merged
def _fit(told: Row, spans: NDArray[np.int64], features: Row) -> None:
    """Write the best that the bins of each point are told."""
    for point in range(len(spans)):
        best = _ZERO
        for k in range(spans[point, 0], spans[point, 1]):
            best = max(best, told[k])
        features[point] = best


@merged
def _power(number: complex) -> float:
    return float(number.real) ** 2 + float(number.imag) ** 2
