"""Batches of mixes that never were: stems of one song, or of as many songs as stems, each crop where it sounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stream_sep.protocols import STEMS
from stream_sep.training.data.cache import RATE
from stream_sep.training.data.store import cut

if TYPE_CHECKING:
    from stream_sep.training.data.store import Library, StemStore


@dataclass(frozen=True)
class MixConfig:
    """How mixes are put together.

    Attributes:
        same_song: share of the mixes whose stems come from one song, and one moment.
        heard: share of the other crops that are taken where their stem sounds.
        absent: chance that a stem is left out.
        speed: most by which a crop is played faster or slower, and so higher or lower: 0.2 is three semitones.
    """

    same_song: float = 0.3
    heard: float = 0.9
    absent: float = 0.08
    speed: float = 0.19


class Mixer:
    """Draws batches of stems from a library, on the library's device.

    Args:
        library: the songs.
        config: how to mix them.
        random: where all chance comes from, on the library's device.
    """

    def __init__(self, library: Library, config: MixConfig, random: torch.Generator) -> None:
        self._library, self._config, self._random = library, config, random
        self._device = library.whole.device

    def draw(self, batch: int, frames: int) -> Tensor:
        """Return stems ``(batch, 4, 2, frames)``, in the order of `STEMS`."""
        same = self._chance(batch) < self._config.same_song * (len(self._library.whole) > 0)
        rates = 1 + self._config.speed * (2 * self._chance(batch, len(STEMS)) - 1)
        rates = torch.where(same[:, None], rates[:, :1], rates)
        whole, moment = self._whole_songs(batch, frames)
        parts = []
        for number, stem in enumerate(STEMS):
            store = self._library.stems[stem]
            songs, starts = self._places(store, batch, frames)
            songs = torch.where(same, whole[:, number], songs) if len(self._library.whole) else songs
            starts = torch.where(same, moment, starts)
            parts.append(cut(store, songs, starts, rates[:, number], frames))
        present = self._chance(batch, len(STEMS)) >= self._config.absent
        return torch.stack(parts, dim=1) * present[:, :, None, None]

    def _places(self, store: StemStore, batch: int, frames: int) -> tuple[Tensor, Tensor]:
        """Draw songs by weight and a place where the stem is heard, or now and then any place."""
        songs = torch.multinomial(store.weight, batch, replacement=True, generator=self._random)
        anywhere = self._start(store.length[songs], frames)
        if not len(store.heard):
            return songs, anywhere
        weights = (
            store.weight[store.heard[:, 0]]
            / torch.bincount(store.heard[:, 0], minlength=store.songs).clamp(min=1)[store.heard[:, 0]]
        )
        drawn = store.heard[_draw(weights, batch, self._random)]
        near = drawn[:, 1] - (self._chance(batch) * frames).long()
        near = torch.minimum(near.clamp(min=-RATE // 4), (store.length[drawn[:, 0]] - frames // 2).clamp(min=0))
        heard = self._chance(batch) < self._config.heard
        return torch.where(heard, drawn[:, 0], songs), torch.where(heard, near, anywhere)

    def _whole_songs(self, batch: int, frames: int) -> tuple[Tensor, Tensor]:
        whole = self._library.whole
        if not len(whole):
            return whole, torch.zeros(batch, dtype=torch.int64, device=self._device)
        store = self._library.stems[STEMS[0]]
        weights = store.weight[whole[:, 0]]
        songs = whole[_draw(weights, batch, self._random)]
        return songs, self._start(store.length[songs[:, 0]], frames)

    def _start(self, lengths: Tensor, frames: int) -> Tensor:
        return (self._chance(len(lengths)) * (lengths - frames).clamp(min=1)).long()

    def _chance(self, *shape: int) -> Tensor:
        return torch.rand(*shape, device=self._device, generator=self._random)


def _draw(weights: Tensor, count: int, random: torch.Generator) -> Tensor:
    """Draw numbers by weight; by a search, as torch's own way ends at 16 million places."""
    sums = torch.cumsum(weights.double(), 0)
    points = torch.rand(count, device=weights.device, generator=random, dtype=torch.float64) * sums[-1]
    return torch.searchsorted(sums, points).clamp(max=len(weights) - 1)
