"""The frame transformer: features and prior in, mask corrections out, many frames at once or one by one.

Frames are folded into the batch wherever frequency is convolved, so that nothing crosses frames there, and norms are
per frame: only attention and its kernels reach into the past, over a bounded span, with their past as explicit state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.band_prior import LOGIT_SCALE, PRIOR_CHANNELS, PRIOR_LOGITS
from stream_sep.separators.causal.features import FEATURES
from stream_sep.separators.frame_transformer.blocks import (
    Down,
    FrameModule,
    Up,
    flatten_states,
    initial_states,
    split_states,
)
from stream_sep.separators.per_band import linear_per_band, random_weights

if TYPE_CHECKING:
    from stream_sep.separators.frame_transformer.attention import State
    from stream_sep.separators.frame_transformer.config import FrameTransformerConfig

_INPUTS = FEATURES + PRIOR_CHANNELS


class FrameTransformer(nn.Module):
    """Maps features and prior to mask corrections, with all state passed in and out.

    Args:
        config: its sizes.
        stems: number of source groups in the output; the last is the residual.
    """

    def __init__(self, config: FrameTransformerConfig, stems: int = 4) -> None:
        super().__init__()
        self.config, self.stems = config, stems
        self.plan = plan_band_layout(config.front_end)
        self.outputs = stems + (stems - 1 if config.complex else 0)
        bands, first = self.plan.bands, config.channels[0]
        self.embedding = nn.Parameter(random_weights(bands, config.points * _INPUTS, first))
        self.place = nn.Parameter(0.1 * torch.randn(bands, first))
        sizes = [bands]
        for _ in config.channels[1:]:
            sizes.append(-(-sizes[-1] // 2))
        joined = [c + (config.bottleneck if n < config.modules else 0) for n, c in enumerate(config.channels)]
        self.downs = nn.ModuleList(Down(*config.channels[n : n + 2]) for n in range(len(sizes) - 1))
        self.ups = nn.ModuleList(Up(joined[n + 1], config.channels[n]) for n in range(len(sizes) - 1))
        self.frame_modules = nn.ModuleList(
            FrameModule(config, config.channels[n], sizes[n]) for n in range(config.modules)
        )
        self.norm = nn.LayerNorm(joined[0])
        self.hidden = nn.Linear(joined[0], first // 2)
        self.decoder = nn.Parameter(random_weights(bands, first // 2, config.points * 2 * self.outputs) / 4)

    def initial_state(self, batch: int = 1) -> State:
        """Return the state before the first frame, zeros, ordered by module from the first level."""
        return flatten_states(initial_states(self._modules_by_level(), batch))

    def forward(self, features: Tensor, prior: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the mask corrections of some hops, and the next state.

        Shape:
            features: ``(batch, hops, FEATURES, points)``
            prior: ``(batch, hops, PRIOR_CHANNELS, points)``, for the hops whose masks are corrected
            corrections: ``(batch, hops, 2, outputs, points)``, of mid and of side
        """
        batch = features.shape[0]
        levels = [self._embed(features, prior).flatten(0, 1).transpose(1, 2)]
        for down in self.downs:
            levels.append(down(levels[-1]))
        modules = self._modules_by_level()
        states: list[State] = split_states(state, modules)
        x = levels[-1]
        for level in reversed(range(len(levels))):
            if level < len(levels) - 1:
                x = self.ups[level](x, levels[level])
            if level < len(modules):
                x, states[level] = modules[level](x, levels[level], batch, states[level])
        return self._decode(_unfolded(x.transpose(1, 2), batch)), flatten_states(states)

    def _modules_by_level(self) -> list[FrameModule]:
        return cast("list[FrameModule]", list(self.frame_modules))

    def _embed(self, features: Tensor, prior: Tensor) -> Tensor:
        """Return ``(batch, hops, bands, channels)``: each band through its own matrix."""
        logits = LOGIT_SCALE * prior[:, :, :PRIOR_LOGITS] * float(self.config.hints)
        inputs = torch.cat([features, logits, prior[:, :, PRIOR_LOGITS:]], dim=2)
        parted = inputs.reshape(*inputs.shape[:3], self.plan.bands, self.config.points).transpose(2, 3)
        return linear_per_band(parted.flatten(3), self.embedding) + self.place

    def _decode(self, x: Tensor) -> Tensor:
        y = linear_per_band(nn.functional.gelu(self.hidden(self.norm(x))), self.decoder)
        y = y.reshape(*y.shape[:3], 2 * self.outputs, self.config.points).transpose(2, 3)
        return y.reshape(*y.shape[:2], 2, self.outputs, self.plan.points)


def _unfolded(x: Tensor, batch: int) -> Tensor:
    return x.reshape(batch, -1, *x.shape[1:])
