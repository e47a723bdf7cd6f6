"""The prior of a causal network: the masks and cues of `bands`, pooled into its mask bins.

With few training songs, long-term statistics and neighbourhoods of partials are hard to fit; the cues of `bands`
state them as numbers, and its masks, of 600 constants, are a prior that the network only corrects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_always_inline, njit_cached, njit_fastmath
from stream_sep.lowlevel.vector_math import logarithm
from stream_sep.separators.bands.cues import CUES, measure_cues
from stream_sep.separators.bands.masks import find_masks, spread_weights
from stream_sep.separators.bands.separator import median_hops
from stream_sep.separators.bands.state import BandsState, initial_bands_state, make_config
from stream_sep.separators.causal.band_layout import RATE, plan_band_layout
from stream_sep.separators.causal.masks import MASKED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.protocols import Block
    from stream_sep.separators.bands.state import BandsConfig
    from stream_sep.separators.causal.config import NetworkConfig

    Row: TypeAlias = NDArray[np.float32]

PRIOR_CUES = ("percussive", "onset", "tonal", "sustained", "struck", "noisy")
"""The cues in the network's input: those that the newest spectrum alone does not show."""

PRIOR_LOGITS = 2 * MASKED
"""Prior logits per mask bin: each stem but ``other`` against ``other``, for mid, then for side."""

LOGIT_SCALE = 0.25
"""Scale of the prior logits, in nepers, at the network's input, where everything else is about 1."""

PRIOR_CHANNELS = PRIOR_LOGITS + len(PRIOR_CUES)
"""Prior channels per mask bin: the logits, in nepers, and the cues."""

CUE_ROWS = tuple(CUES.index(name) for name in PRIOR_CUES)
MAX_LOGIT = 8.0
MIN_SHARE = 1e-5


class PriorPlan(NamedTuple):
    """Constants of a stream: the cue layout, mask weights and the spans of mask bins."""

    config: BandsConfig
    weights: NDArray[np.float32]
    spans: NDArray[np.int64]


def plan_prior(size: NetworkConfig, sample_rate: int) -> PriorPlan:
    """Return the constants of a network's streams.

    Args:
        size: the network's configuration.
        sample_rate: frames per second.
    """
    return PriorPlan(
        make_config(sample_rate, size.window, size.hop),
        spread_weights(sample_rate, size.window),
        plan_band_layout(size, sample_rate).spans,
    )


class Workspace(NamedTuple):
    """Temporary buffers of one thread."""

    cues: NDArray[np.float32]
    masks: NDArray[np.float32]


class BandPrior:
    """Computes the prior of a stream, whose state is passed in.

    Args:
        size: the network's configuration.
        sample_rate: frames per second.
    """

    def __init__(self, size: NetworkConfig, sample_rate: int = RATE) -> None:
        self._plan = plan_prior(size, sample_rate)
        self.points = len(self._plan.spans)
        self._state_shape = size.bins, median_hops(size.window, size.hop)

    def initial_state(self) -> BandsState:
        """Return the state before the first hop."""
        return initial_bands_state(*self._state_shape)

    def workspace(self) -> Workspace:
        """Return buffers for `compute`."""
        bins = self._plan.weights.shape[-1]
        return Workspace(np.zeros((len(CUES), bins), np.float32), np.zeros((2, MASKED, bins), np.float32))

    def compute(self, spectra: NDArray[np.complex64], state: BandsState, prior: Block, workspace: Workspace) -> None:
        """Write the prior of the next hops, and update ``state``.

        Shape:
            spectra: complex64 ``(hops, 2, bins)``, mid and side
            prior: ``(hops, PRIOR_CHANNELS, points)``
        """
        plan, (cues, masks) = self._plan, workspace
        for (mid, side), row in zip(spectra, prior, strict=True):
            measure_cues(mid, side, plan.config, state, cues)
            find_masks(cues, plan.weights, masks)
            _write_prior(masks, cues, state.powers, plan.spans, row)


@njit_cached
def _write_prior(
    masks: NDArray[np.float32],
    cues: NDArray[np.float32],
    powers: NDArray[np.float64],
    spans: NDArray[np.int64],
    prior: Block,
) -> None:
    _blend_sides(masks, powers)
    for plane in range(2):
        logits = prior[plane * MASKED : (plane + 1) * MASKED]
        _pool_shares(masks[plane], powers[plane], spans, logits)
        _to_logits(logits[0], logits[1], logits[2])
    _pool_cues(cues, spans, prior[PRIOR_LOGITS:])


@njit_fastmath
def _blend_sides(masks: NDArray[np.float32], powers: NDArray[np.float64]) -> None:
    """Blend the side's masks towards the mid's the closer a bin is to one channel, as `bands` does."""
    for k in range(masks.shape[2]):
        place = np.float32(2 * powers[2, k] / (powers[0, k] + powers[1, k]))
        for stem in range(masks.shape[1]):
            masks[1, stem, k] += place * place * (masks[0, stem, k] - masks[1, stem, k])


@njit_always_inline
def _pool_shares(
    masks: NDArray[np.float32], powers: NDArray[np.float64], spans: NDArray[np.int64], shares: Block
) -> None:
    """Write each stem's share of the power of each mask bin; equal shares where there are no bins."""
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


@njit_fastmath
def _to_logits(first: Row, second: Row, third: Row) -> None:
    """Convert each share to nepers against the remainder."""
    for point in range(len(first)):
        rest = logarithm(max(1.0 - first[point] - second[point] - third[point], MIN_SHARE))
        first[point] = _clip(logarithm(max(first[point], MIN_SHARE)) - rest)
        second[point] = _clip(logarithm(max(second[point], MIN_SHARE)) - rest)
        third[point] = _clip(logarithm(max(third[point], MIN_SHARE)) - rest)


@njit_always_inline
def _clip(nepers: float) -> float:
    return min(max(nepers, -MAX_LOGIT), MAX_LOGIT)


@njit_always_inline
def _pool_cues(cues: NDArray[np.float32], spans: NDArray[np.int64], means: Block) -> None:
    for row in range(len(CUE_ROWS)):
        cue = cues[CUE_ROWS[row]]
        for point in range(len(spans)):
            total = 0.0
            for k in range(spans[point, 0], spans[point, 1]):
                total += cue[k]
            means[row, point] = total / max(spans[point, 1] - spans[point, 0], 1)
