"""`FeatureExtractor` in torch: the features of many mixes and hops at once, on the device of a training.

On a CPU the compiled one is faster. A GPU would wait for it: a hop costs a core 0.2 ms, and a batch has up to 28,000.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from stream_sep.separators.causal import harmonics
from stream_sep.separators.causal.band_layout import RATE, plan_band_layout
from stream_sep.separators.causal.features import (
    HALF_BELS,
    LEVEL_FLOOR,
    LEVEL_SECONDS,
    MAX_STEP,
    TINY_POWER,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.separators.causal.config import NetworkConfig

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
        plan = plan_band_layout(size, sample_rate)
        turns = np.arange(size.bins) * size.hop % size.window / size.window
        self._bins = size.bins
        self._decay = math.exp(-size.hop / sample_rate / LEVEL_SECONDS)
        self._salience = _Salience(sample_rate, size, plan.spans)
        for name, value in (
            ("pool", pooling_matrix(plan.spans, size.bins)),
            ("widths", torch.from_numpy(plan.widths).double()),
            ("phase_advance", torch.from_numpy(np.exp(-2j * np.pi * turns))),
        ):
            self.register_buffer(name, value, persistent=False)

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

    def __init__(self, sample_rate: int, size: NetworkConfig, spans: NDArray[np.int64]) -> None:
        super().__init__()
        plan = harmonics.plan_harmonics(sample_rate, size.window)
        self._high, self._known = plan.high, plan.top + 2
        reach = torch.from_numpy(harmonics.reached_bins(plan, size.bins))
        members, is_member = _members(spans)
        # A mask bin has the best salience of its bins, so it is reached by every pitch that reaches one of them.
        reached = (reach[:, members] & is_member).any(dim=-1)
        for name, value in (
            ("scores", torch.from_numpy(harmonics.score_weights(plan))),
            ("reach", reached),
        ):
            self.register_buffer(name, value, persistent=False)

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
        sums = nn.functional.pad(torch.cumsum(logs, dim=-1), (1, 0))
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


def pooling_matrix(spans: NDArray[np.int64], bins: int) -> Tensor:
    """Return the matrix that adds up FFT bins into mask bins, float64 ``(bins, points)``.

    Args:
        spans: first bin of each mask bin, and the one after its last, ``(points, 2)``.
        bins: FFT bins.
    """
    at = np.arange(bins)[:, None]
    return torch.from_numpy(((spans[:, 0] <= at) & (at < spans[:, 1])).astype(np.float64))


def _members(spans: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Return the bins of each mask bin, ``(points, most)``, and which of them are its own."""
    widths = spans[:, 1] - spans[:, 0]
    at = spans[:, :1] + np.arange(max(widths.max(), 1))
    inside = at < spans[:, 1:]
    return torch.from_numpy(np.where(inside, at, 0)), torch.from_numpy(inside)
