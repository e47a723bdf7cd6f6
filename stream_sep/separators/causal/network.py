"""The causal network: features and hints in, corrections of masks out, one hop at a time or a whole song at once.

It sees `features` of the spectrum, and beside them what `bands` makes of it (`hints`). Bins are grouped into points,
points into bands. Bands share the weights of everything that has a memory: a GRU, whose state stays within -1 and 1
however long the music plays (an LSTM's grows: Li et al. 2026), and bands tell each other what they see once a layer.

What comes out are corrections, in the middle and at the sides, of the masks that `bands` guesses for vocals, drums
and bass; `masks` says how. What the three leave over is the fourth stem.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn

from stream_sep.separators.causal.band_layout import plan_points
from stream_sep.separators.causal.band_prior import GUESS_SCALE, GUESSES, HINTS
from stream_sep.separators.causal.features import FEATURES
from stream_sep.separators.causal.masks import CORRECTIONS

if TYPE_CHECKING:
    from stream_sep.separators.causal.config import NetworkSize

State: TypeAlias = tuple[Tensor, ...]
"""The memory of each block, ``(1, batch * bands, width)``."""

_GIVEN = FEATURES + HINTS


class CausalNetwork(nn.Module):
    """Maps spectra of mid and side to corrections, with all its memory in a state that is passed in and out.

    Args:
        size: how large it is.
    """

    def __init__(self, size: NetworkSize) -> None:
        super().__init__()
        self.size = size
        self.plan = plan_points(size)
        bands, width = self.plan.bands, size.width
        self.encoder = nn.Parameter(_random(bands, size.points * _GIVEN, width))
        self.place = nn.Parameter(0.1 * torch.randn(bands, width))
        self.blocks = nn.ModuleList(_Block(size, bands) for _ in range(size.blocks))
        self.norm = nn.LayerNorm(width)
        self.hidden = nn.Linear(width, width // 2)  # half, as the decoder's weights are the most, and memory is slow
        self.decoder = nn.Parameter(_random(bands, width // 2, size.points * 2 * CORRECTIONS) / 4)

    def fresh_state(self, batch: int = 1) -> State:
        """Return the state before the first frame."""
        shape = (1, batch * self.plan.bands, self.size.width)
        return tuple(torch.zeros(shape, device=self.place.device) for _ in range(self.size.blocks))

    def forward(self, features: Tensor, hints: Tensor, state: State) -> tuple[Tensor, State]:
        """Return corrections of the masks of some hops, and the state to go on with.

        Shape:
            features: ``(batch, hops, FEATURES, points)``: of `FeatureMeter`, for the newest hops
            hints: ``(batch, hops, HINTS, points)``: of `HintMeter`, for the hops whose masks are corrected
            corrections: ``(batch, hops, 2, CORRECTIONS, points)``: of mid and of side
        """
        (x,) = self.part(0, features, hints)
        after = []
        for number, memory in enumerate(state, start=1):
            x, kept = self.part(number, x, memory)
            after.append(kept)
        return x, tuple(after)

    def part(self, number: int, *given: Tensor) -> tuple[Tensor, ...]:
        """Compute one of the ``blocks + 1`` parts of a step, which follow each other, with pauses if need be.

        Part 0 makes ``x`` of features and hints; each of the others makes ``x`` and its block's memory of ``x`` and
        that memory. The last one's ``x`` are the corrections.
        """
        if number == 0:
            return (self._encode(*given),)
        x, memory = self.blocks[number - 1](*given)
        return (self._decode(x) if number == self.size.blocks else x), memory

    def _encode(self, features: Tensor, hints: Tensor) -> Tensor:
        """Return what each band sees, ``(batch, hops, bands, width)``."""
        given = torch.cat([features, GUESS_SCALE * hints[:, :, :GUESSES], hints[:, :, GUESSES:]], dim=2)
        batch, hops, bands = *given.shape[:2], self.plan.bands
        parted = given.reshape(batch, hops, _GIVEN, bands, self.size.points).transpose(2, 3)
        return _per_band(parted.reshape(batch, hops, bands, _GIVEN * self.size.points), self.encoder) + self.place

    def _decode(self, x: Tensor) -> Tensor:
        x = _per_band(nn.functional.gelu(self.hidden(self.norm(x))), self.decoder)
        batch, hops = x.shape[:2]
        x = x.reshape(batch, hops, self.plan.bands, 2 * CORRECTIONS, self.size.points)
        return x.transpose(2, 3).reshape(batch, hops, 2, CORRECTIONS, self.plan.points)


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


def _random(bands: int, inputs: int, outputs: int) -> Tensor:
    weights: Tensor = torch.randn(bands, inputs, outputs) / inputs**0.5
    return weights
