"""What `bands` makes of a hop, at the points of a causal network: what its constants know need not be learnt anew.

Few songs teach a network little about what lies minutes back or beside a partial, which the cues of `bands` say in a
number; and its masks, of 600 constants, are a guess that the network has only to correct.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import compiled, merged, vectorised
from stream_sep.lowlevel.vector_log import logarithm
from stream_sep.separators.bands.cues import CUES, measure_cues
from stream_sep.separators.bands.masks import find_masks, spread_weights
from stream_sep.separators.bands.separator import median_hops
from stream_sep.separators.bands.state import Memory, new_layout, new_memory
from stream_sep.separators.causal.band_layout import RATE, plan_points
from stream_sep.separators.causal.masks import MASKED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.protocols import Block
    from stream_sep.separators.bands.state import Layout
    from stream_sep.separators.causal.config import NetworkSize

    Row: TypeAlias = NDArray[np.float32]

HEARD = ("percussive", "onset", "tonal", "sustained", "struck", "noisy")
"""The cues that a network is given: those that it cannot read off the newest spectrum, point by point."""

GUESSES = 2 * MASKED
"""Guesses a point: how likely each stem but ``other`` is against that, in the middle, then at the sides."""

GUESS_SCALE = 0.25
"""What networks weigh guesses by, which are in nepers, where all else that they are given is about 1."""

HINTS = GUESSES + len(HEARD)
"""Hints a point: the guesses, in nepers, and the cues."""

_HEARD = tuple(CUES.index(name) for name in HEARD)
_SUREST = 8.0
_TINY = 1e-5


class Plan(NamedTuple):
    """What stays the same over a stream: how cues are measured, what they say, and where each point begins."""

    layout: Layout
    weights: NDArray[np.float32]
    spans: NDArray[np.int64]


class Scratch(NamedTuple):
    """Room for one thread to work in."""

    cues: NDArray[np.float32]
    masks: NDArray[np.float32]


class HintMeter:
    """Measures hints; what it remembers of a stream is passed in.

    Args:
        size: of the network that is given them.
        sample_rate: frames per second.
    """

    def __init__(self, size: NetworkSize, sample_rate: int = RATE) -> None:
        plan = plan_points(size, sample_rate)
        self.points = plan.points
        self._plan = Plan(
            new_layout(sample_rate, size.window, size.hop),
            spread_weights(sample_rate, size.window),
            plan.spans,
        )
        self._remembered = size.bins, median_hops(size.window, size.hop)

    def fresh_memory(self) -> Memory:
        """Return what is remembered before the first hop."""
        return new_memory(*self._remembered)

    def scratch(self) -> Scratch:
        """Return room for `measure` to work in."""
        bins = self._plan.weights.shape[-1]
        return Scratch(np.zeros((len(CUES), bins), np.float32), np.zeros((2, MASKED, bins), np.float32))

    def measure(self, spectra: NDArray[np.complex64], memory: Memory, hints: Block, scratch: Scratch) -> None:
        """Write the hints of the next hops, and go on with ``memory``, which is changed.

        Shape:
            spectra: complex64 ``(hops, 2, bins)``, mid and side
            hints: ``(hops, HINTS, points)``
        """
        plan, (cues, masks) = self._plan, scratch
        for (mid, side), told in zip(spectra, hints, strict=True):
            measure_cues(mid, side, plan.layout, memory, cues)
            find_masks(cues, plan.weights, masks)
            _tell(masks, cues, memory.powers, plan.spans, told)


@compiled
def _tell(
    masks: NDArray[np.float32],
    cues: NDArray[np.float32],
    powers: NDArray[np.float64],
    spans: NDArray[np.int64],
    hints: Block,
) -> None:
    _move_sides(masks, powers)
    for plane in range(2):
        guesses = hints[plane * MASKED : (plane + 1) * MASKED]
        _share(masks[plane], powers[plane], spans, guesses)
        _compare_with_rest(guesses[0], guesses[1], guesses[2])
    _hear(cues, spans, hints[GUESSES:])


@vectorised
def _move_sides(masks: NDArray[np.float32], powers: NDArray[np.float64]) -> None:
    """Have the side follow the mid the closer a bin is to one channel, as `bands` does in the end."""
    for k in range(masks.shape[2]):
        place = np.float32(2 * powers[2, k] / (powers[0, k] + powers[1, k]))
        for stem in range(masks.shape[1]):
            masks[1, stem, k] += place * place * (masks[0, stem, k] - masks[1, stem, k])


@merged
def _share(masks: NDArray[np.float32], powers: NDArray[np.float64], spans: NDArray[np.int64], shares: Block) -> None:
    """Write what the masks would leave of the power of each point; equal shares where there are no bins."""
    for point in range(len(spans)):
        whole = first = second = third = 0.0
        for k in range(spans[point, 0], spans[point, 1]):
            whole += powers[k]
            first += powers[k] * masks[0, k]
            second += powers[k] * masks[1, k]
            third += powers[k] * masks[2, k]
        if whole > 0.0:
            shares[0, point], shares[1, point], shares[2, point] = first / whole, second / whole, third / whole
        else:
            shares[:, point] = 1 / (MASKED + 1)


@vectorised
def _compare_with_rest(first: Row, second: Row, third: Row) -> None:
    """Make each share its nepers against what the three leave."""
    for point in range(len(first)):
        rest = logarithm(max(1.0 - first[point] - second[point] - third[point], _TINY))
        first[point] = _clip(logarithm(max(first[point], _TINY)) - rest)
        second[point] = _clip(logarithm(max(second[point], _TINY)) - rest)
        third[point] = _clip(logarithm(max(third[point], _TINY)) - rest)


@merged
def _clip(nepers: float) -> float:
    return min(max(nepers, -_SUREST), _SUREST)


@merged
def _hear(cues: NDArray[np.float32], spans: NDArray[np.int64], means: Block) -> None:
    for row in range(len(_HEARD)):
        cue = cues[_HEARD[row]]
        for point in range(len(spans)):
            total = 0.0
            for k in range(spans[point, 0], spans[point, 1]):
                total += cue[k]
            means[row, point] = total / max(spans[point, 1] - spans[point, 0], 1)
