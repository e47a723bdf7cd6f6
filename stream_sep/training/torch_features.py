"""`FeatureExtractor` in torch: the features of many mixes and hops at once, on the device of a training.

On a CPU the compiled one is faster. A GPU would wait for it: a hop costs a core 0.2 ms, and a batch has up to 28,000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from stream_sep.separators.causal import harmonics
from stream_sep.separators.causal.band_layout import RATE
from stream_sep.separators.causal.features import HALF_BELS, LEVEL_FLOOR, MAX_STEP, TINY_POWER, plan_features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.separators.causal.config import NetworkConfig
    from stream_sep.separators.causal.harmonics import HarmonicPlan

_CHUNK_HOPS = 32  # at a time, which bounds the memory


class TorchFeatures(nn.Module):
    """Computes the features of a batch of streams, whose state is passed in.

    Args:
        size: the network's configuration.
        sample_rate: frames per second.
    """

    pool: Tensor
    widths: Tensor
    phase_advance: Tensor

    def __init__(self, size: NetworkConfig, sample_rate: int = RATE) -> None:
        super().__init__()
        plan = plan_features(size, sample_rate)
        self._bins, self._decay = size.bins, plan.decay
        pool = pooling_matrix(plan.spans, size.bins)
        self._salience = _Salience(plan.harmonics, pool)
        keep_constants(self, pool=pool, widths=plan.widths.astype(np.float64), phase_advance=plan.phase_advance)

    def initial_state(self, batch: int) -> Tensor:
        """Return the state before the first hop, float64 ``(batch, numbers)``."""
        return torch.zeros(batch, 2 + 2 * self._bins, dtype=torch.float64, device=self.pool.device)

    def forward(self, spectra: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of the next hops, and the next state.

        Shape:
            spectra: complex64 ``(batch, hops, 2, bins)``, mid and side
            state: float64 ``(batch, numbers)``
            features: float32 ``(batch, hops, FEATURES, points)``
        """
        computed = []
        for chunk in torch.split(spectra, _CHUNK_HOPS, dim=1):
            features, state = self._compute(chunk.to(torch.complex128), state)
            computed.append(features.float())
        return torch.cat(computed, dim=1), state

    def _compute(self, spectra: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        mid, side = spectra[:, :, 0], spectra[:, :, 1]
        loudness, level = self._loudness(mid, side, state[:, :2])
        last = torch.view_as_complex(state[:, 2:].reshape(-1, 1, self._bins, 2))
        before = torch.cat([last, mid[:, :-1]], dim=1)
        features = [
            *self._levels(mid, side, loudness),
            *self._phases(mid, side, before),
            self._salience(power(mid) + power(side), loudness),
        ]
        after = torch.cat([level, torch.view_as_real(mid[:, -1]).flatten(1)], dim=1)
        return torch.cat([each if each.ndim == 4 else each[:, :, None] for each in features], dim=2), after

    def _loudness(self, mid: Tensor, side: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean power of the last second, ``(batch, hops)``, and the state of the average."""
        powers = (power(mid) + power(side)).mean(dim=-1)
        means = []
        for hop in range(powers.shape[1]):
            level = self._decay * level + torch.stack([powers[:, hop], torch.ones_like(powers[:, hop])], dim=1)
            means.append(level[:, 0] / level[:, 1] + TINY_POWER)
        return torch.stack(means, dim=1), level

    def _levels(self, mid: Tensor, side: Tensor, loudness: Tensor) -> list[Tensor]:
        means = [(power(each) @ self.pool) / self.widths for each in (mid, side)]
        return [torch.log(mean / loudness[..., None] + LEVEL_FLOOR) * HALF_BELS + 1.0 for mean in means]

    def _phases(self, mid: Tensor, side: Tensor, before: Tensor) -> list[Tensor]:
        middle, sides, past = (power(each) @ self.pool for each in (mid, side, before))
        tiny = TINY_POWER * self.widths
        across = self._pooled(mid * side.conj()) * (2 / (middle + sides + tiny))
        moved = self._pooled(mid * before.conj() * self.phase_advance) * (2 / (middle + past + tiny))
        steps = nn.functional.pad(torch.view_as_real(mid[..., 1:] * mid[..., :-1].conj()), (0, 0, 1, 0))
        stepped = self._pooled(torch.view_as_complex(steps)) * (1 / (middle + tiny))
        limited = [part.clamp(-MAX_STEP, MAX_STEP) for part in (stepped.real, stepped.imag)]
        return [across.real, across.imag, moved.real, moved.imag, *limited]

    def _pooled(self, numbers: Tensor) -> Tensor:
        return torch.complex(numbers.real @ self.pool, numbers.imag @ self.pool)


class _Salience(nn.Module):
    """The channels of `harmonics`, pooled into mask bins."""

    scores: Tensor
    reach: Tensor

    def __init__(self, plan: HarmonicPlan, pool: NDArray[np.float64]) -> None:
        super().__init__()
        self._high, self._known = plan.high, plan.top + 2
        # A mask bin has the best salience of its bins, so it is reached by every pitch that reaches one of them.
        reach = harmonics.reached_bins(plan, len(pool)) @ pool > 0
        keep_constants(self, scores=harmonics.score_weights(plan), reach=reach)

    def forward(self, powers: Tensor, loudness: Tensor) -> Tensor:
        """Return the salience of each mask bin, ``(batch, hops, HARMONICS, points)``."""
        weights = (self._peaks(powers, loudness) @ self.scores).clamp(min=0.0)
        low, high = weights[..., : self._high], weights[..., self._high :]
        best, which = high.max(dim=-1, keepdim=True)
        channels = [self._spread(low, self.reach[: self._high]), self._spread(high, self.reach[self._high :])]
        return torch.stack([*channels, best * self.reach[self._high :][which[..., 0]]], dim=2)

    def _peaks(self, powers: Tensor, loudness: Tensor) -> Tensor:
        around = harmonics.AROUND
        logs = torch.log(powers[..., : self._known + around] + (harmonics.FLOOR * loudness)[..., None])
        sums = prefix_sums(logs)
        bins = torch.arange(self._known, device=powers.device)
        low, high = (bins - around).clamp(min=0), bins + around + 1
        means = (sums[..., high] - sums[..., low]) / (high - low)
        return (logs[..., : self._known] - means).clamp(-harmonics.MAX_PEAK, harmonics.MAX_PEAK)

    @staticmethod
    def _spread(weights: Tensor, reach: Tensor) -> Tensor:
        """Return the best weight of the pitches that reach each mask bin."""
        best = torch.zeros(*weights.shape[:-1], reach.shape[1], dtype=weights.dtype, device=weights.device)
        for pitch in range(len(reach)):  # all at once would take the memory of every pitch
            torch.maximum(best, weights[..., pitch, None] * reach[pitch], out=best)
        return best


def power(spectrum: Tensor) -> Tensor:
    """Return the squared magnitudes of complex numbers."""
    return spectrum.real.square() + spectrum.imag.square()


def prefix_sums(rows: Tensor) -> Tensor:
    """Return the sums of what stands before each number of the last axis, and of all: one more than there are."""
    return nn.functional.pad(torch.cumsum(rows, dim=-1), (1, 0))


def keep_constants(module: nn.Module, **arrays: NDArray[Any]) -> None:
    """Register arrays as buffers, which move with a module to its device and are not part of its weights.

    Args:
        module: the module.
        arrays: by the names of the buffers.
    """
    for name, array in arrays.items():
        module.register_buffer(name, torch.from_numpy(array), persistent=False)


def pooling_matrix(spans: NDArray[np.int64], bins: int) -> NDArray[np.float64]:
    """Return the matrix that adds up FFT bins into mask bins, float64 ``(bins, points)``.

    Args:
        spans: first bin of each mask bin, and the one after its last, ``(points, 2)``.
        bins: FFT bins.
    """
    at = np.arange(bins)[:, None]
    return np.asarray((spans[:, 0] <= at) & (at < spans[:, 1]), np.float64)
