"""The causal network in PyTorch: features and prior in, mask logits out, one hop at a time or a whole song at once.

Inputs are spectral `features` and the prior of `bands` (`band_prior`). FFT bins are grouped into mask bins, and
those into bands. Bands share the weights of the recurrent part: a GRU, whose state stays within -1 and 1 however
long the stream (an LSTM's grows: Li et al. 2026). Once per block a small layer mixes information across bands.

With ``conv_channels``, a few convolutions over hops and mask bins (`convolutions`) add to what the encoder gets and
to the outputs: weights per band do not carry over from one band to the next, theirs do.

Outputs correct the masks of `bands` for vocals, drums and bass, for mid and side; see `masks`. The fourth stem is the
residual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn

from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.band_prior import LOGIT_SCALE, PRIOR_CHANNELS, PRIOR_LOGITS
from stream_sep.separators.causal.config import states_by_stage
from stream_sep.separators.causal.convolutions import CausalConvolutions
from stream_sep.separators.causal.features import FEATURES
from stream_sep.separators.causal.masks import OUTPUT_CHANNELS
from stream_sep.separators.per_band import linear_per_band, random_weights

if TYPE_CHECKING:
    from stream_sep.separators.causal.config import NetworkConfig

State: TypeAlias = tuple[Tensor, ...]
"""The states of the stages, in order: of the convolutions before the encoder, if there are any, the GRU state of each
block, ``(1, batch * bands, width)``, and the state of the convolutions after the decoder."""

_INPUTS = FEATURES + PRIOR_CHANNELS
_OUTPUTS = 2 * OUTPUT_CHANNELS


class CausalNetwork(nn.Module):
    """Maps features and prior to mask logits, with all state passed in and out.

    Args:
        size: its configuration.
    """

    def __init__(self, size: NetworkConfig) -> None:
        super().__init__()
        self.size = size
        self.plan = plan_band_layout(size)
        bands, width, channels = self.plan.bands, size.width, size.conv_channels
        self.encoder = nn.Parameter(random_weights(bands, size.points * (_INPUTS + channels), width))
        self.place = nn.Parameter(0.1 * torch.randn(bands, width))
        self.blocks = nn.ModuleList(_Block(size, bands) for _ in range(size.blocks))
        self.norm = nn.LayerNorm(width)
        self.hidden = nn.Linear(width, width // 2)  # half, as most weights are the decoder's, and memory is slow
        self.decoder = nn.Parameter(random_weights(bands, width // 2, size.points * _OUTPUTS) / 4)
        if channels:
            self.conv_in = CausalConvolutions(_INPUTS, channels, self.plan.points)
            self.conv_out = CausalConvolutions(_OUTPUTS, channels, self.plan.points, _OUTPUTS)

    def initial_state(self, batch: int = 1) -> State:
        """Return the state before the first hop."""
        shape = (1, batch * self.plan.bands, self.size.width)
        blocks = [torch.zeros(shape, device=self.place.device) for _ in range(self.size.blocks)]
        if not self.size.conv_channels:
            return tuple(blocks)
        return self.conv_in.initial_state(batch), *blocks, self.conv_out.initial_state(batch)

    def forward(self, features: Tensor, prior: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the outputs of some hops, and the next state.

        Shape:
            features: ``(batch, hops, FEATURES, points)``: of `FeatureExtractor`, for the newest hops
            prior: ``(batch, hops, PRIOR_CHANNELS, points)``: of `BandPrior`, for the hops whose masks are corrected
            corrections: ``(batch, hops, 2, OUTPUT_CHANNELS, points)``: of mid and of side
        """
        inputs: tuple[Tensor, ...] = features, prior
        after: list[Tensor] = []
        for number, parts in enumerate(states_by_stage(self.size, state)):
            x, *kept = self.run_stage(number, *inputs, *parts)
            inputs = (x,)
            after.extend(kept)
        return x, tuple(after)

    def run_stage(self, number: int, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run one of the ``blocks + 1`` stages of a step, which run in order, with pauses if need be.

        Stage 0 computes ``x`` from features and prior; each of the others computes ``x`` and its block's state from
        ``x`` and that state. The ``x`` of the last are the outputs. With convolutions, the first and the last stage
        have the state of theirs as their last input, and as their last output.
        """
        if number == 0:
            return self._encode(*inputs)
        x, memory = self.blocks[number - 1](*inputs[:2])
        return self._decode(x, memory, *inputs[2:]) if number == self.size.blocks else (x, memory)

    def _encode(self, features: Tensor, prior: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return the embedding of each band, ``(batch, hops, bands, width)``, and the convolutions' state."""
        inputs = torch.cat([features, LOGIT_SCALE * prior[:, :, :PRIOR_LOGITS], prior[:, :, PRIOR_LOGITS:]], dim=2)
        if state:
            local, *state = self.conv_in(inputs, *state)
            inputs = torch.cat([inputs, local], dim=2)
        batch, hops, bands = *inputs.shape[:2], self.plan.bands
        parted = inputs.reshape(batch, hops, -1, bands, self.size.points).transpose(2, 3)
        return linear_per_band(parted.reshape(batch, hops, bands, -1), self.encoder) + self.place, *state

    def _decode(self, x: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs, and the states: of the block, and of the convolutions."""
        x = linear_per_band(nn.functional.gelu(self.hidden(self.norm(x))), self.decoder)
        batch, hops = x.shape[:2]
        x = x.reshape(batch, hops, self.plan.bands, _OUTPUTS, self.size.points)
        x = x.transpose(2, 3).reshape(batch, hops, _OUTPUTS, self.plan.points)
        if self.size.conv_channels:
            local, after = self.conv_out(x, state[1])
            x, state = x + local, (state[0], after)
        return x.reshape(batch, hops, 2, OUTPUT_CHANNELS, self.plan.points), *state


class _Block(nn.Module):
    """One block: a GRU over time, mixing across bands, and an MLP per band."""

    def __init__(self, size: NetworkConfig, bands: int) -> None:
        super().__init__()
        width = size.width
        self.norms = nn.ModuleList(_BandNorm(bands, width) for _ in range(3))
        self.memory = nn.GRU(width, width, batch_first=True)
        self.recall = nn.Linear(width, width)
        self.gather, self.spread = nn.Linear(bands, size.mixer), nn.Linear(size.mixer, bands)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output, ``(batch, hops, bands, width)``, and the GRU state, ``(1, batch * bands, width)``."""
        batch, hops, bands, width = x.shape
        rows = self.norms[0](x).transpose(1, 2).reshape(batch * bands, hops, width)
        rows, memory = self.memory(rows, memory)
        x = x + self.recall(rows.reshape(batch, bands, hops, width).transpose(1, 2))
        columns = self.norms[1](x).transpose(2, 3)
        x = x + self.spread(nn.functional.gelu(self.gather(columns))).transpose(2, 3)
        return x + self.narrow(nn.functional.gelu(self.widen(self.norms[2](x)))), memory


class _BandNorm(nn.Module):
    """Layer norm with weight and bias per band: a cheap position encoding for shared weights."""

    def __init__(self, bands: int, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(bands, width))
        self.offset = nn.Parameter(torch.zeros(bands, width))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(..., bands, width)``."""
        normal: Tensor = nn.functional.layer_norm(x, x.shape[-1:]) * self.gain + self.offset
        return normal
