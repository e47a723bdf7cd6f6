"""The causal network: spectra in, corrections of masks out, one hop at a time or a whole song at once.

What it sees of a bin is only what a mask can depend on: how loud it is against the last second, in the middle and at
the sides, on which side and with which phase between the channels, and how its phase moves in time and from bin to
bin. None of it changes with the level or the absolute phase of the mix, which so need not be learnt. Bins are
grouped into points, points into bands. Bands share the weights of everything that has a memory: a GRU, whose state
stays within -1 and 1 however long the music plays (an LSTM's grows: Li et al. 2026), and bands tell each other what
they see once a layer. Beside the spectrum stands what `bands` makes of it (`hints`).

What comes out are corrections, in the middle and at the sides, of the masks that `bands` guesses for vocals, drums
and bass; `masks` says how. What the three leave over is the fourth stem.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from stream_sep.models.hints import GUESSES, HINTS
from stream_sep.models.masks import CORRECTIONS
from stream_sep.models.points import plan_points

if TYPE_CHECKING:
    from stream_sep.models.size import NetworkSize

State: TypeAlias = tuple[Tensor, ...]
"""``level (batch, 2)``, ``spectrum (batch, 2, bins)``, and of each block ``memory (1, batch * bands, width)``."""

_SEEN = 8
_FEATURES = _SEEN + HINTS
_GUESS_SCALE = 0.25  # guesses are in nepers, all other features about 1
_MEMORY_SECONDS, _RATE = 1.0, 44100
_STRETCH = 512  # hops whose mean power is computed at once: a matrix of all of a song's would be large
_TINY = 1e-20
_FLOOR = 1e-8  # of the power, against the last second's mean: what is below is inaudible beside it


class CausalNetwork(nn.Module):
    """Maps spectra of mid and side to corrections, with all its memory in a state that is passed in and out.

    Args:
        size: how large it is.
    """

    turn: Tensor
    decay: Tensor

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.size = size
        self.plan = plan_points(size)
        bands, width = self.plan.bands, size.width
        self.encoder = nn.Parameter(_random(bands, size.points * _FEATURES, width))
        self.place = nn.Parameter(0.1 * torch.randn(bands, width))
        self.blocks = nn.ModuleList(_Block(size, bands) for _ in range(size.blocks))
        self.norm = nn.LayerNorm(width)
        self.hidden = nn.Linear(width, width // 2)  # half, as the decoder's weights are the most, and memory is slow
        self.decoder = nn.Parameter(_random(bands, width // 2, size.points * 2 * CORRECTIONS) / 4)
        self.register_buffer("turn", _phase_of_a_hop(size), persistent=False)
        self.register_buffer(
            "decay",
            torch.tensor(math.exp(-size.hop / _RATE / _MEMORY_SECONDS), dtype=torch.float32),
            persistent=False,
        )

    def fresh_state(self, batch: int = 1) -> State:
        """Return the state before the first frame."""
        memory = (1, batch * self.plan.bands, self.size.width)
        shapes = [(batch, 2), (batch, 2, self.size.bins), *[memory] * self.size.blocks]
        return tuple(torch.zeros(shape, device=self.place.device, dtype=torch.float32) for shape in shapes)

    def forward(self, spectra: Tensor, hints: Tensor, state: State) -> tuple[Tensor, State]:
        """Return corrections of the masks of some hops, and the state to go on with.

        Shape:
            spectra: ``(batch, hops, 4, bins)``: real and imaginary part of mid, then of side
            hints: ``(batch, hops, HINTS, points)``: of `HintMeter`, for the hops whose masks are corrected
            corrections: ``(batch, hops, 2, CORRECTIONS, points)``: of mid and of side
        """
        x, *after = self.part(0, spectra, hints, *state[:2])
        for number, memory in enumerate(state[2:], start=1):
            x, kept = self.part(number, x, memory)
            after.append(kept)
        return x, tuple(after)

    def part(self, number: int, *given: Tensor) -> tuple[Tensor, ...]:
        """Compute one of the ``blocks + 1`` parts of a step, which follow each other, with pauses if need be.

        Part 0 makes ``x``, level and spectrum of spectra, hints, level and spectrum; each of the others makes ``x``
        and its block's memory of ``x`` and that memory. The last one's ``x`` are the corrections.
        """
        if number == 0:
            return self._encode(*given)
        x, memory = self.blocks[number - 1](*given)
        return (self._decode(x) if number == self.size.blocks else x), memory

    def _encode(self, spectra: Tensor, hints: Tensor, level: Tensor, before: Tensor) -> tuple[Tensor, ...]:
        """Return what each band sees, ``(batch, hops, bands, width)``, and level and spectrum to go on with."""
        seen, level = self._look(spectra, level, before)
        features = torch.cat([seen, _GUESS_SCALE * hints[:, :, :GUESSES], hints[:, :, GUESSES:]], dim=2)
        return _per_band(self._by_band(features), self.encoder) + self.place, level, spectra[:, -1, :2]

    def _decode(self, x: Tensor) -> Tensor:
        x = _per_band(nn.functional.gelu(self.hidden(self.norm(x))), self.decoder)
        batch, hops = x.shape[:2]
        x = x.reshape(batch, hops, self.plan.bands, 2 * CORRECTIONS, self.size.points)
        return x.transpose(2, 3).reshape(batch, hops, 2, CORRECTIONS, self.plan.points)

    def _look(self, spectra: Tensor, level: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is seen of every point, ``(batch, hops, 8, points)``, and the level to go on with."""
        mid, side = spectra[:, :, 0:2], spectra[:, :, 2:4]
        last = torch.cat([before.unsqueeze(1), mid[:, :-1]], dim=1)
        below = torch.cat([torch.zeros_like(mid[..., :1]), mid[..., :-1]], dim=-1)
        real, imaginary = _product(mid, last)
        cosine, sine = self.turn[0], self.turn[1]
        moved = (real * cosine + imaginary * sine, imaginary * cosine - real * sine)
        powers = [part.square().sum(dim=2) for part in (mid, side, last)]
        pooled = self._pool(torch.stack([*powers, *_product(mid, side), *moved, *_product(mid, below)], dim=2))
        middle, sides, past = pooled[:, :, 0:1], pooled[:, :, 1:2], pooled[:, :, 2:3]
        level, loudness = self._loudness((powers[0] + powers[1]).mean(dim=-1), level)
        logs = torch.log10(pooled[:, :, :2] / loudness[..., None, None] + _FLOOR) / 2 + 1
        seen = torch.cat(
            [
                logs,
                2 * pooled[:, :, 3:5] / (middle + sides + _TINY),
                2 * pooled[:, :, 5:7] / (middle + past + _TINY),
                torch.clamp(pooled[:, :, 7:9] / (middle + _TINY), -1.5, 1.5),
            ],
            dim=2,
        )
        return seen, level

    def _by_band(self, points: Tensor) -> Tensor:
        """Return ``(batch, hops, bands, features * points a band)`` of ``(batch, hops, features, points)``."""
        batch, hops = points.shape[0], points.shape[1]
        parted = points.reshape(batch, hops, _FEATURES, self.plan.bands, self.size.points).transpose(2, 3)
        return parted.reshape(batch, hops, self.plan.bands, _FEATURES * self.size.points)

    def _pool(self, bins: Tensor) -> Tensor:
        """Return means over the bins of each point, ``(..., bins)`` to ``(..., points)``."""
        padded = nn.functional.pad(bins, (0, self.plan.padded_bins - self.size.bins))
        parts, start = [], 0
        for wide, points in self.plan.zones:
            part = padded[..., start : start + wide * points]
            parts.append(part if wide == 1 else part.reshape(*part.shape[:-1], points, wide).mean(dim=-1))
            start += wide * points
        return torch.cat(parts, dim=-1)

    def _loudness(self, power: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """Return the state and the mean power of the last second, ``(batch, hops)``, as heard by each hop.

        A running sum and the sum of its weights, so that the first hops of a stream have a true mean as well.
        """
        new = torch.stack([power, torch.ones_like(power)], dim=1)
        parts = []
        for part in torch.split(new, _STRETCH, dim=-1) if new.shape[-1] > 1 else (new,):
            sums = self._running_sums(part, level)
            level = sums[..., -1]
            parts.append(sums)
        sums = torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]
        return level, sums[:, 0] / sums[:, 1] + _TINY

    def _running_sums(self, new: Tensor, level: Tensor) -> Tensor:
        """Return sums that fade with time, ``(batch, 2, hops)``; of many hops by one matrix, as a loop is slow."""
        hops = new.shape[-1]
        if hops == 1:
            one: Tensor = self.decay * level.unsqueeze(-1) + new
            return one
        age = torch.arange(hops, device=new.device)
        weights = torch.tril(self.decay ** (age[:, None] - age[None]).clamp(min=0))
        many: Tensor = level.unsqueeze(-1) * self.decay ** (age + 1) + new @ weights.T
        return many


