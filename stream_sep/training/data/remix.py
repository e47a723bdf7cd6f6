"""Batches of random mixes: stems of one song, or of as many songs as stems, cropped where they are active."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from stream_sep.training.data.cache import RATE
from stream_sep.training.data.crop import crop
from stream_sep.training.data.store import SILENT

if TYPE_CHECKING:
    from stream_sep.training.data.store import StemDataset, StemSamples

_VOICE = "vocals"


@dataclass(frozen=True)
class MixConfig:
    """The settings of random mixes.

    Attributes:
        same_song: share of the mixes whose stems come from the same position of one song.
        active_probability: share of the other crops that are taken where their stem is not silent.
        missing_stem_probability: probability that a stem is left out.
        speed: largest change of a crop's speed, and with it of its pitch; 0.2 is three semitones.
        extra_vocals: share of the mixes whose vocals get a second voice, at a random level.
        one_sided_vocals: share of the voices that lose a channel, the left or the right one, while the other stems
            keep both.
    """

    same_song: float = 0.3
    active_probability: float = 0.9
    missing_stem_probability: float = 0.08
    speed: float = 0.19
    extra_vocals: float = 0.0
    one_sided_vocals: float = 0.0


class Batch(NamedTuple):
    """Some mixes.

    Attributes:
        stems: ``(batch, stems, 2, frames)``, in the order of the data set.
        max_hz: ``(batch,)``, frequency above which a mix has a dull stem; infinite if it has none.
    """

    stems: Tensor
    max_hz: Tensor


class RemixSampler:
    """Draws batches of stems from a data set, on the data set's device.

    Args:
        dataset: the songs.
        config: how to mix them.
        random: the random generator, on the data set's device.
    """

    def __init__(self, dataset: StemDataset, config: MixConfig, random: torch.Generator) -> None:
        self._dataset, self._config, self._random = dataset, config, random
        self._device = dataset.whole.device

    def sample(self, batch: int, frames: int) -> Batch:
        """Return some mixes.

        Args:
            batch: number of mixes.
            frames: length of each.
        """
        stems, has_whole = self._dataset.stems, len(self._dataset.whole) > 0
        same = self._chance(batch) < self._config.same_song * has_whole
        rates = 1 + self._config.speed * (2 * self._chance(batch, len(stems)) - 1)
        rates = torch.where(same[:, None], rates[:, :1], rates)
        whole, moment = self._whole_songs(batch, frames)
        parts, limits = [], []
        for number, samples in enumerate(stems.values()):
            songs, starts = self._places(samples, batch, frames)
            songs = torch.where(same, whole[:, number], songs) if has_whole else songs
            starts = torch.where(same, moment, starts)
            parts.append(self._cut(samples, songs, starts, rates[:, number], frames))
            limits.append(_max_hz(samples, songs) * rates[:, number])
        present = self._chance(batch, len(stems)) >= self._config.missing_stem_probability
        limit = torch.where(present, torch.stack(limits, dim=1), math.inf).amin(dim=1)
        mixed = Batch(torch.stack(parts, dim=1) * present[:, :, None, None], limit)
        return self._with_second_voice(mixed) if self._config.extra_vocals and _VOICE in stems else mixed

    def _with_second_voice(self, mixed: Batch) -> Batch:
        """Add another voice, at a level from nothing to its own, to the vocals of some mixes."""
        batch, _, _, frames = mixed.stems.shape
        samples, number = self._dataset.stems[_VOICE], list(self._dataset.stems).index(_VOICE)
        songs, starts = self._places(samples, batch, frames)
        voices = self._cut(samples, songs, starts, torch.ones(batch, device=self._device), frames)
        level = self._chance(batch) * (self._chance(batch) < self._config.extra_vocals)
        added = mixed.stems.clone()
        added[:, number] += level[:, None, None] * voices
        limit = torch.where(level > 0, _max_hz(samples, songs), math.inf)
        return Batch(added, torch.minimum(mixed.max_hz, limit))

    def _cut(self, samples: StemSamples, songs: Tensor, starts: Tensor, rates: Tensor, frames: int) -> Tensor:
        """Return crops, of voices some with a silent channel."""
        crops, share = crop(samples, songs, starts, rates, frames), self._config.one_sided_vocals
        if not share or samples is not self._dataset.stems.get(_VOICE):
            return crops
        is_one_sided, side = self._chance(len(songs)) < share, (self._chance(len(songs)) < 0.5).long()
        muted = is_one_sided[:, None] & (torch.arange(2, device=self._device) == side[:, None])
        return crops.masked_fill(muted[:, :, None], 0.0)

    def _places(self, samples: StemSamples, batch: int, frames: int) -> tuple[Tensor, Tensor]:
        """Draw songs by weight and a place where the stem is active, or now and then any place."""
        if not samples.songs:  # known to be silent in every song
            zeros = torch.zeros(batch, dtype=torch.int64, device=self._device)
            return zeros, zeros
        songs = torch.multinomial(samples.weight, batch, replacement=True, generator=self._random)
        anywhere = self._start(samples.length[songs], frames)
        if not len(samples.active):
            return songs, anywhere
        of_song = samples.active[:, 0]
        weights = samples.weight[of_song] / torch.bincount(of_song, minlength=samples.songs).clamp(min=1)[of_song]
        drawn = samples.active[_draw(weights, batch, self._random)]
        near = drawn[:, 1] - (self._chance(batch) * frames).long()
        near = torch.minimum(near.clamp(min=-RATE // 4), (samples.length[drawn[:, 0]] - frames // 2).clamp(min=0))
        active = self._chance(batch) < self._config.active_probability
        return torch.where(active, drawn[:, 0], songs), torch.where(active, near, anywhere)

    def _whole_songs(self, batch: int, frames: int) -> tuple[Tensor, Tensor]:
        whole = self._dataset.whole
        if not len(whole):
            return whole, torch.zeros(batch, dtype=torch.int64, device=self._device)
        songs = _draw(self._dataset.whole_weight, batch, self._random)
        return whole[songs], self._start(self._dataset.whole_length[songs], frames)

    def _start(self, lengths: Tensor, frames: int) -> Tensor:
        return (self._chance(len(lengths)) * (lengths - frames).clamp(min=1)).long()

    def _chance(self, *shape: int) -> Tensor:
        return torch.rand(*shape, device=self._device, generator=self._random)


def _max_hz(samples: StemSamples, songs: Tensor) -> Tensor:
    """Return the bandwidth of each song; infinite if it is full."""
    if not samples.songs:
        return torch.full((len(songs),), math.inf, device=songs.device)
    return torch.where(songs == SILENT, math.inf, samples.max_hz[songs.clamp(min=0)])


def _draw(weights: Tensor, count: int, random: torch.Generator) -> Tensor:
    """Draw numbers by weight; by a search, as torch's own way ends at 16 million places."""
    sums = torch.cumsum(weights.double(), 0)
    points = torch.rand(count, device=weights.device, generator=random, dtype=torch.float64) * sums[-1]
    return torch.searchsorted(sums, points).clamp(max=len(weights) - 1)
