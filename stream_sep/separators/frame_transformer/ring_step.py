"""One hop of a frame transformer in NumPy, keys and values in rings: a call of torch costs more than it computes.

A ring has room for twice the span: each new row is written twice, a span apart, so that the last rows always lie
together, in order, and nothing is ever copied.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.separators.causal.band_prior import LOGIT_SCALE, PRIOR_LOGITS
from stream_sep.separators.frame_transformer.attention_ring import AttentionRing, Linear, Tensors, TimeKernel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from stream_sep.protocols import Block
    from stream_sep.separators.frame_transformer.config import FrameTransformerConfig

    Array = NDArray[np.float32]

_EPSILON = np.float32(1e-5)  # of the norms over channels, as torch has it


class RingStep:
    """Computes a frame transformer of the form ``causal`` hop by hop.

    Args:
        config: its sizes.
        tensors: its state dict, as arrays.
    """

    def __init__(self, config: FrameTransformerConfig, tensors: dict[str, Array]) -> None:
        weights = Tensors(tensors)
        self._config = config
        self._embedding, self._place = weights["embedding"], weights["place"]
        self._decoder, self._hidden = weights["decoder"], Linear(weights.under("hidden"))
        self._norm = weights["norm.weight"], weights["norm.bias"]
        levels = range(len(config.channels) - 1)
        self._downs = [_Down(weights.under(f"downs.{level}.layers")) for level in levels]
        self._ups = [_Convolution(weights.under(f"ups.{level}.layers"), 0) for level in levels]
        self._modules = [_Module(config, weights.under(f"frame_modules.{n}")) for n in range(config.modules)]
        self.reset()

    def reset(self) -> None:
        """Go back to the state before the first hop."""
        for keeper in self._keepers():
            keeper.reset()

    def state(self) -> list[Array]:
        """Return the state as `FrameTransformer` has it, without the batch."""
        return [array for keeper in self._keepers() for array in keeper.state()]

    def load(self, state: Sequence[Array]) -> None:
        """Load such a state."""
        at = 0
        for keeper in self._keepers():
            keeper.load(state[at : at + keeper.arrays])
            at += keeper.arrays

    def __call__(self, features: Block, prior: Block) -> Block:
        """Return corrections, ``(2, outputs, points)``, of features and prior, ``(rows, points)``."""
        levels = [self._embed(features, prior)]
        for down in self._downs:
            levels.append(down(levels[-1]))
        x = levels[-1]
        for level in reversed(range(len(levels))):
            if level < len(levels) - 1:
                wider = x.repeat(2, axis=1)[:, : levels[level].shape[1]]
                x = self._ups[level](np.concatenate([wider, levels[level]])) + levels[level]
            if level < len(self._modules):
                x = self._modules[level](x, levels[level])
        return self._decode(x)

    def _keepers(self) -> Iterator[AttentionRing | TimeKernel]:
        for module in self._modules:
            yield from module.keepers

    def _embed(self, features: Block, prior: Block) -> Array:
        logits = np.float32(LOGIT_SCALE * self._config.hints) * prior[:PRIOR_LOGITS]
        inputs = np.concatenate([features, logits, prior[PRIOR_LOGITS:]])
        bands = len(self._place)
        parted = inputs.reshape(len(inputs), bands, -1).transpose(1, 0, 2).reshape(bands, 1, -1)
        embedded: Array = ((parted @ self._embedding)[:, 0] + self._place).T
        return np.ascontiguousarray(embedded)

    def _decode(self, x: Array) -> Block:
        rows = np.ascontiguousarray(x.T)
        centred = rows - rows.mean(axis=1, keepdims=True)
        normal = centred / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + _EPSILON)
        hidden = _gelu((normal * self._norm[0] + self._norm[1]) @ self._hidden.weight.T + self._hidden.bias)
        made = (hidden[:, None] @ self._decoder)[:, 0].reshape(len(rows), -1, self._config.points)
        corrections: Block = made.transpose(1, 0, 2).reshape(2, -1, len(rows) * self._config.points)
        return corrections


class _Convolution:
    """A convolution over bands, a norm over all of them, and GELU."""

    def __init__(self, weights: Tensors, number: int, stride: int = 1) -> None:
        kernel = weights[f"{number}.weight"]
        self._kernel = np.ascontiguousarray(kernel.transpose(0, 2, 1).reshape(len(kernel), -1))
        self._bias = weights[f"{number}.bias"][:, None]
        self._gain, self._offset = (weights[f"{number + 1}.{name}"][:, None] for name in ("weight", "bias"))
        self._stride = stride

    def __call__(self, x: Array) -> Array:
        padded = np.pad(x, ((0, 0), (1, 1)))
        bands = x.shape[1]
        taps = [padded[:, tap : tap + bands : self._stride] for tap in range(3)]
        y = self._kernel @ np.concatenate(taps) + self._bias
        y -= y.mean()
        y *= 1 / np.sqrt(np.square(y).mean() + _EPSILON)
        return _gelu(y * self._gain + self._offset)


class _Down:
    def __init__(self, weights: Tensors) -> None:
        self._first, self._second = _Convolution(weights, 0), _Convolution(weights, 3, 2)

    def __call__(self, x: Array) -> Array:
        return self._second(self._first(x))


class _Module:
    def __init__(self, config: FrameTransformerConfig, weights: Tensors) -> None:
        self._squeeze = [Linear(weights.under(name)) for name in ("squeeze", "squeeze_skip")]
        self._project = [Linear(weights.under(name)) for name in ("project", "project_skip")]
        self._memory_norm, self._norm = weights["memory_norm.weight"], weights["norm.weight"]
        self._blocks = [_Block(config, weights.under(f"blocks.{n}")) for n in range(config.blocks)]
        self._expand = Linear(weights.under("expand"))
        self.keepers = [keeper for block in self._blocks for keeper in block.keepers]

    def __call__(self, x: Array, skip: Array) -> Array:
        y, memory = (
            project(squeeze.over_bands(inputs).ravel())
            for squeeze, project, inputs in zip(self._squeeze, self._project, (x, skip), strict=True)
        )
        memory = _rms_norm(memory, self._memory_norm)
        for block in self._blocks:
            y = block(y, memory)
        found = self._expand(_rms_norm(y, self._norm)).reshape(-1, x.shape[1])
        return np.concatenate([x, found])


class _Block:
    def __init__(self, config: FrameTransformerConfig, weights: Tensors) -> None:
        self._norms = [weights[f"norms.{n}.weight"] for n in range(5)]
        self._attentions = [AttentionRing(weights.under(f"attentions.{n}")) for n in range(4)]
        names = ("long", "short", "join")
        self._kernels = [TimeKernel(weights[f"{name}.weight"]) for name in names]
        self._outs = [Linear(weights.under(f"{name}_out")) for name in names]
        self._branch_norm = weights["branch_norm.weight"]
        self._up, self._down = Linear(weights.under("up")), Linear(weights.under("down"))
        self._narrow = 3 * config.width // 4
        self.keepers: list[AttentionRing | TimeKernel] = [*self._attentions, *self._kernels]

    def __call__(self, x: Array, memory: Array) -> Array:
        first, second, third, fourth = self._attentions
        normed = _rms_norm(x, self._norms[0])
        x = x + first(normed, normed) + second(normed, memory)
        x = x + self._branches(_rms_norm(x, self._norms[1]))
        normed = _rms_norm(x, self._norms[2])
        x = x + third(normed, normed)
        x = x + fourth(_rms_norm(x, self._norms[3]), memory)
        return x + self._down(np.square(np.maximum(self._up(_rms_norm(x, self._norms[4])), 0)))

    def _branches(self, x: Array) -> Array:
        long, short, join = self._kernels
        both = np.maximum(self._outs[0](long(x)), 0)
        both[: self._narrow] += self._outs[1](short(x))
        return self._outs[2](join(_rms_norm(both, self._branch_norm)))


def _rms_norm(x: Array, weight: Array) -> Array:
    normal: Array = x * np.float32(1 / math.sqrt(float(x @ x) / len(x) + 1e-6)) * weight
    return normal


def _gelu(x: Array) -> Array:
    """Return x times the normal distribution below x, right to a millionth (Abramowitz and Stegun 1964, 7.1.26)."""
    half = np.abs(x) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * half)
    series = np.float32(1.061405429) * t - np.float32(1.453152027)
    for term in (1.421413741, -0.284496736, 0.254829592):
        series = series * t + np.float32(term)
    weighted: Array = np.float32(0.5) * (x + np.abs(x) * (1 - series * t * np.exp(-half * half)))
    return weighted