class _Block(nn.Module):
    """One layer: what each band remembers, what bands tell each other, what each makes of it."""

    def __init__(self, size: NetworkSize, bands: int) -> None:
        super().__init__()
        width = size.width
        self.norms = nn.ModuleList(_BandNorm(bands, width) for _ in range(3))
        self.memory = nn.GRU(width, width, batch_first=True)
        self.recall = nn.Linear(width, width)
        self.gather, self.spread = nn.Linear(bands, size.mixer), nn.Linear(size.mixer, bands)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(batch, hops, bands, width)`` after, and the memory, ``(1, batch * bands, width)``."""
        batch, hops, bands, width = x.shape
        heard = self.norms[0](x)
        heard = heard.transpose(1, 2).reshape(batch * bands, hops, width)
        recalled, memory = self.memory(heard, memory)
        recalled = recalled.reshape(batch, bands, hops, width).transpose(1, 2)
        x = x + self.recall(recalled)
        told = self.norms[1](x).transpose(2, 3)
        x = x + self.spread(nn.functional.gelu(self.gather(told))).transpose(2, 3)
        return x + self.narrow(nn.functional.gelu(self.widen(self.norms[2](x)))), memory


class _BandNorm(nn.Module):
    """Layer norm with gains and offsets of each band's own: the cheap way to tell shared weights where they are."""

    def __init__(self, bands: int, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(bands, width))
        self.offset = nn.Parameter(torch.zeros(bands, width))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(..., bands, width)``."""
        normal: Tensor = nn.functional.layer_norm(x, x.shape[-1:]) * self.gain + self.offset
        return normal


def _per_band(x: Tensor, weights: Tensor) -> Tensor:
    """Return ``(batch, hops, bands, outputs)``: each band by its own ``(inputs, outputs)``, all hops at once."""
    batch, hops, bands, inputs = x.shape
    y = torch.bmm(x.reshape(batch * hops, bands, inputs).transpose(0, 1), weights)
    return y.transpose(0, 1).reshape(batch, hops, bands, weights.shape[-1])


def _product(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Return real and imaginary part of ``one`` times the conjugate of ``other``, ``(batch, hops, 2, bins)`` both."""
    a, b, c, d = one[:, :, 0], one[:, :, 1], other[:, :, 0], other[:, :, 1]
    return a * c + b * d, b * c - a * d


def _phase_of_a_hop(size: NetworkSize) -> Tensor:
    """Return cosine and sine, ``(2, bins)``, of how far the middle of each bin turns within a hop."""
    turns = np.arange(size.bins) * size.hop % size.window / size.window
    return torch.tensor(np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)]), dtype=torch.float32)


def _random(bands: int, inputs: int, outputs: int) -> Tensor:
    weights: Tensor = torch.randn(bands, inputs, outputs) / inputs**0.5
    return weights
