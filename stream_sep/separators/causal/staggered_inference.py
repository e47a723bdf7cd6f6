"""Runs a network hop by hop: a whole step per hop, or one step spread over several hops."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.separators.causal.band_layout import RATE
from stream_sep.separators.causal.features import FEATURES, FeatureExtractor
from stream_sep.separators.causal.masks import OUTPUT_CHANNELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.protocols import Block
    from stream_sep.separators.causal.config import NetworkConfig
    from stream_sep.separators.causal.runtimes import StepRuntime, StepState


class StaggeredInference:
    """Runs a network hop by hop, and keeps its state.

    A step spread over several hops takes its input from the first of them and outputs after half of them: later, and
    the output would be older; sooner, and the first hop would take twice as long as the others.

    Args:
        runtime: computes the network.
        hops: hops that a step is spread over.
        sample_rate: frames per second.
    """

    _state: list[StepState]  # of each stage
    _x: Block  # output of the last stage
    _next_state: list[StepState]

    def __init__(self, runtime: StepRuntime, hops: int = 1, sample_rate: int = RATE) -> None:
        self._runtime, self._stages = runtime, runtime.size.blocks + 1
        self._schedule = schedule_stages(runtime.size, hops)
        self._extractor = FeatureExtractor(runtime.size, sample_rate)
        self._workspace = self._extractor.workspace()
        self._features = np.zeros((1, 1, FEATURES, self._extractor.points), np.float32)
        self.reset()

    def reset(self) -> None:
        """Clear the state."""
        self._hop, self._next_state = 0, []
        self._state = self._runtime.initial_state()
        self._feature_state = self._extractor.initial_state()
        self._output = np.zeros((2, OUTPUT_CHANNELS, self._extractor.points), np.float32)

    def step(self, spectra: NDArray[np.complex64], prior: Block) -> Block:
        """Run the stages that are due; return the newest output of the network.

        Shape:
            spectra: complex64 ``(1, 2, bins)``: mid and side
            prior: ``(1, PRIOR_CHANNELS, points)``
            corrections: ``(2, OUTPUT_CHANNELS, points)``
        """
        for number in self._schedule[self._hop]:
            if number == 0:
                self._extractor.compute(spectra, self._feature_state, self._features[0], self._workspace)
                self._x, *state = self._runtime.run_stage(0, self._features, prior[None], *self._state[0])
            else:
                self._x, *state = self._runtime.run_stage(number, self._x, *self._state[number])
            self._next_state.append(tuple(state))
        self._hop = (self._hop + 1) % len(self._schedule)
        if len(self._next_state) == self._stages:
            self._output, self._state, self._next_state = self._x[0, 0], self._next_state, []
        return self._output


def schedule_stages(size: NetworkConfig, hops: int) -> list[range]:
    """Return which stages of a network run in each of the hops that a step is spread over.

    Args:
        size: the network's configuration.
        hops: hops that a step is spread over.

    >>> from stream_sep.separators.causal.config import SIZES
    >>> schedule_stages(SIZES["instant"], 4)
    [range(0, 2), range(2, 4), range(4, 4), range(4, 4)]
    """
    parts = size.blocks + 1
    begins = [min(math.ceil(2 * hop * parts / hops), parts) for hop in range(hops + 1)]
    return [range(begin, end) for begin, end in itertools.pairwise(begins)]


def output_delay_hops(size: NetworkConfig, hops: int) -> int:
    """Return how many hops pass before the output of a step is used.

    Args:
        size: the network's configuration.
        hops: hops that a step is spread over.

    >>> from stream_sep.separators.causal.config import SIZES
    >>> output_delay_hops(SIZES["instant"], 4), output_delay_hops(SIZES["live"], 1)
    (1, 0)
    """
    return next(hop for hop, parts in enumerate(schedule_stages(size, hops)) if size.blocks in parts)
