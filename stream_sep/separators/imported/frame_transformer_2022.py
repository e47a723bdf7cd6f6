"""The frame transformer of 2022 (carperbr/vocal-remover-frame-transformer, MIT), for its weights.

The position term is not as its authors intended: the product of *keys'* queries and the table, transposed where it
should be skewed. It is computed so here too, or the weights mean nothing. The network sees both sides of every frame
and is bound to its crop; `frame_transformer` is the design that streams.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LEVELS = 5
_WIDTHS = (1, 2, 4, 6, 8)  # channels of a level, in units of the first


@dataclass(frozen=True)
class FrameTransformer2022Config:
    """Sizes of the network; the defaults are those of the published checkpoint.

    Attributes:
        channels: of the first level.
        encoders: blocks of each level on the way down.
        decoders: blocks of each level on the way up.
        bins: frequencies, without the Nyquist bin.
        heads: of each attention; groups of neighbouring bins.
        feedforward: width of the blocks' inner layers.
        crop: frames that it was trained with, and separates.
        kernel: frames of the kernels of queries, keys and values.
        residual: the later form: a 1x1 path beside each convolution, and norms over bins before them.
        post_norm: the earlier form: norms behind each sum, and wider convolutions.
        skip: name of the attention to the encoder in the file, ``enc`` or ``skip``.
    """

    channels: int = 8
    encoders: int = 2
    decoders: int = 2
    bins: int = 1024
    heads: int = 8
    feedforward: int = 3072
    crop: int = 1024
    kernel: int = 3
    residual: bool = False
    post_norm: bool = False
    skip: str = "enc"

    def bins_at(self, level: int) -> int:
        """Return the bins of a level; each has half of those of the one above."""
        return -(-self.bins >> level)


class FrameTransformer2022(nn.Module):
    """Maps magnitudes of left and right to masks of the instruments.

    Args:
        config: its sizes.
    """

    def __init__(self, config: FrameTransformer2022Config) -> None:
        super().__init__()
        self.config = config
        c = [config.channels * width for width in _WIDTHS]
        self.enc1 = _FrameConv(2, c[0], 3, config.bins, residual=config.residual)
        for level in range(LEVELS):
            if level:
                before = c[level - 1] + config.encoders
                setattr(self, f"enc{level + 1}", _Down(before, c[level], config, level))
            blocks = (_EncoderBlock(config, c[level] + n, level) for n in range(config.encoders))
            setattr(self, f"enc{level + 1}_transformer", nn.ModuleList(blocks))
        for level in reversed(range(LEVELS)):
            name = f"dec{level}_transformer" if level else "out_transformer"
            skip = c[level] + config.encoders
            decoders = (_DecoderBlock(config, c[level] + n, skip, level) for n in range(config.decoders))
            setattr(self, name, nn.ModuleList(decoders))
            if level:
                joined = c[level] + config.decoders + c[level - 1] + config.encoders
                setattr(self, f"dec{level}", _Up(joined, c[level - 1], config, level - 1))
        self.out = nn.Linear(c[0] + config.decoders, 2)

    def forward(self, spectra: Tensor) -> Tensor:
        """Return masks, ``(batch, 2, bins + 1, frames)``, of as many spectra or magnitudes; the last is repeated."""
        x = self.enc1(spectra[:, :, : self.config.bins].abs())
        skips: list[Tensor] = []
        for level in range(LEVELS):
            if level:
                x = getattr(self, f"enc{level + 1}")(skips[-1])
            deepest, skip = x, x
            for block in getattr(self, f"enc{level + 1}_transformer"):
                skip = torch.cat([skip, block(skip)], dim=1)
            skips.append(skip)
        x = deepest
        for level in reversed(range(LEVELS)):
            for block in getattr(self, f"dec{level}_transformer" if level else "out_transformer"):
                x = torch.cat([x, block(x, skips[level])], dim=1)
            if level:
                x = getattr(self, f"dec{level}")(x, skips[level - 1])
        masks = torch.sigmoid(self.out(x.transpose(1, 3)).transpose(1, 3))
        return torch.cat([masks, masks[:, :, -1:]], dim=2)


class _BinNorm(nn.Module):
    def __init__(self, bins: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(bins)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(x.transpose(2, 3)).transpose(2, 3)
        return y


class _FrameConv(nn.Module):
    """A convolution over the bins of each frame, its norm and LeakyReLU behind it, or in the later form before it."""

    def __init__(self, inputs: int, outputs: int, size: int, bins: int, stride: int = 1, *, residual: bool) -> None:
        super().__init__()
        conv = nn.Conv2d(inputs, outputs, (size, 1), (stride, 1), (size // 2, 0), bias=False)
        before = [_BinNorm(bins), nn.LeakyReLU(), conv]
        self.body = nn.Sequential(*(before if residual else [conv, nn.BatchNorm2d(outputs), nn.LeakyReLU()]))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y


class _Identity(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(inputs, outputs, 1, (stride, 1), bias=False))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y


class _Down(nn.Module):
    def __init__(self, inputs: int, outputs: int, config: FrameTransformer2022Config, level: int) -> None:
        super().__init__()
        bins, residual = config.bins_at(level - 1), config.residual
        self.conv1 = _FrameConv(inputs, outputs, 3, bins, residual=residual)
        self.conv2 = _FrameConv(outputs, outputs, 3, bins, 2, residual=residual)
        self.identity = _Identity(inputs, outputs, 2) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(self.conv1(x))
        return y if self.identity is None else y + self.identity(x)


class _Up(nn.Module):
    def __init__(self, inputs: int, outputs: int, config: FrameTransformer2022Config, level: int) -> None:
        super().__init__()
        self.conv = _FrameConv(inputs, outputs, 3, config.bins_at(level), residual=config.residual)
        self.identity = _Identity(inputs, outputs) if config.residual else None

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        wider = nn.functional.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=True)
        joined = torch.cat([wider, skip], dim=1)
        y: Tensor = self.conv(joined)
        return y if self.identity is None else y + self.identity(joined)


class _EncoderBlock(nn.Module):
    def __init__(self, config: FrameTransformer2022Config, channels: int, level: int) -> None:
        super().__init__()
        d, f = config.bins_at(level), config.feedforward
        self.in_project = nn.Linear(channels, 1)
        self.norm1, self.norm2, self.norm4, self.norm5 = (nn.LayerNorm(d) for _ in range(4))
        self.norm3 = nn.LayerNorm(f)
        self.glu = nn.Sequential(nn.Linear(d, 2 * d), nn.GLU())
        self.conv1L, self.conv1R = nn.Linear(d, f), nn.Conv1d(d, f // 4, 3, padding=1)
        self.conv1M = nn.Sequential(nn.Conv1d(f, f, 9, padding=4, groups=f), nn.Conv1d(f, d, 1))
        self.attn = _BandAttention(config, d)
        self.conv2, self.conv3 = nn.Linear(d, f), nn.Linear(f, d)

    def forward(self, x: Tensor) -> Tensor:
        x = _squeeze(self.in_project, x)
        x = x + self.glu(self.norm1(x))
        normed = self.norm2(x)
        right = torch.relu(_over_time(self.conv1R, normed))
        x = x + _over_time(self.conv1M, self.norm3(_padded_sum(torch.relu(self.conv1L(normed)), right)))
        normed = self.norm4(x)
        x = x + self.attn(normed, normed)
        x = x + self.conv3(torch.relu(self.conv2(self.norm5(x))).square())
        return x.transpose(1, 2)[:, None]


class _DecoderBlock(nn.Module):
    def __init__(self, config: FrameTransformer2022Config, channels: int, skip: int, level: int) -> None:
        super().__init__()
        d, f = config.bins_at(level), config.feedforward
        self._skip = config.skip
        self.in_project, self.skip_project = nn.Linear(channels, 1), nn.Linear(skip, 1)
        self._post_norm = config.post_norm
        left, right = (2 * f, f) if config.post_norm else (f // 2, f // 4)
        for number in range(1, 7):
            is_joint = number == (2 if config.post_norm else 3)
            setattr(self, f"norm{number}", nn.LayerNorm(left if is_joint else d))
        for number in (1, 2):
            setattr(self, f"self_attn{number}", _BandAttention(config, d))
            setattr(self, f"{config.skip}_attn{number}", _BandAttention(config, d))
        self.conv1L = nn.Sequential(nn.Conv1d(d, d, 11, padding=5, groups=d), nn.Conv1d(d, left, 1))
        self.conv1R = nn.Sequential(nn.Conv1d(d, d, 7, padding=3, groups=d), nn.Conv1d(d, right, 1))
        joint = nn.Conv1d(left, left, 7, padding=3, groups=left)
        self.conv2 = nn.Sequential(joint, nn.Conv1d(left, d, 1))
        self.conv3, self.conv4 = nn.Linear(d, f), nn.Linear(f, d)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x, memory = _squeeze(self.in_project, x), _squeeze(self.skip_project, skip)
        x = self._joined_after(x, memory) if self._post_norm else self._joined_before(x, memory)
        return x.transpose(1, 2)[:, None]

    def _joined_before(self, x: Tensor, memory: Tensor) -> Tensor:
        normed = self._norm(1, x)
        x = x + self._attend(1, normed) + self._attend_skip(1, normed, memory)
        x = x + self._branches(self._norm(2, x), 3)
        x = x + self._attend(2, self._norm(4, x))
        x = x + self._attend_skip(2, self._norm(5, x), memory)
        y: Tensor = x + self.conv4(torch.relu(self.conv3(self._norm(6, x))).square())
        return y

    def _joined_after(self, x: Tensor, memory: Tensor) -> Tensor:
        x = self._norm(1, x + self._attend(1, x) + self._attend_skip(1, x, memory))
        x = self._norm(3, x + self._branches(x, 2))
        x = self._norm(4, x + self._attend(2, x))
        x = self._norm(5, x + self._attend_skip(2, x, memory))
        return self._norm(6, x + self.conv4(nn.functional.silu(self.conv3(x))))

    def _branches(self, x: Tensor, norm: int) -> Tensor:
        left, right = torch.relu(_over_time(self.conv1L, x)), _over_time(self.conv1R, x)
        return _over_time(self.conv2, self._norm(norm, _padded_sum(left, right)))

    def _norm(self, number: int, x: Tensor) -> Tensor:
        y: Tensor = self.get_submodule(f"norm{number}")(x)
        return y

    def _attend(self, number: int, x: Tensor) -> Tensor:
        y: Tensor = self.get_submodule(f"self_attn{number}")(x, x)
        return y

    def _attend_skip(self, number: int, x: Tensor, memory: Tensor) -> Tensor:
        found: Tensor = self.get_submodule(f"{self._skip}_attn{number}")(x, memory)
        return found


class _BandAttention(nn.Module):
    def __init__(self, config: FrameTransformer2022Config, d: int) -> None:
        super().__init__()
        self.heads, k = config.heads, config.kernel
        for name in "qkv":
            setattr(self, f"{name}_proj", nn.Linear(d, d))
            setattr(self, f"{name}_conv", nn.Conv1d(d, d, k, padding=k // 2, groups=d))
        self.o_proj = nn.Linear(d, d)
        self.er = nn.Parameter(torch.randn(d // config.heads, config.crop))

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        q, k, v = (self._heads(name, given) for name, given in (("q", x), ("k", memory), ("v", memory)))
        transposed = (q @ self.er).transpose(2, 3)
        weights = torch.softmax((q @ k.transpose(2, 3) + transposed) / math.sqrt(x.shape[2]), dim=-1)
        y: Tensor = self.o_proj((weights @ v).transpose(1, 2).flatten(2))
        return y

    def _heads(self, name: str, x: Tensor) -> Tensor:
        y = _over_time(self.get_submodule(f"{name}_conv"), self.get_submodule(f"{name}_proj")(x))
        return y.reshape(*y.shape[:2], self.heads, -1).transpose(1, 2)


def _squeeze(project: nn.Module, x: Tensor) -> Tensor:
    """Return one channel of ``(batch, channels, bins, frames)``, as ``(batch, frames, bins)``."""
    y: Tensor = project(x.transpose(1, 3))[..., 0]
    return y


def _over_time(layer: nn.Module, x: Tensor) -> Tensor:
    y: Tensor = layer(x.transpose(1, 2)).transpose(1, 2)
    return y


def _padded_sum(wide: Tensor, narrow: Tensor) -> Tensor:
    return wide + nn.functional.pad(narrow, (0, wide.shape[2] - narrow.shape[2]))
