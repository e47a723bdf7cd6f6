"""`BandPrior` in torch: the prior of many mixes and hops at once, on the device of a training.

Sums and averages are float64, as in the compiled one; `torch_features` says what for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from stream_sep.separators.bands.cues import CUES, RANGE
from stream_sep.separators.bands.masks import MAX_SCORE
from stream_sep.separators.bands.medians import BESIDE
from stream_sep.separators.bands.separator import median_hops
from stream_sep.separators.bands.state import TINY
from stream_sep.separators.causal.band_layout import RATE
from stream_sep.separators.causal.band_prior import CUE_ROWS, MAX_LOGIT, MIN_SHARE, plan_prior
from stream_sep.separators.causal.masks import MASKED
from stream_sep.training.torch_features import keep_constants, pooling_matrix, power, prefix_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.separators.causal.config import NetworkConfig

_CHUNK_HOPS = 16  # at a time: the medians take an array of 17 or more for each


class _State(NamedTuple):
    """State of a batch of streams, float64; see `BandsState`."""

    powers: Tensor  # (batch, 3, bins)
    slow: Tensor  # (batch, bins)
    long: Tensor  # (batch, bins)
    past: Tensor  # (batch, hops, bins), the oldest first
    totals: Tensor  # (batch, 5)
    struck: Tensor  # (batch, bins + 2)


class TorchPrior(nn.Module):
    """Computes the prior of a batch of streams, whose state is passed in.

    Args:
        size: the network's configuration.
        sample_rate: frames per second.
    """

    pool: Tensor
    widths: Tensor
    weights: Tensor
    low: Tensor
    high: Tensor
    share: Tensor

    def __init__(self, size: NetworkConfig, sample_rate: int = RATE) -> None:
        super().__init__()
        plan = plan_prior(size, sample_rate)
        self._layout = layout = plan.config
        self._bins, self._past_hops = size.bins, median_hops(size.window, size.hop)
        pool = pooling_matrix(plan.spans, size.bins)
        keep_constants(
            self, pool=pool, widths=np.maximum(pool.sum(axis=0), 1), weights=plan.weights.astype(np.float64)
        )
        keep_constants(self, low=layout.low, high=layout.high, share=layout.share)

    def initial_state(self, batch: int) -> Tensor:
        """Return the state after silence, float64 ``(batch, numbers)``."""
        bins, silence = self._bins, math.log(TINY)
        tiny, quiet = 3 * bins, (2 + self._past_hops) * bins
        parts = ((tiny, TINY), (quiet, silence), (5, TINY), (bins + 2, 0.0))
        row = torch.cat([torch.full((count,), value, dtype=torch.float64) for count, value in parts])
        return row.to(self.pool.device).expand(batch, -1)

    def forward(self, spectra: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the prior of the next hops, and the next state.

        Shape:
            spectra: complex64 ``(batch, hops, 2, bins)``, mid and side
            state: float64 ``(batch, numbers)``
            prior: float32 ``(batch, hops, PRIOR_CHANNELS, points)``
        """
        before, computed = self._unflatten(state), []
        for chunk in torch.split(spectra, _CHUNK_HOPS, dim=1):
            cues, powers, before = self._measure(chunk.to(torch.complex128), before)
            computed.append(self._pool(self._masks(cues, powers), cues, powers))
        return torch.cat(computed, dim=1), torch.cat([part.flatten(1) for part in before], dim=1)

    def _unflatten(self, state: Tensor) -> _State:
        bins = self._bins
        sizes = [3 * bins, bins, bins, self._past_hops * bins, 5, bins + 2]
        powers, slow, long, past, totals, struck = torch.split(state, sizes, dim=1)
        return _State(
            powers.reshape(-1, 3, bins), slow, long, past.reshape(-1, self._past_hops, bins), totals, struck
        )

    # cues, as `measure_cues` has them

    def _measure(self, spectra: Tensor, state: _State) -> tuple[Tensor, Tensor, _State]:
        """Return cues, float32 ``(batch, hops, cues, bins)``, averaged powers and the next state."""
        mid, side = spectra[:, :, 0], spectra[:, :, 1]
        products = torch.stack([power(mid), power(side), (mid * side.conj()).real], dim=2)
        totals = self._follow_totals(products, state.totals)
        tiny = torch.tensor([TINY, TINY, TINY * 1e-6], dtype=torch.float64, device=products.device)[:, None]
        powers = _follow(products + tiny, self._layout.short, state.powers)
        floor = (totals[:, :, 3].log() - RANGE)[..., None]
        levels = torch.maximum((products[:, :, 0] + products[:, :, 1] + TINY).log(), floor)
        cues = torch.zeros(*levels.shape[:2], len(CUES), self._bins, dtype=torch.float32, device=levels.device)
        self._place(powers, totals, cues)
        slow, long, struck = self._find_onsets(levels, floor, state, cues)
        past = self._compare_medians(levels.float(), state.past.float(), cues)
        self._compare_bands(levels, totals, cues)
        after = _State(powers[:, -1], slow, long, past.double(), totals[:, -1], struck)
        return cues, powers, after

    def _follow_totals(self, products: Tensor, before: Tensor) -> Tensor:
        numbers = torch.arange(self._bins, dtype=torch.float64, device=products.device)
        tiny = torch.tensor([TINY, TINY * 1e-6, TINY * 1e-6], dtype=torch.float64, device=products.device)
        energy = products[:, :, :2].sum(dim=(2, 3)) + TINY
        averaged = torch.cat([products @ numbers + tiny, energy[..., None]], dim=2)
        averages = _follow(averaged, self._layout.long, before[:, [0, 1, 2, 4]])
        loudest = _scan(lambda last, now: torch.maximum(last * self._layout.fall, now), energy, before[:, 3])
        return torch.cat([averages[:, :, :3], loudest[..., None], averages[:, :, 3:]], dim=2)

    @staticmethod
    def _place(powers: Tensor, totals: Tensor, cues: Tensor) -> None:
        mid, side, both = powers.unbind(dim=2)
        long_mid, long_side, long_both = totals[:, :, 0], totals[:, :, 1], totals[:, :, 2]
        spread = 4 * (long_mid * long_side - long_both.square()).clamp(min=0) / (long_mid + long_side).square()
        width = (spread / (spread + 0.01))[..., None]
        ratio = (mid / side).log()
        place = width * 2 * both.abs() / (mid + side)
        cues[:, :, 0], cues[:, :, 1] = 1.0, 1.0 - width
        cues[:, :, 2] = width * ratio.clamp(-3.0, 3.0) / 3
        cues[:, :, 3] = width * (ratio - 2.0).clamp(0.0, 5.0) / 5
        cues[:, :, 4], cues[:, :, 16] = place, (place - 0.8).clamp(min=0.0) * 5

    def _find_onsets(
        self, levels: Tensor, floor: Tensor, state: _State, cues: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        layout = self._layout
        slow_before, slow = _follow_above(levels, floor, layout.slow, state.slow)
        _, long = _follow_above(levels, floor, layout.long, state.long)
        sums = prefix_sums((levels - slow_before).clamp(-4.0, 4.0))
        low = sums[..., layout.kick, None] / layout.kick
        high = (sums[..., layout.top, None] - sums[..., layout.hiss, None]) / max(layout.top - layout.hiss, 1)
        onsets = torch.cat([self._average(sums), low, high], dim=-1) / 2
        struck = _scan(lambda last, now: torch.maximum(last * layout.ring, now).clamp(min=1e-9), onsets, state.struck)
        bins = self._bins
        cues[:, :, 6], cues[:, :, 7], cues[:, :, 8] = onsets[..., :bins], onsets[..., -2, None], onsets[..., -1:]
        cues[:, :, 12], cues[:, :, 13], cues[:, :, 14] = struck[..., :bins], struck[..., -2, None], struck[..., -1:]
        cues[:, :, 10] = (slow - long).clamp(-4.0, 4.0) * 0.5
        return slow[:, -1], long[:, -1], struck[:, -1]

    def _compare_medians(self, levels: Tensor, past: Tensor, cues: Tensor) -> Tensor:
        """Write the percussive cue, and return the last hops."""
        known = torch.cat([past[:, 1:], levels], dim=1)
        before = known.unfold(1, self._past_hops, 1).sort(dim=-1).values[..., self._past_hops // 2]
        padded = nn.functional.pad(levels, (BESIDE, BESIDE), mode="replicate")
        beside = padded.unfold(-1, 2 * BESIDE + 1, 1).median(dim=-1).values
        cues[:, :, 5] = (beside - before).clamp(-4.0, 4.0) * 0.25
        return known[:, -self._past_hops :]

    def _compare_bands(self, levels: Tensor, totals: Tensor, cues: Tensor) -> None:
        band = self._average(prefix_sums(levels))
        cues[:, :, 9] = (levels - band).clamp(-4.0, 4.0) * 0.25
        cues[:, :, 11] = (band - (totals[:, :, 4, None].log() - 8.0)).clamp(-12.0, 12.0) * 0.25
        cues[:, :, 15] = 1 - 4 * self._average(prefix_sums(cues[:, :, 9].double().abs()))

    def _average(self, sums: Tensor) -> Tensor:
        return (sums[..., self.high] - sums[..., self.low]) * self.share

    # masks, as `find_masks` and `BandPrior` have them

    def _masks(self, cues: Tensor, powers: Tensor) -> Tensor:
        """Return the masks of `bands`, ``(batch, hops, 2, 3, bins)``, the side's blended towards the mid's."""
        scores = torch.einsum("pcsk,btck->btpsk", self.weights, cues.double()).clamp(max=float(MAX_SCORE))
        likely = torch.softmax(nn.functional.pad(scores, (0, 0, 0, 1)), dim=3)[:, :, :, :MASKED].float()
        mid, side = likely.unbind(dim=2)
        place = (2 * powers[:, :, 2] / (powers[:, :, 0] + powers[:, :, 1])).float()[:, :, None]
        return torch.stack([mid, side + place.square() * (mid - side)], dim=2)

    def _pool(self, masks: Tensor, cues: Tensor, powers: Tensor) -> Tensor:
        weights = powers[:, :, :2, None]
        whole = weights @ self.pool
        shares = torch.where(whole > 0, ((weights * masks) @ self.pool) / whole, 1 / (MASKED + 1))
        rest = (1 - shares.sum(dim=3, keepdim=True)).clamp(min=MIN_SHARE).log()
        logits = (shares.clamp(min=MIN_SHARE).log() - rest).clamp(-MAX_LOGIT, MAX_LOGIT)
        means = (cues[:, :, list(CUE_ROWS)].double() @ self.pool) / self.widths
        return torch.cat([logits.flatten(2, 3), means], dim=2).float()


def _scan(step: Callable[[Tensor, Tensor], Tensor], rows: Tensor, last: Tensor) -> Tensor:
    """Return what ``step(last, row)`` gives hop by hop, ``(batch, hops, ...)``."""
    results = []
    for row in rows.unbind(dim=1):
        last = step(last, row)
        results.append(last)
    return torch.stack(results, dim=1)


def _follow(rows: Tensor, share: float, average: Tensor) -> Tensor:
    return _scan(lambda last, now: last + share * (now - last), rows, average)


def _follow_above(rows: Tensor, floor: Tensor, share: float, average: Tensor) -> tuple[Tensor, Tensor]:
    """Return the average before and after each hop, ``(batch, hops, bins)`` each, never below its floor before it."""
    before, after = [], []
    for row, least in zip(rows.unbind(dim=1), floor.unbind(dim=1), strict=True):
        before.append(torch.maximum(average, least))
        average = before[-1] + share * (row - before[-1])
        after.append(average)
    return torch.stack(before, dim=1), torch.stack(after, dim=1)
