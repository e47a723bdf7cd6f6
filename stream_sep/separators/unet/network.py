"""The U-Net of Oh, Kim and Hyun, "Spectrogram-channels U-Net" (arXiv 1810.11520), in any width.

Four levels of two 3x3 convolutions and 2x2 max pooling; on the way up a 5x5 transposed convolution of stride 2, then
two of 3x3 over what it gives and what was there on the way down. Each output is its own spectrogram: there a
magnitude, here the logit of a mask, as masks of groups can add up to one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEVELS = 4
MULTIPLE = 2**LEVELS
"""Bins and frames of the input are multiples of this."""

DROPOUT = 0.4


class UNet(nn.Module):
    """Maps spectrograms to spectrograms.

    Args:
        base: channels of the first level; each level below has twice as many. The paper's is 32.
        inputs: spectrograms in.
        outputs: spectrograms out.
        biases: whether transposed convolutions and the last one have biases.
    """

    def __init__(self, base: int = 8, inputs: int = 2, outputs: int = 8, *, biases: bool = False) -> None:
        super().__init__()
        self.base = base
        widths = [base * 2**level for level in range(LEVELS)]
        self.downs = nn.ModuleList(
            _pair(before, width) for before, width in zip([inputs, *widths], widths, strict=False)
        )
        self.middle = _pair(widths[-1], 2 * widths[-1])
        self.ups = nn.ModuleList(_up(width, biases=biases) for width in widths)
        self.merges = nn.ModuleList(_merge(width, biases=biases) for width in widths)
        self.last = nn.Conv2d(base, outputs, 1, bias=biases)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(batch, outputs, bins, frames)`` of ``(batch, inputs, bins, frames)``, multiples of `MULTIPLE`."""
        levels = []
        for down in self.downs:
            levels.append(down(x))
            x = nn.functional.max_pool2d(levels[-1], 2)
        x = self.middle(x)
        for level in reversed(range(LEVELS)):
            x = self.merges[level](torch.cat([self.ups[level](x), levels[level]], dim=1))
        y: Tensor = self.last(x)
        return y


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (inputs, outputs):
        layers += [nn.Conv2d(before, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def _up(width: int, *, biases: bool) -> nn.Sequential:
    grow = nn.ConvTranspose2d(2 * width, width, 5, stride=2, padding=2, output_padding=1, bias=biases)
    return nn.Sequential(grow, nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(DROPOUT))


def _merge(width: int, *, biases: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (2 * width, width):
        layers += [nn.ConvTranspose2d(before, width, 3, padding=1, bias=biases), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers)
