"""Augmentation of stems and mixes, a whole batch at once, on the training device.

Effects on one stem may be anything, as its target goes through them too. Effects on the mix must leave the sum of
the stems the mix: one gain over time for all, one filter for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stream_sep.training.data.cache import RATE


@dataclass(frozen=True)
class AugmentConfig:
    """Probability of each effect on a stem or a mix, from 0 to 1, and its range.

    Attributes:
        gain_db: largest random gain of a stem, up or down.
        tone: a smooth random EQ on a stem, of at most ``tone_db``.
        tone_db: largest gain of that EQ, up or down.
        swap: left and right exchanged.
        flip: polarity inverted.
        width: a stem made wider or narrower; mono in one case of four.
        pan: a stem panned.
        saturation: a stem overdriven.
        reverb: a short reverb on a stem.
        compress: a compressor on a stem.
        bus_compression: a compressor on the mix.
        lowpass: the mix without its highest octave, as after lossy codecs and in old recordings.
        mono: the mix is mono.
        single_side: the mix is on one side only.
        mixup: a mix and its stems blended with another of the batch (Zhang et al. 2018).
        mixup_alpha: both parameters of the beta distribution of the blend.
    """

    gain_db: float = 7.0
    tone: float = 0.5
    tone_db: float = 6.0
    swap: float = 0.5
    flip: float = 0.5
    width: float = 0.25
    pan: float = 0.15
    saturation: float = 0.1
    reverb: float = 0.15
    compress: float = 0.15
    bus_compression: float = 0.3
    lowpass: float = 0.1
    mono: float = 0.05
    single_side: float = 0.02
    mixup: float = 0.0
    mixup_alpha: float = 0.4


class Augmenter:
    """Augments batches of stems at random.

    Args:
        config: the probabilities and amounts.
        random: the random generator, on the device of the batches.
    """

    def __init__(self, config: AugmentConfig, random: torch.Generator) -> None:
        self._config, self._random = config, random

    def augment(self, stems: Tensor) -> Tensor:
        """Return stems ``(batch, stems, 2, frames)`` as they will be in the mix, which is their sum."""
        batch, count, channels, frames = stems.shape
        changed = self.augment_stems(stems.reshape(batch * count, channels, frames))
        return self.augment_mixes(changed.reshape(stems.shape))

    def limits(self, max_hz: Tensor) -> Tensor:
        """Return the frequencies above which augmented mixes have a dull stem, of those of the mixes before.

        Args:
            max_hz: ``(batch,)``.
        """
        return torch.minimum(max_hz, max_hz.roll(1)) if self._config.mixup else max_hz

    def augment_stems(self, sound: Tensor) -> Tensor:
        """Return ``(batch, 2, frames)``, each item augmented at random."""
        config = self._config
        sound = self._some(config.saturation, sound, self._saturate)
        sound = self._some(config.tone, sound, self._toned)
        sound = self._some(config.compress, sound, lambda part: part * self._compression(part))
        sound = self._some(config.reverb, sound, self._reverb)
        sound = self._some(config.width, sound, self._widened)
        sound = self._some(config.pan, sound, self._panned)
        sound = self._some(config.swap, sound, lambda part: part.flip(1))
        sound = self._some(config.flip, sound, lambda part: -part)
        gains: Tensor = 10 ** (config.gain_db / 20 * self._signed(len(sound), 1, 1))
        return sound * gains

    def augment_mixes(self, stems: Tensor) -> Tensor:
        """Return ``(batch, stems, 2, frames)`` after the augmentations of whole mixes."""
        config = self._config
        if config.mixup:
            stems = self._blended(stems)
        stems = self._some(
            config.bus_compression, stems, lambda part: part * self._compression(part.sum(dim=1))[:, None]
        )
        stems = self._some(config.lowpass, stems, self._lowpass)
        stems = self._some(config.mono, stems, lambda part: part.mean(dim=2, keepdim=True).expand_as(part))
        return self._some(config.single_side, stems, self._single_side)

    def _blended(self, stems: Tensor) -> Tensor:
        """Return some mixes blended with their neighbours in the batch."""
        share = self._beta(len(stems), self._config.mixup_alpha)
        share = torch.where(self._uniform(len(stems)) < self._config.mixup, share, 1.0)[:, None, None, None]
        return share * stems + (1 - share) * stems.roll(1, dims=0)

    def _beta(self, count: int, alpha: float) -> Tensor:
        """Draw from a beta distribution with both parameters alike: the first of some tries (Johnk 1964)."""
        x, y = (self._uniform(count, 16) ** (1 / alpha) for _ in range(2))
        first = ((x + y > 0) & (x + y <= 1)).int().argmax(dim=1, keepdim=True)
        share: Tensor = (x / (x + y).clamp(min=1e-30)).gather(1, first)[:, 0]
        return share

    def _some(self, chance: float, sound: Tensor, effect) -> Tensor:  # type: ignore[no-untyped-def] # noqa: ANN001 - Tensor to Tensor
        """Run an effect on those of a batch that chance picks."""
        chosen = (self._uniform(len(sound)) < chance).nonzero()[:, 0]
        if not len(chosen):
            return sound
        changed: Tensor = sound.index_copy(0, chosen, effect(sound[chosen]))
        return changed

    def _toned(self, sound: Tensor) -> Tensor:
        """Three bumps or dips, each an octave or more wide, anywhere from 40 Hz up."""
        octaves = torch.log2(_frequencies(sound).clamp(min=20.0) / 40.0)
        curve = torch.zeros(len(sound), len(octaves), device=sound.device)
        for _ in range(3):
            centre, width = 9 * self._uniform(len(sound), 1), 0.7 + 2 * self._uniform(len(sound), 1)
            height = self._config.tone_db * self._signed(len(sound), 1)
            curve = curve + height * torch.exp(-(((octaves - centre) / width) ** 2))
        return _filtered(sound, 10 ** (curve / 20)[:, None])

    def _lowpass(self, stems: Tensor) -> Tensor:
        corner = 4000.0 * 4 ** self._uniform(len(stems), 1)
        curve = 1 / (1 + (_frequencies(stems) / corner) ** 24).sqrt()
        return _filtered(stems, curve[:, None, None])

    def _saturate(self, sound: Tensor) -> Tensor:
        level = _level(sound)
        push = 10 ** (1.5 * self._uniform(len(sound), 1, 1)) / (level + 1e-6) / 3
        driven = torch.tanh(sound * push)
        return driven * (level / (_level(driven) + 1e-6))

    def _reverb(self, sound: Tensor) -> Tensor:
        """Noise that dies away within 0.1 to 0.6 s, unlike on both sides, 8 to 22 dB under the sound."""
        frames = RATE // 2
        time = torch.arange(frames, device=sound.device) / RATE
        decay = 0.1 + 0.5 * self._uniform(len(sound), 1, 1)
        noise = torch.randn(len(sound), 2, frames, device=sound.device, generator=self._random)
        tail = noise * torch.exp(-6.9 * time / decay)
        size = 1 << (sound.shape[-1] + frames - 1).bit_length()
        wet = torch.fft.irfft(torch.fft.rfft(sound, size) * torch.fft.rfft(tail, size), size)[..., : sound.shape[-1]]
        amount = 10 ** (-(8 + 14 * self._uniform(len(sound), 1, 1)) / 20)
        gain: Tensor = amount * _level(sound) / (_level(wet) + 1e-6)
        roomy: Tensor = sound + wet * gain
        return roomy

    def _compression(self, sound: Tensor) -> Tensor:
        """Return a gain over time, ``(batch, 1, frames)``: 2:1 to 8:1 above a threshold near the mean level."""
        span = 441
        energy = sound.square().mean(dim=1, keepdim=True)
        energy = torch.nn.functional.avg_pool1d(energy, span, span, ceil_mode=True)
        smooth = torch.nn.functional.max_pool1d(energy, 9, 1, 4)
        smooth = torch.nn.functional.avg_pool1d(smooth, 9, 1, 4, count_include_pad=False)
        threshold = _level(sound).square() * 10 ** (self._signed(len(sound), 1, 1) * 0.6)
        slope = 0.5 + 0.375 * self._uniform(len(sound), 1, 1)
        over = torch.log2((smooth + 1e-12) / (threshold + 1e-12)).clamp(min=0)
        gain = torch.exp2(-over * slope / 2)
        smooth_gain: Tensor = torch.nn.functional.interpolate(gain, sound.shape[-1], mode="linear")
        return smooth_gain

    def _widened(self, sound: Tensor) -> Tensor:
        mid, side = sound.mean(dim=1, keepdim=True), (sound[:, :1] - sound[:, 1:]) / 2
        amount = self._uniform(len(sound), 1, 1)
        side = side * torch.where(amount < 0.25, torch.zeros_like(amount), 0.3 + 1.2 * amount)
        return torch.cat([mid + side, mid - side], dim=1)

    def _panned(self, sound: Tensor) -> Tensor:
        """Turn the stereo picture by up to a quarter of a circle's eighth, at equal power."""
        angle = torch.pi / 4 * self._signed(len(sound), 1)
        cosine, sine = torch.cos(angle), torch.sin(angle)
        left, right = sound[:, 0], sound[:, 1]
        return torch.stack([cosine * left - sine * right, sine * left + cosine * right], dim=1)

    def _single_side(self, stems: Tensor) -> Tensor:
        left = (self._uniform(len(stems), 1, 1) < 0.5).float()
        return stems * torch.stack([left, 1 - left], dim=2)

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, device=self._random.device, generator=self._random)

    def _signed(self, *shape: int) -> Tensor:
        return 2 * self._uniform(*shape) - 1


def _level(sound: Tensor) -> Tensor:
    """Return the root mean square, ``(batch, 1, 1)``."""
    level: Tensor = sound.square().mean(dim=(1, 2), keepdim=True).sqrt()
    return level


def _frequencies(sound: Tensor) -> Tensor:
    frequencies: Tensor = torch.fft.rfftfreq(sound.shape[-1], 1 / RATE, device=sound.device)
    return frequencies


def _filtered(sound: Tensor, curve: Tensor) -> Tensor:
    """Return sound with its spectrum, of the whole crop, multiplied by ``curve``: a filter that delays nothing."""
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(sound) * curve, sound.shape[-1])
    return filtered
