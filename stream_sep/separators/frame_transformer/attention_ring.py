"""The state of a frame transformer from hop to hop: rings of keys and values, and the inputs of its kernels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]


class Tensors:
    """Arrays by name, without a common prefix.

    Args:
        arrays: a state dict.
        prefix: the beginning.
    """

    def __init__(self, arrays: dict[str, Array], prefix: str = "") -> None:
        self._arrays, self._prefix = arrays, prefix

    def under(self, name: str) -> Tensors:
        """Return those of a part."""
        return Tensors(self._arrays, f"{self._prefix}{name}.")

    def __getitem__(self, name: str) -> Array:
        """Return one of them."""
        return self._arrays[f"{self._prefix}{name}"]


class Linear:
    """A matrix and a bias; a convolution of one tap is one too."""

    def __init__(self, weights: Tensors) -> None:
        weight = weights["weight"]
        self.weight = np.ascontiguousarray(weight.reshape(len(weight), -1))
        self.bias = weights["bias"]

    def __call__(self, x: Array) -> Array:
        """Return the product with a vector."""
        y: Array = self.weight @ x + self.bias
        return y

    def over_bands(self, x: Array) -> Array:
        """Return the product with each column of ``(channels, bands)``."""
        y: Array = self.weight @ x + self.bias[:, None]
        return y


class TimeKernel:
    """One kernel per channel, over the newest inputs; `DepthwiseConv` for one hop.

    Args:
        weight: ``(channels, taps)``.
    """

    arrays = 1

    def __init__(self, weight: Array) -> None:
        self._weight = np.ascontiguousarray(weight.T)
        self._past = np.zeros_like(self._weight)

    def reset(self) -> None:
        """Clear all inputs."""
        self._past[:] = 0.0

    def state(self) -> list[Array]:
        """Return the inputs that count for the next hop, ``(taps - 1, channels)``."""
        return [self._past[1:].copy()]

    def load(self, state: Sequence[Array]) -> None:
        """Load such a state."""
        self._past[1:] = state[0]

    def __call__(self, x: Array) -> Array:
        """Return ``(channels,)`` for the next input."""
        self._past[:-1] = self._past[1:]
        self._past[-1] = x
        y: Array = (self._past * self._weight).sum(axis=0)
        return y


class AttentionRing:
    """`RelativeAttention` for one hop: keys and values of the span are in rings.

    Args:
        weights: of the attention.
    """

    arrays = 3

    def __init__(self, weights: Tensors) -> None:
        query, pair = Linear(weights.under("query")), Linear(weights.under("key_value"))
        self._query, self._pair, self._out = query, pair, Linear(weights.under("out"))
        self._kernel = TimeKernel(weights["kernel.weight"])
        self._positions = weights["positions"]
        heads, self._span, size = self._positions.shape
        self._scale = np.float32(1 / math.sqrt(size))
        self._keys, self._values = (np.zeros((heads, 2 * self._span, size), np.float32) for _ in range(2))
        self.reset()

    def reset(self) -> None:
        """Return to zeros, which count as past frames."""
        self._keys[:], self._values[:] = 0.0, 0.0
        self._at = 0
        self._kernel.reset()

    def state(self) -> list[Array]:
        """Return keys and values of the span but the newest, ``(span - 1, width)``, and the kernel's state."""
        rows, width = slice(self._at + 1, self._at + self._span), self._query.weight.shape[0]
        kept = [
            ring[:, rows].transpose(1, 0, 2).reshape(self._span - 1, width) for ring in (self._keys, self._values)
        ]
        return [*kept, *self._kernel.state()]

    def load(self, state: Sequence[Array]) -> None:
        """Load such a state."""
        self._at = 0
        for ring, rows in zip((self._keys, self._values), state[:2], strict=True):
            parted = rows.reshape(self._span - 1, len(ring), ring.shape[2]).transpose(1, 0, 2)
            ring[:, 1 : self._span], ring[:, self._span + 1 :] = parted, parted
        self._kernel.load(state[2:])

    def __call__(self, x: Array, memory: Array) -> Array:
        """Return the attention of the newest frame, ``x``, over ``memory`` and its past, ``(width,)``."""
        projected = self._kernel(np.concatenate([self._query(x), self._pair(memory)]))
        query, key, value = projected.reshape(3, len(self._keys), -1)
        for ring, row in ((self._keys, key), (self._values, value)):
            ring[:, self._at], ring[:, self._at + self._span] = row, row
        rows = slice(self._at + 1, self._at + 1 + self._span)
        self._at = (self._at + 1) % self._span
        column = query[:, :, None]
        scores = ((self._keys[:, rows] @ column) + (self._positions @ column))[..., 0] * self._scale
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return self._out((scores[:, None] @ self._values[:, rows]).ravel())
