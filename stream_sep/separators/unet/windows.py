"""Separation of windows with a U-Net: STFT of mid and side, masks that add up to 1, inverse STFT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from stream_sep.separators.unet.network import MULTIPLE

if TYPE_CHECKING:
    from stream_sep.protocols import Block, Stems

N_FFT, HOP = 2048, 512
WINDOW = 2 * 44100
"""Frames per window in playback: 2 s, as in the paper."""

_TINY = 1e-8
_AT_ONCE = 8  # windows of a song in one batch


def separate_window(network: nn.Module, mix: Tensor) -> Tensor:
    """Return the stems of windows, each separated by itself; they add up to it.

    Shape:
        mix: ``(batch, 2, frames)``
        stems: ``(batch, groups, 2, frames)``
    """
    middle = torch.stack([mix[:, 0] + mix[:, 1], mix[:, 0] - mix[:, 1]], dim=1) / 2
    window = torch.hann_window(N_FFT, device=mix.device)
    flat = middle.flatten(0, 1).float()
    spectra = torch.stft(flat, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True)
    spectra = spectra.reshape(len(mix), 2, *spectra.shape[1:])
    parts = masks_of(network, spectra) * spectra[:, None]
    sound = torch.istft(parts.flatten(0, 2), N_FFT, HOP, window=window, length=mix.shape[-1])
    mid, side = sound.reshape(len(mix), -1, 2, mix.shape[-1]).unbind(dim=2)
    return torch.stack([mid + side, mid - side], dim=2)


def masks_of(network: nn.Module, spectra: Tensor) -> Tensor:
    """Return masks of mid and side for each group, which add up to 1.

    Shape:
        spectra: complex ``(batch, 2, bins, frames)``
        masks: ``(batch, groups, 2, bins, frames)``
    """
    magnitudes = spectra.abs()
    level = magnitudes.mean(dim=(1, 2, 3), keepdim=True) + _TINY
    bins, frames = spectra.shape[2] - 1, spectra.shape[3]  # the Nyquist bin takes the mask of the one below
    seen = nn.functional.pad(torch.log1p(magnitudes[:, :, :bins] / level), (0, -frames % MULTIPLE))
    logits = network(seen)[..., :frames].float()
    masks = torch.softmax(logits.reshape(len(logits), -1, 2, bins, frames), dim=1)
    return torch.cat([masks, masks[..., -1:, :]], dim=3)


def separate_song(network: nn.Module, mix: Tensor) -> Tensor:
    """Return the stems of a song of any length, in windows that overlap by half and fade into each other.

    Shape:
        mix: ``(batch, 2, frames)``
        stems: ``(batch, groups, 2, frames)``
    """
    half, frames = WINDOW // 2, mix.shape[-1]
    count = -(-frames // half) + 1
    padded = nn.functional.pad(mix, (half, (count + 1) * half - half - frames))
    windows = padded.unfold(-1, WINDOW, half).transpose(1, 2).flatten(0, 1)
    made = torch.cat([separate_window(network, part) for part in torch.split(windows, _AT_ONCE)])
    faded = (made * fade_window(WINDOW, mix.device)).reshape(len(mix), count, *made.shape[1:])
    first, second = faded[..., :half], faded[..., half:]
    total = (first[:, 1:] + second[:, :-1]).permute(0, 2, 3, 1, 4).flatten(-2)
    joined: Tensor = total[..., :frames]
    return joined


def fade_window(window: int, device: torch.device | None = None) -> Tensor:
    """Return a Hann window that adds up to 1 with itself, half a window on.

    Args:
        window: frames, an even number.
        device: a torch device.
    """
    return torch.hann_window(window, device=device)


class UNetWindows:
    """A U-Net as a `WindowModel`.

    Args:
        network: it.
        stems: names of its groups.
        device: where torch computes.
    """

    sample_rate, channels = 44100, 2

    def __init__(self, network: nn.Module, stems: tuple[str, ...], device: str = "cpu") -> None:
        self._network, self.stems, self._device = network.to(device).eval(), stems, device

    def __call__(self, window: Block) -> Stems:
        """Return the stems of a window, ``(stems, 2, frames)``; non-finite numbers become silence."""
        finite = np.nan_to_num(window, nan=0.0, posinf=0.0, neginf=0.0)
        with torch.inference_mode():
            mix = torch.from_numpy(finite).to(self._device)
            stems: Stems = separate_window(self._network, mix[None])[0].cpu().numpy()
        return stems
