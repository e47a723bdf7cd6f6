"""The parts of a frame transformer: convolutions within a frame, and transformer blocks across frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from stream_sep.separators.frame_transformer.attention import DepthwiseConv, RelativeAttention, RMSNorm, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stream_sep.separators.frame_transformer.config import FrameTransformerConfig


def initial_states(layers: Iterable[Any], batch: int) -> list[State]:
    """Return the state of each of some layers before the first frame.

    Args:
        layers: layers with an ``initial_state``.
        batch: number of streams.
    """
    return [layer.initial_state(batch) for layer in layers]


def flatten_states(states: Sequence[State]) -> State:
    """Return the states of several layers as one tuple of tensors."""
    return tuple(tensor for state in states for tensor in state)


def split_states(state: State, layers: Iterable[Any]) -> list[State]:
    """Undo `flatten_states`, for the same layers.

    Args:
        state: a flat tuple of tensors.
        layers: the layers it belongs to.
    """
    parts, at = [], 0
    for layer in layers:
        size = layer.state_tensors
        parts.append(state[at : at + size])
        at += size
    return parts


class Down(nn.Module):
    """Encoder level: two convolutions over the bands of a frame, the second of which halves them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(inputs, outputs, 3, padding=1),
            nn.GroupNorm(1, outputs),
            nn.GELU(),
            nn.Conv1d(outputs, outputs, 3, stride=2, padding=1),
            nn.GroupNorm(1, outputs),
            nn.GELU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(batch * frames, outputs, ceil(bands / 2))``."""
        y: Tensor = self.layers(x)
        return y


class Up(nn.Module):
    """Decoder level: doubles the bands, joined with the encoder's output there, which is also added at the end."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(inputs + outputs, outputs, 3, padding=1), nn.GroupNorm(1, outputs), nn.GELU()
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return ``(batch * frames, outputs, bands)``, as many bands as ``skip`` has.

        Args:
            x: ``(batch * frames, channels, bands)``.
            skip: of the encoder, at the higher resolution.
        """
        wider = x.repeat_interleave(2, dim=2)[..., : skip.shape[2]]
        y: Tensor = self.layers(torch.cat([wider, skip], dim=1)) + skip
        return y


class FrameModule(nn.Module):
    """Attention between the frames of a level, with the result appended as channels.

    Args:
        config: of the network.
        channels: of the level and of its skip connection.
        bands: of the level.
    """

    def __init__(self, config: FrameTransformerConfig, channels: int, bands: int) -> None:
        super().__init__()
        k, width = config.bottleneck, config.width
        self.squeeze, self.squeeze_skip = nn.Conv1d(channels, k, 1), nn.Conv1d(channels, k, 1)
        self.project, self.project_skip = nn.Linear(k * bands, width), nn.Linear(k * bands, width)
        self.memory_norm, self.norm = RMSNorm(width), RMSNorm(width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.expand = nn.Linear(width, k * bands)
        self.state_tensors = sum(block.state_tensors for block in self._each())

    def initial_state(self, batch: int) -> State:
        """Return the state of all blocks before the first frame."""
        return flatten_states(initial_states(self._each(), batch))

    def forward(self, x: Tensor, skip: Tensor, batch: int, state: State) -> tuple[Tensor, State]:
        """Return ``x``, ``(batch * frames, channels, bands)``, with ``bottleneck`` more channels, and the state.

        Args:
            x: ``(batch * frames, channels, bands)``.
            skip: features of the level above, or None.
            batch: number of streams.
            state: of the block.
        """
        y = self.project(self.squeeze(x).flatten(1)).reshape(batch, -1, self.norm.weight.shape[0])
        memory = self.memory_norm(
            self.project_skip(self.squeeze_skip(skip).flatten(1)).reshape(batch, -1, self.norm.weight.shape[0])
        )
        after: list[State] = []
        for block, own in zip(self._each(), split_states(state, self._each()), strict=True):
            y, kept = block(y, memory, own)
            after.append(kept)
        found = self.expand(self.norm(y)).reshape(len(x), -1, x.shape[2])
        return torch.cat([x, found], dim=1), flatten_states(after)

    def _each(self) -> list[Block]:
        return cast("list[Block]", list(self.blocks))


class Block(nn.Module):
    """A decoder block in the manner of the Evolved Transformer (So et al. 2019), pre-norm, causal.

    Self-attention beside attention to the skip connection; convolutions of two lengths; self-attention; attention to
    the skip connection; a feed-forward layer with squared ReLU (So et al. 2021). The last layer of each is zero at
    first, so that a new block changes nothing.
    """

    def __init__(self, config: FrameTransformerConfig) -> None:
        super().__init__()
        width, causal = config.width, config.form == "causal"
        self.norms = nn.ModuleList(RMSNorm(width) for _ in range(5))
        self.attentions = nn.ModuleList(
            RelativeAttention(width, config.heads, config.span, causal=causal) for _ in range(4)
        )
        wide, narrow = 3 * width // 2, 3 * width // 4
        self.long, self.long_out = DepthwiseConv(width, 11, causal=causal), nn.Linear(width, wide)
        self.short, self.short_out = DepthwiseConv(width, 7, causal=causal), nn.Linear(width, narrow)
        self.branch_norm = RMSNorm(wide)
        self.join, self.join_out = DepthwiseConv(wide, 7, causal=causal), nn.Linear(wide, width)
        self.up, self.down = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)
        for layer in (self.join_out, self.down):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.state_tensors = 4 * 3 + 3 if causal else 0

    def initial_state(self, batch: int) -> State:
        """Return the state of all layers before the first frame."""
        return flatten_states(initial_states((*self.attentions, self.long, self.short, self.join), batch))

    def forward(self, x: Tensor, memory: Tensor, state: State) -> tuple[Tensor, State]:
        """Return ``(batch, frames, width)`` and the next state.

        Args:
            x: ``(batch, frames, width)``.
            memory: features of the encoder, or None.
            state: of the block.
        """
        sizes = (3, 3, 3, 3, 1, 1, 1) if state else (0,) * 7
        parts, at = [], 0
        for size in sizes:
            parts.append(state[at : at + size])
            at += size
        one, two, three, four, *branches = parts
        normed = self.norms[0](x)
        own, kept_one = self.attentions[0](normed, normed, one)
        skipped, kept_two = self.attentions[1](normed, memory, two)
        x = x + own + skipped
        branched, kept_branches = self._branches(self.norms[1](x), branches)
        x = x + branched
        normed = self.norms[2](x)
        own, kept_three = self.attentions[2](normed, normed, three)
        x = x + own
        skipped, kept_four = self.attentions[3](self.norms[3](x), memory, four)
        x = x + skipped
        x = x + self.down(torch.relu(self.up(self.norms[4](x))).square())
        return x, flatten_states([kept_one, kept_two, kept_three, kept_four, *kept_branches])

    def _branches(self, x: Tensor, states: Sequence[State]) -> tuple[Tensor, list[State]]:
        long, kept_long = self.long(x, states[0])
        short, kept_short = self.short(x, states[1])
        left, right = torch.relu(self.long_out(long)), self.short_out(short)
        both = self.branch_norm(left + nn.functional.pad(right, (0, left.shape[-1] - right.shape[-1])))
        joined, kept_join = self.join(both, states[2])
        return self.join_out(joined), [kept_long, kept_short, kept_join]
