"""Causal convolutions over hops and mask bins, in PyTorch: features that neighbouring mask bins share.

Each band of a causal network has its own weights, which fit its place in the spectrum but are trained by that band
alone. A few convolutions, shared by all mask bins, add common features, such as partials and onsets.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stream_sep.separators.causal.config import CONV_DILATIONS, CONV_KERNEL, CONV_STATE_HOPS


class CausalConvolutions(nn.Module):
    """Residual 3x3 convolutions, of which none uses a later hop; the state is passed in and out.

    Args:
        inputs: channels of the input.
        channels: channels of the convolutions.
        points: mask bins.
        outputs: channels of the output; those of the convolutions unless given.
    """

    def __init__(self, inputs: int, channels: int, points: int, outputs: int = 0) -> None:
        super().__init__()
        self._shape = channels, CONV_STATE_HOPS, points
        self.project_in = nn.Conv2d(inputs, channels, 1)
        self.norms = nn.ModuleList(nn.LayerNorm((channels, points)) for _ in CONV_DILATIONS)
        self.layers = nn.ModuleList(
            nn.Conv2d(channels, channels, CONV_KERNEL, dilation=(hops, 1), padding=(0, 1)) for hops in CONV_DILATIONS
        )
        self.project_out = nn.Conv2d(channels, outputs, 1) if outputs else nn.Identity()

    def initial_state(self, batch: int) -> Tensor:
        """Return the state before the first hop: the inputs of each convolution in its past hops, as zeros."""
        return torch.zeros(batch, *self._shape, device=self.project_in.weight.device)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output of some hops, and the next state.

        Shape:
            x: ``(batch, hops, inputs, points)``
            state: ``(batch, channels, CONV_STATE_HOPS, points)``
            returned: ``(batch, hops, outputs, points)``
        """
        y, after, start = self.project_in(x.transpose(1, 2)), [], 0
        for norm, layer, hops in zip(self.norms, self.layers, CONV_DILATIONS, strict=True):
            count = (CONV_KERNEL - 1) * hops
            seen = nn.functional.gelu(norm(y.transpose(1, 2)).transpose(1, 2))
            seen = torch.cat([state[:, :, start : start + count], seen], dim=2)
            y = y + layer(seen)
            after.append(seen[:, :, -count:])
            start += count
        return self.project_out(y).transpose(1, 2), torch.cat(after, dim=2)
