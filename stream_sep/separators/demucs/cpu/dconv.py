"""The residual branches of Demucs (`demucs.demucs.DConv`) with one norm less, some rows of a spectrum at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

CACHED = 1 << 19
"""Numbers of a sound that are computed at once: with the intermediate results, they fit into the CPU's cache."""

WIDEST = 96
"""Channels of the widest branches that this is faster at than torch in bfloat16."""

_LAYERS = ["Conv1d", "GroupNorm", "GELU", "Conv1d", "GroupNorm", "GLU", "LayerScale"]


def dconv_by_rows(module: Any) -> Callable[[Any], Any] | None:  # noqa: ANN401 - torch modules are untyped here
    """Return the forward of a ``DConv`` for ``(rows, channels, frames)`` in float32; None for wide or other ones."""
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    if module.channels > WIDEST or any([type(part).__name__ for part in layer] != _LAYERS for layer in module.layers):
        return None

    def forward(sound: Any) -> Any:  # noqa: ANN401 - tensors
        parts = []
        for part in sound.split(max(1, CACHED // sound[0].numel())):
            out = part.float()
            for layer in module.layers:
                out = _add_branch(out, layer)
            parts.append(out)
        return torch.cat(parts)

    return forward


def _add_branch(sound: Any, layer: Any) -> Any:  # noqa: ANN401 - as above
    """Return a sound, ``(rows, channels, frames)``, plus a branch's output for it.

    Mean and variance of what the second norm normalises follow from means and covariance of the few hidden channels,
    and go into the weights of the second convolution.
    """
    import torch  # noqa: PLC0415 - heavy, and only here when a model is
    from torch.nn import functional  # noqa: PLC0415 - as torch

    conv, norm, gelu, conv2, norm2, _, scale = layer
    hidden = gelu(norm(conv(sound)))
    weight, mean = conv2.weight[..., 0], hidden.mean(-1, keepdim=True)
    hidden -= mean
    covariance = hidden @ hidden.mT / hidden.shape[-1]
    means = functional.linear(mean[..., 0], weight, conv2.bias)  # of each channel of the second convolution
    variance = ((weight @ covariance) * weight).sum(-1).mean(-1) + means.var(-1, correction=0)
    gain = norm2.weight * torch.rsqrt(variance + norm2.eps)[:, None]
    offset = (means - means.mean(-1, keepdim=True)) * gain + norm2.bias
    spread = torch.baddbmm(offset[..., None], weight * gain[..., None], hidden)
    return torch.addcmul(sound, scale.scale[:, None], functional.glu(spread, 1))
