"""All the music of some caches, cut into crops: on a GPU from its own memory, on a CPU from the mapped files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from stream_sep.errors import ConfigError
from stream_sep.evaluation.validation_split import is_validation
from stream_sep.protocols import STEMS
from stream_sep.training.data.cache import RATE, map_song, read_index
from stream_sep.training.data.crop import TAPS, cut_crop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stream_sep.training.data.cache import CachedSong, Frames

_GRID = RATE // 2
_HEARD = 10 ** (-50 / 20)


@dataclass(frozen=True)
class StemStore:
    """One stem of many songs.

    Attributes:
        sound: int16 ``(frames, 2)``: of all songs, end to end, in a GPU's memory, so that it waits for no disk; or of
            each song, mapped from its file, so that no more of it is in memory than the system has room for.
        gain: float32 ``(songs,)``, to bring each song's mix to the same loudness.
        first: int64 ``(songs,)``, where each song begins; ``length`` is how long it is.
        length: int64 ``(songs,)``.
        weight: float32 ``(songs,)``, how often each is drawn.
        heard: int64 ``(places, 2)``: song, and a frame in it near which the stem sounds.
    """

    sound: Tensor | tuple[Frames, ...]
    gain: Tensor
    first: Tensor
    length: Tensor
    weight: Tensor
    heard: Tensor

    @property
    def songs(self) -> int:
        """How many songs have this stem."""
        return len(self.first)


@dataclass(frozen=True)
class Library:
    """What there is to train on, or to validate with.

    Attributes:
        stems: stem -> its store, for songs where it can be told from the others.
        whole: for each song that has all stems, its number in each store, ``(songs, stems)``.
        names: of the whole songs.
    """

    stems: dict[str, StemStore]
    whole: Tensor
    names: tuple[str, ...]


def load_library(
    caches: Sequence[tuple[Path, float]], *, validation: bool, percent: int, device: torch.device
) -> Library:
    """Load one side of the split of some caches.

    Args:
        caches: folders, and how often a song of each is drawn, against one of weight 1.
        validation: whether to load the songs kept for validation, or all others.
        percent: how many percent of the artists are kept.
        device: where the crops are to be; a GPU takes 20 MB a minute of music in four stems.

    Raises:
        ConfigError: a cache cannot be used, or there is nothing to train on.
    """
    builders = {stem: _StoreBuilder() for stem in STEMS}
    whole, names = [], []
    for folder, weight in caches:
        for song in read_index(folder):
            if is_validation(song.name, percent) != validation:
                continue
            rows = _add_song(builders, song, map_song(folder, song), weight)
            if len(rows) == len(STEMS):
                whole.append(rows)
                names.append(song.name)
    missing = [stem for stem, builder in builders.items() if not builder.sounds]
    if missing:
        side = "validation" if validation else "training"
        raise ConfigError(f"no song for {side} has {missing[0]!r}; add songs, or change validation_percent")
    stores = {stem: builder.build(device) for stem, builder in builders.items()}
    return Library(
        stores, torch.tensor(whole, dtype=torch.int64, device=device).reshape(-1, len(STEMS)), tuple(names)
    )


def cut(store: StemStore, songs: Tensor, starts: Tensor, rates: Tensor, frames: int) -> Tensor:
    """Return crops ``(batch, 2, frames)``, at the songs' loudness; silence where a crop leaves its song.

    Args:
        store: where to cut.
        songs: int64 ``(batch,)``.
        starts: int64 ``(batch,)``, frames from the song's beginning.
        rates: float32 ``(batch,)``: 1.1 plays a song faster, and higher, by a tenth.
        frames: length of a crop.
    """
    if isinstance(store.sound, tuple):
        rows = zip(songs.tolist(), starts.tolist(), rates.tolist(), strict=True)
        crops = torch.stack([cut_crop(store.sound[song], start, rate, frames) for song, start, rate in rows])
    else:
        crops = _cut_at_once(store, store.sound, songs, starts, rates, frames)
    return crops * store.gain[songs][:, None, None]


def _cut_at_once(  # noqa: PLR0917 - a crop is all of these
    store: StemStore, sound: Tensor, songs: Tensor, starts: Tensor, rates: Tensor, frames: int
) -> Tensor:
    """Return all crops at once, a tap at a time: what a GPU does well."""
    place = torch.arange(frames, device=sound.device) * rates.double()[:, None]
    whole = place.floor()
    part = (place - whole).float()
    where = whole.long() + starts[:, None]
    total = torch.zeros(len(songs), frames, 2, device=sound.device)
    first, length = store.first[songs][:, None], store.length[songs][:, None]
    narrow = torch.clamp(1 / rates, max=1.0)[:, None]
    taps = [0] if bool((rates == 1).all()) else range(-TAPS // 2 + 1, TAPS // 2 + 1)
    for tap in taps:
        at = where + tap
        inside = (at >= 0) & (at < length)
        heard = sound[(at.clamp(min=0).minimum(length - 1)) + first].float()
        total += heard * (_kernel(part - tap, narrow) * inside)[..., None]
    return total.transpose(1, 2)


def _kernel(distance: Tensor, narrow: Tensor) -> Tensor:
    """Return a windowed sinc, lower by as much as the sound is played faster, so that nothing folds back."""
    window = torch.cos(torch.clamp(distance / (TAPS / 2), -1, 1) * (torch.pi / 2)) ** 2
    return torch.sinc(distance * narrow) * narrow * window


def _add_song(builders: dict[str, _StoreBuilder], song: CachedSong, frames: Frames, weight: float) -> tuple[int, ...]:
    """Add the stems of a song to the stores; return its numbers there.

    Where a stem is missing, its sound may be in ``other``, which is then left out.
    """
    usable = [stem for stem in song.stems if stem != "other" or len(song.stems) in (1, len(STEMS))]
    loudness = _loudness(frames) if len(song.stems) > 1 else _loudness(frames) * 2  # a stem is softer than its mix
    return tuple(
        builders[stem].add(frames[song.stems.index(stem)], 0.1 / loudness, weight) for stem in STEMS if stem in usable
    )


def _loudness(frames: Frames) -> float:
    """Return the root mean square of the mix, in the numbers of the file, of a frame in sixteen."""
    mix = frames[:, ::16].sum(axis=0, dtype=np.float32)
    return max(float(np.sqrt(np.square(mix).mean())), 1.0)


class _StoreBuilder:
    """Collects a stem of song after song."""

    def __init__(self) -> None:
        self.sounds: list[Frames] = []
        self._gains: list[float] = []
        self._weights: list[float] = []
        self._heard: list[Tensor] = []

    def add(self, sound: Frames, gain: float, weight: float) -> int:
        number = len(self.sounds)
        self.sounds.append(sound)
        self._gains.append(gain)
        self._weights.append(weight * max(len(sound) / RATE, 1) ** 0.5)  # long songs hold more, but not for ever
        whole = sound[: len(sound) // _GRID * _GRID]
        levels = np.abs(whole).reshape(-1, _GRID * 2).max(axis=1) * gain
        places = np.flatnonzero(levels > _HEARD) * _GRID
        self._heard.append(torch.from_numpy(np.stack([np.full_like(places, number), places], axis=1)))
        return number

    def build(self, device: torch.device) -> StemStore:
        lengths = torch.tensor([len(sound) for sound in self.sounds])
        first = torch.cumsum(lengths, 0) - lengths
        return StemStore(
            tuple(map(np.asarray, self.sounds)) if device.type == "cpu" else self._end_to_end(lengths, device),
            torch.tensor(self._gains, device=device),
            first.to(device),
            lengths.to(device),
            torch.tensor(self._weights, device=device),
            torch.cat(self._heard).to(device),
        )

    def _end_to_end(self, lengths: Tensor, device: torch.device) -> Tensor:
        total = torch.empty(int(lengths.sum()), 2, dtype=torch.int16, device=device)
        at = 0
        for sound in self.sounds:
            total[at : at + len(sound)] = torch.from_numpy(np.array(sound)).to(device)
            at += len(sound)
        return total
