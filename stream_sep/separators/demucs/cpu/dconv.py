"""The residual branches of Demucs (`demucs.demucs.DConv`) by compiled code, where that is faster than torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.separators.demucs.cpu.dconv_kernel import UNROLL, DConvWeights, add_dconv
from stream_sep.separators.demucs.cpu.threads import use_single_thread_kernels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

WIDEST = 96
"""Channels of the widest branches that compiled code is faster at than torch."""

_LAYERS = ["Conv1d", "GroupNorm", "GELU", "Conv1d", "GroupNorm", "GLU", "LayerScale"]


def quick_branches(module: Any) -> Callable[..., Any] | None:  # noqa: ANN401 - torch modules are untyped here
    """Return what computes a ``DConv`` and changes the sound it is given where it lies; None for unusual ones.

    Demucs gives it what it has just computed, and needs no more.
    """
    plain = all([type(part).__name__ for part in layer] == _LAYERS for layer in module.layers)
    if not plain or module.channels % UNROLL or module.channels > WIDEST or not _has_three_taps(module):
        return None
    branches = [_branch(layer) for layer in module.layers]
    longest = 2 * max(branch.dilation for branch in branches)

    def forward(sound: Any) -> Any:  # noqa: ANN401 - tensors
        if sound.shape[-1] <= longest or not use_single_thread_kernels():
            return type(module).forward(module, sound.float())
        held = sound.float().contiguous()
        for branch in branches:
            add_dconv(held.numpy(), branch)
        return held

    return forward


def _has_three_taps(module: Any) -> bool:  # noqa: ANN401 - as above
    return all(layer[0].kernel_size == (3,) and layer[0].padding == layer[0].dilation for layer in module.layers)


def _branch(layer: Any) -> DConvWeights:  # noqa: ANN401 - as above
    taps, norm, _, spread, level, _, last = layer

    def plain(weights: Any) -> NDArray[np.float32]:  # noqa: ANN401 - a tensor
        return np.ascontiguousarray(weights.detach().float().numpy())

    return DConvWeights(
        conv1=plain(taps.weight),
        bias=plain(taps.bias),
        gain=plain(norm.weight),
        offset=plain(norm.bias),
        conv2=plain(spread.weight[:, :, 0]),
        conv2_bias=plain(spread.bias),
        conv2_gain=plain(level.weight),
        conv2_offset=plain(level.bias),
        scale=plain(last.scale),
        dilation=taps.dilation[0],
        epsilon=float(norm.eps),
    )
