"""Causal attention with relative positions, over a bounded span of frames, with keys and values kept as state.

For query frame t, head h and lag D = t - s in 0..span-1, the weight of frame s is the softmax over the span of
``(q_t . k_s + q_t . R[D]) / sqrt(width / heads)`` (Huang et al. 2018, "Music Transformer", with the position of the
query's own content). The state begins as zeros, and frames before the first count: training begins the same way.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from torch import Tensor, nn

State: TypeAlias = tuple[Tensor, ...]
"""The state of a layer; the batch is axis 0 of each tensor."""

QKV_TAPS = 3
"""Frames of the depthwise kernel over queries, keys and values (So et al. 2021, "Primer")."""

MAX_QUERIES = 256
"""Queries at a time: more would need scores of many megabytes."""


class RMSNorm(nn.Module):
    """Root-mean-square norm over the last axis, written out, since ONNX has no operator for it at our opset."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` at an RMS of 1, weighted."""
        scaled: Tensor = x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-6) * self.weight
        return scaled


class DepthwiseConv(nn.Module):
    """One kernel per channel, along time: over the past, or over both sides without a state.

    Args:
        channels: of the input.
        taps: frames of the kernel.
        causal: whether it needs a state, the last ``taps - 1`` inputs.
    """

    def __init__(self, channels: int, taps: int, *, causal: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, taps) / taps**0.5)
        self.taps, self.causal = taps, causal

    def make_identity(self) -> None:
        """Pass the newest frame, or the middle one, and nothing else."""
        with torch.no_grad():
            self.weight.zero_()
            self.weight[:, -1 if self.causal else self.taps // 2] = 1.0

    def initial_state(self, batch: int) -> State:
        """Return the inputs before the first frame: silence."""
        if not self.causal:
            return ()
        return (self.weight.new_zeros(batch, self.taps - 1, len(self.weight)),)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Return ``(batch, frames, channels)`` and the next state.

        Args:
            x: ``(batch, frames, channels)``.
            state: keys, values and their positions of the past.
        """
        half = self.taps // 2
        padded = torch.cat([state[0], x], dim=1) if self.causal else nn.functional.pad(x, (0, 0, half, half))
        frames = x.shape[1]
        y = padded[:, :frames] * self.weight[:, 0]
        for tap in range(1, self.taps):
            y = y + padded[:, tap : tap + frames] * self.weight[:, tap]
        return y, (padded[:, frames:],) if self.causal else ()


class RelativeAttention(nn.Module):
    """Attention of each frame to the frames of a span.

    Args:
        width: of a frame's vector.
        heads: they divide the width.
        span: frames attended to, the query's own included.
        causal: whether the span lies before the query, or on both sides of it.
    """

    def __init__(self, width: int, heads: int, span: int, *, causal: bool = True) -> None:
        super().__init__()
        self.heads, self.span, self.causal = heads, span, causal
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.kernel = DepthwiseConv(3 * width, QKV_TAPS, causal=causal)
        self.kernel.make_identity()
        self.positions = nn.Parameter(0.02 * torch.randn(heads, span, width // heads))
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def initial_state(self, batch: int) -> State:
        """Return keys, values and kernel inputs before the first frame: zeros."""
        if not self.causal:
            return ()
        shape = (batch, self.span - 1, self.query.in_features)
        return *(self.positions.new_zeros(shape) for _ in range(2)), *self.kernel.initial_state(batch)

    def forward(self, x: Tensor, memory: Tensor, state: State) -> tuple[Tensor, State]:
        """Attend from ``x`` to ``memory``.

        Shape:
            x, memory: ``(batch, frames, width)``
            out: the same, and the next state
        """
        projected = torch.cat([self.query(x), self.key_value(memory)], dim=-1)
        projected, tail = self.kernel(projected, state[2:])
        query, *pair = projected.float().chunk(3, dim=-1)  # scores and caches in full precision
        keys, values = (self._extend(each, cached) for each, cached in zip(pair, self._cached(state), strict=True))
        with torch.autocast(x.device.type, enabled=False):  # which would multiply in bfloat16 again
            attended = self._attend_all(query, keys, values)
        kept = (keys[:, keys.shape[1] - self.span + 1 :], values[:, values.shape[1] - self.span + 1 :], *tail)
        return self.out(attended.to(x.dtype)), kept if self.causal else ()

    def _attend_all(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        outside = None if self.causal else self._outside(query)
        parts = []
        for at in range(0, query.shape[1], MAX_QUERIES):
            end = at + MAX_QUERIES + self.span - 1
            here = None if outside is None else outside[at:end]
            parts.append(
                attend(
                    query[:, at : at + MAX_QUERIES], keys[:, at:end], values[:, at:end], self.positions.float(), here
                )
            )
        return torch.cat(parts, dim=1)

    def _outside(self, query: Tensor) -> Tensor:
        """Return which rows of keys are no frames, but the padding of `_extend`."""
        before = (self.span - 1) // 2
        inside = torch.ones(query.shape[1], dtype=torch.bool, device=query.device)
        return ~nn.functional.pad(inside, (before, self.span - 1 - before), value=False)

    def _cached(self, state: State) -> tuple[Tensor | None, Tensor | None]:
        return (state[0], state[1]) if self.causal else (None, None)

    def _extend(self, rows: Tensor, cached: Tensor | None) -> Tensor:
        if cached is not None:
            return torch.cat([cached, rows], dim=1)
        before = (self.span - 1) // 2
        return nn.functional.pad(rows, (0, 0, before, self.span - 1 - before))


def attend(query: Tensor, keys: Tensor, values: Tensor, positions: Tensor, outside: Tensor | None = None) -> Tensor:
    """Return ``(batch, frames, width)``: query ``t`` attends to rows ``t`` to ``t + span - 1`` of keys and values.

    One reshape both places the position terms and masks positions outside of the span: rows of them, padded on the
    right with infinite negatives and laid end to end, are cut into rows that are one shorter.

    Shape:
        query: ``(batch, frames, width)``
        keys, values: ``(batch, frames + span - 1, width)``
        positions: ``(heads, span, width / heads)``; row ``i`` is that of the lag ``span - 1 - i``
        outside: bool ``(frames + span - 1)``: rows that are not attended to; none unless given
    """
    (batch, frames, width), (heads, span, size) = query.shape, positions.shape
    q = query.reshape(batch, frames, heads, size).transpose(1, 2)
    k, v = (each.reshape(batch, frames + span - 1, heads, size).transpose(1, 2) for each in (keys, values))
    placed = nn.functional.pad(q @ positions.transpose(1, 2), (0, frames), value=-math.inf).flatten(2)
    banded = placed[..., : frames * (frames + span - 1)].reshape(batch, heads, frames, frames + span - 1)
    scores = (q @ k.transpose(2, 3) + banded) / math.sqrt(size)
    if outside is not None:
        scores = scores.masked_fill(outside, -math.inf)
    weights = torch.softmax(scores, dim=-1)
    return (weights @ v).transpose(1, 2).reshape(batch, frames, width)
