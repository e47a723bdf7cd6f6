"""Linear layers with separate weights for each frequency band."""

from __future__ import annotations

import torch
from torch import Tensor


def linear_per_band(x: Tensor, weights: Tensor) -> Tensor:
    """Return the matrix product of each band with that band's own weights.

    Args:
        x: the inputs of each band.
        weights: one matrix per band.

    Shape:
        x: ``(batch, hops, bands, inputs)``
        weights: ``(bands, inputs, outputs)``
        returned: ``(batch, hops, bands, outputs)``
    """
    batch, hops, bands, inputs = x.shape
    y = torch.bmm(x.reshape(batch * hops, bands, inputs).transpose(0, 1), weights)
    return y.transpose(0, 1).reshape(batch, hops, bands, weights.shape[-1])


def random_weights(bands: int, inputs: int, outputs: int) -> Tensor:
    """Return initial weights, ``(bands, inputs, outputs)``: normal, with a variance of ``1 / inputs``.

    Args:
        bands: number of bands.
        inputs: inputs per band.
        outputs: outputs per band.
    """
    weights: Tensor = torch.randn(bands, inputs, outputs) / inputs**0.5
    return weights
