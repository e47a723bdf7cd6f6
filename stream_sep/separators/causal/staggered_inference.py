"""How a network is asked: all at once, or over several hops, some of its parts in each."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.separators.causal.band_layout import RATE, plan_points
from stream_sep.separators.causal.features import FEATURES, FeatureMeter
from stream_sep.separators.causal.masks import CORRECTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.protocols import Block
    from stream_sep.separators.causal.config import NetworkSize
    from stream_sep.separators.causal.runtimes import StepRuntime, StepState


class Asking:
    """Asks a network hop by hop, and remembers for it.

    A network that is asked over several hops hears the first of them, and answers when half of them are over: later,
    and what it says would be older; sooner, and the first hop would take twice as long as the others.

    Args:
        runtime: computes the network.
        hops: over how many hops.
        sample_rate: frames per second.
    """

    _state: StepState
    _x: Block  # what the last part that was computed made
    _after: list[Block]

    def __init__(self, runtime: StepRuntime, hops: int = 1, sample_rate: int = RATE) -> None:
        self._runtime, self._last = runtime, runtime.size.blocks
        self._turns = plan_turns(runtime.size, hops)
        self._meter = FeatureMeter(runtime.size, sample_rate)
        self._scratch = self._meter.scratch()
        self._features = np.zeros((1, 1, FEATURES, self._meter.points), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._turn, self._state = 0, fresh_state(self._runtime.size)
        self._seen = self._meter.fresh_memory()
        self._said = np.zeros((2, CORRECTIONS, self._meter.points), np.float32)

    def hear(self, spectra: NDArray[np.complex64], hints: Block) -> Block:
        """Return what the network said last.

        Shape:
            spectra: complex64 ``(1, 2, bins)``: mid and side
            hints: ``(1, HINTS, points)``
            corrections: ``(2, CORRECTIONS, points)``
        """
        for number in self._turns[self._turn]:
            if number == 0:
                self._meter.measure(spectra, self._seen, self._features[0], self._scratch)
                (self._x,) = self._runtime.part(0, self._features, hints[None])
                self._after = []
            else:
                self._x, memory = self._runtime.part(number, self._x, self._state[number - 1])
                self._after.append(memory)
        self._turn = (self._turn + 1) % len(self._turns)
        if len(self._after) == self._last:
            self._said, self._state, self._after = self._x[0, 0], tuple(self._after), []
        return self._said


def plan_turns(size: NetworkSize, hops: int) -> list[range]:
    """Return which parts of a network are computed in each of the hops over which it is asked.

    >>> from stream_sep.separators.causal.config import SIZES
    >>> plan_turns(SIZES["instant"], 4)
    [range(0, 2), range(2, 4), range(4, 4), range(4, 4)]
    """
    parts = size.blocks + 1
    begins = [min(math.ceil(2 * turn * parts / hops), parts) for turn in range(hops + 1)]
    return [range(begin, end) for begin, end in itertools.pairwise(begins)]


def hops_late(size: NetworkSize, hops: int) -> int:
    """Return how many of the hops over which a network is asked go by before its answer is used.

    >>> from stream_sep.separators.causal.config import SIZES
    >>> hops_late(SIZES["instant"], 4), hops_late(SIZES["live"], 1)
    (1, 0)
    """
    return next(turn for turn, parts in enumerate(plan_turns(size, hops)) if size.blocks in parts)


def fresh_state(size: NetworkSize) -> StepState:
    """Return what a network remembers before the first hop; `CausalNetwork.fresh_state` of one song."""
    shape = (1, plan_points(size).bands, size.width)
    return tuple(np.zeros(shape, np.float32) for _ in range(size.blocks))
