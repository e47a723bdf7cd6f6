"""The losses of a training: the error of each stem in decibels, and the error of its spectrum's loudness.

The first is the score itself, uSDR: an average in decibels, in which a soft song counts as much as a loud one, where
an L1 of waveforms is dominated by the loud ones. For an absent stem the target is silence: energies are compared
with a share of the mix's, `_SHARE`, below which nothing counts, so that no stem is pushed towards nothing for ever
(after Wisdom et al. 2020). The second keeps quiet partials and reverberation from being bought off by a loud bass.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stream_sep.errors import ConfigError
from stream_sep.training.data.cache import RATE

LOSSES = ("energy", "l1", "volume")
"""``energy`` is the above; ``l1`` the plain waveform error, which the papers of TasNets use; ``volume`` the same,
weighted so that loud and soft stems count alike (Oh et al. 2018, "Spectrogram-Channels U-Net")."""

_SHARE = 1e-3
_EPSILON = 1e-8
_SPECTRA = (4096, 1024)
_SILENT = 1e-3  # of the loudest stem's norm: the dither of a silent file is no stem
_EDGE = 0.05  # share of its frequency over which a filter falls


class StemLoss(nn.Module):
    """Compares estimated with true stems.

    Args:
        kind: one of `LOSSES`.
        spectral: how much the compressed spectra count, against decibels.
        weights: how much each stem counts in ``volume``, ``(stems,)``, as of `volume_weights`; alike unless given.

    Raises:
        ConfigError: unknown loss.
    """

    def __init__(self, kind: str = "energy", spectral: float = 1.0, weights: Tensor | None = None) -> None:
        super().__init__()
        if kind not in LOSSES:
            raise ConfigError(f"unknown loss {kind!r}; choose one of: {', '.join(LOSSES)}")
        self.register_buffer("weights", weights if kind == "volume" else None, persistent=False)
        self._kind, self._spectral = kind, spectral
        for size in _SPECTRA:
            self.register_buffer(f"window_{size}", torch.hann_window(size), persistent=False)

    def forward(self, estimates: Tensor, stems: Tensor, max_hz: Tensor | None = None) -> Tensor:
        """Return one number of two ``(batch, stems, 2, frames)``.

        Args:
            estimates: ``(batch, stems, 2, frames)``.
            stems: the true stems, ``(batch, stems, 2, frames)``.
            max_hz: ``(batch,)``, frequency up to which each mix counts; all of it unless given, or where infinite.
        """
        if max_hz is not None:
            estimates, stems = below(estimates, max_hz), below(stems, max_hz)
        loss = self._energies(estimates, stems) if self._kind == "energy" else self._l1(estimates, stems)
        return loss + self._spectral * self._spectra(estimates, stems) if self._spectral else loss

    def _energies(self, estimates: Tensor, stems: Tensor) -> Tensor:
        error = (estimates - stems).square().mean(dim=(2, 3))
        truth = stems.square().mean(dim=(2, 3))
        floor = _SHARE * stems.sum(dim=1).square().mean(dim=(1, 2))[:, None] + _EPSILON
        return (10 * torch.log10((error + floor) / (truth + floor))).mean()

    def _l1(self, estimates: Tensor, stems: Tensor) -> Tensor:
        level = stems.sum(dim=1).square().mean(dim=(1, 2)).sqrt() + _EPSILON
        errors = (estimates - stems).abs().mean(dim=(2, 3)) / level[:, None]
        return errors.mean() if self.weights is None else (errors * self.get_buffer("weights")).sum(dim=1).mean()

    def _spectra(self, estimates: Tensor, stems: Tensor) -> Tensor:
        level = stems.sum(dim=1).square().mean(dim=(1, 2)).sqrt()[:, None, None, None] + _EPSILON
        both = torch.cat([estimates / level, stems / level]).flatten(0, 2)
        total = both.new_zeros(())
        for size in _SPECTRA:
            window = self.get_buffer(f"window_{size}")
            loudness = torch.stft(both, size, size // 2, window=window, return_complex=True).abs()
            compressed = (loudness / size**0.5 + 1e-4).pow(0.4)
            estimated, true = compressed.chunk(2)
            total = total + (estimated - true).abs().mean() * 10
        return total / len(_SPECTRA)


def below(sound: Tensor, max_hz: Tensor) -> Tensor:
    """Return sound low-passed at a frequency, such as the bandwidth of its true stems.

    Args:
        sound: ``(batch, stems, 2, frames)``.
        max_hz: ``(batch,)``, where the filter has come to nothing; infinite for sound that stays as it is.
    """
    rows = torch.isfinite(max_hz).nonzero().flatten()
    if not len(rows):
        return sound
    frames, limits = sound.shape[-1], max_hz[rows, None, None, None]
    hz = torch.fft.rfftfreq(frames, 1 / RATE, device=sound.device)
    gain = ((limits - hz) / (_EDGE * limits)).clamp(0, 1)
    filtered = torch.fft.irfft(torch.fft.rfft(sound[rows]) * gain, frames)
    return sound.index_copy(0, rows, filtered)


def volume_weights(norms: Tensor) -> Tensor:
    """Return how much each stem counts so that all count alike: in inverse proportion to its mean norm.

    A stem that is silent in all songs, as vocals are in Slakh2100, counts nothing: no error of it is too small to
    outweigh those of all others.

    Args:
        norms: ``(stems,)``, mean RMS of each.

    Returns:
        ``(stems,)``, of the sum 1.

    Raises:
        ConfigError: all stems are silent.

    >>> [round(weight, 3) for weight in volume_weights(torch.tensor([1.0, 2.41, 0.0])).tolist()]
    [0.707, 0.293, 0.0]
    """
    if not norms.max() > 0:
        raise ConfigError(
            "every stem is silent in every song; a training with loss = 'volume' needs stems that sound"
        )
    inverse = torch.where(norms > _SILENT * norms.max(), 1 / norms, 0.0)
    weights: Tensor = inverse / inverse.sum()
    return weights
