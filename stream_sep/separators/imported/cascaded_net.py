"""CascadedNet, the network of tsurumeso/vocal-remover 5 and 6 (MIT), for its weights: masks of the instruments.

Nets for the low and the high half of the spectrum, twice, then one for all of it, with their outputs as inputs. In
version 6, masks may be complex, and the vocals have masks of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

_DILATIONS = ((4, 2), (8, 4), (12, 6))
_TINY = 1e-8


@dataclass(frozen=True)
class CascadedNetConfig:
    """Sizes of the network; the defaults are those of ``baseline.pth``.

    Attributes:
        width: channels of the first level of the last net.
        recurrent: outputs of its LSTM, both directions.
        bins: frequencies, without the Nyquist bin.
        is_complex: takes complex spectra and returns complex masks, instead of real ones of magnitudes.
        masks_vocals: returns masks of the vocals behind those of the instruments.
        has_auxiliary: has the second output of its training.
    """

    width: int = 32
    recurrent: int = 128
    bins: int = 1024
    is_complex: bool = False
    masks_vocals: bool = False
    has_auxiliary: bool = True


class CascadedNet(nn.Module):
    """Maps spectra of left and right to masks of the instruments.

    Args:
        config: its sizes.
    """

    def __init__(self, config: CascadedNetConfig) -> None:
        super().__init__()
        self.config = config
        n, lstm, half = config.width, config.recurrent, config.bins // 4
        inputs = 4 if config.is_complex else 2
        self.stg1_low_band_net = nn.Sequential(_BandNet(inputs, n // 2, half, lstm), _conv(n // 2, n // 4, 1))
        self.stg1_high_band_net = _BandNet(inputs, n // 4, half, lstm // 2)
        self.stg2_low_band_net = nn.Sequential(_BandNet(n // 4 + inputs, n, half, lstm), _conv(n, n // 2, 1))
        self.stg2_high_band_net = _BandNet(n // 4 + inputs, n // 2, half, lstm // 2)
        self.stg3_full_band_net = _BandNet(3 * n // 4 + inputs, n, 2 * half, lstm)
        self.out = nn.Conv2d(n, (1 + config.masks_vocals) * inputs, 1, bias=False)
        if config.has_auxiliary:
            self.aux_out = nn.Conv2d(3 * n // 4, inputs, 1, bias=False)

    def forward(self, spectra: Tensor) -> Tensor:
        """Return the masks of spectra whose frames are a multiple of 16.

        Shape:
            spectra: complex ``(batch, 2, bins + 1, frames)``; magnitudes do for real masks
            masks: ``(batch, 2, bins + 1, frames)``, or 4 with those of the vocals; complex or real
        """
        x = torch.cat([spectra.real, spectra.imag], dim=1) if self.config.is_complex else spectra.abs()
        x = x[:, :, : self.config.bins]
        low, high = x.chunk(2, dim=2)
        first = [self.stg1_low_band_net(low), self.stg1_high_band_net(high)]
        second = [
            self.stg2_low_band_net(torch.cat([low, first[0]], dim=1)),
            self.stg2_high_band_net(torch.cat([high, first[1]], dim=1)),
        ]
        whole = torch.cat([x, torch.cat(first, dim=2), torch.cat(second, dim=2)], dim=1)
        masks = self._bounded(self.out(self.stg3_full_band_net(whole)))
        return torch.cat([masks, masks[:, :, -1:]], dim=2)

    def _bounded(self, outputs: Tensor) -> Tensor:
        """Return outputs as masks with magnitudes below 1."""
        if not self.config.is_complex:
            return torch.sigmoid(outputs)
        masks = torch.complex(*outputs.chunk(2, dim=1))
        size = masks.abs()
        return torch.tanh(size) / (size + _TINY) * masks


class _ConvNorm(nn.Module):
    def __init__(  # noqa: PLR0917 - as many as a convolution has
        self, inputs: int, outputs: int, size: int, stride: int, dilation: int | tuple[int, int], activate: nn.Module
    ) -> None:
        super().__init__()
        padding = dilation if size > 1 else 0
        conv = nn.Conv2d(inputs, outputs, size, stride, padding, dilation, bias=False)
        self.conv = nn.Sequential(conv, nn.BatchNorm2d(outputs), activate)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y


def _conv(inputs: int, outputs: int, size: int, dilation: int | tuple[int, int] = 1) -> _ConvNorm:
    return _ConvNorm(inputs, outputs, size, 1, dilation, nn.ReLU())


class _Down(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = _ConvNorm(inputs, outputs, 3, 2, 1, nn.LeakyReLU())
        self.conv2 = _ConvNorm(outputs, outputs, 3, 1, 1, nn.LeakyReLU())

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(self.conv1(x))
        return y


class _Up(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, outputs, 3)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        wider = nn.functional.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=True)
        y: Tensor = self.conv1(torch.cat([wider, skip], dim=1))
        return y


class _DilatedPyramid(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.AdaptiveAvgPool2d((1, None)), _conv(width, width, 1))
        self.conv2 = _conv(width, width, 1)
        self.conv3, self.conv4, self.conv5 = (_conv(width, width, 3, dilation) for dilation in _DILATIONS)
        self.bottleneck = _conv(5 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.conv1(x).expand(-1, -1, x.shape[2], -1)
        parts = [mean, *(conv(x) for conv in (self.conv2, self.conv3, self.conv4, self.conv5))]
        y: Tensor = self.bottleneck(torch.cat(parts, dim=1))
        return y


class _Recurrent(nn.Module):
    def __init__(self, channels: int, bins: int, outputs: int) -> None:
        super().__init__()
        self.conv = _conv(channels, 1, 1)
        self.lstm = nn.LSTM(bins, outputs // 2, bidirectional=True)
        self.dense = nn.Sequential(nn.Linear(outputs, bins), nn.BatchNorm1d(bins), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        batch, frames = x.shape[0], x.shape[3]
        found, _ = self.lstm(self.conv(x)[:, 0].permute(2, 0, 1))
        y: Tensor = self.dense(found.flatten(0, 1)).reshape(frames, batch, 1, -1)
        return y.permute(1, 2, 3, 0)


class _BandNet(nn.Module):
    def __init__(self, inputs: int, width: int, bins: int, recurrent: int) -> None:
        super().__init__()
        self.enc1 = _conv(inputs, width, 3)
        self.enc2, self.enc3 = _Down(width, 2 * width), _Down(2 * width, 4 * width)
        self.enc4, self.enc5 = _Down(4 * width, 6 * width), _Down(6 * width, 8 * width)
        self.aspp = _DilatedPyramid(8 * width)
        self.dec4, self.dec3 = _Up(14 * width, 6 * width), _Up(10 * width, 4 * width)
        self.dec2 = _Up(6 * width, 2 * width)
        self.lstm_dec2 = _Recurrent(2 * width, bins, recurrent)
        self.dec1 = _Up(3 * width + 1, width)

    def forward(self, x: Tensor) -> Tensor:
        levels = [self.enc1(x)]
        for down in (self.enc2, self.enc3, self.enc4, self.enc5):
            levels.append(down(levels[-1]))
        y = self.aspp(levels[4])
        for up, skip in zip((self.dec4, self.dec3, self.dec2), levels[3:0:-1], strict=True):
            y = up(y, skip)
        made: Tensor = self.dec1(torch.cat([y, self.lstm_dec2(y)], dim=1), levels[0])
        return made
