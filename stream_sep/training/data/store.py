"""All the music of some caches, to be cut into crops: in the memory of a GPU, if it fits there, or on the disk."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from stream_sep.errors import ConfigError
from stream_sep.evaluation.validation_split import is_validation
from stream_sep.separators.source_groups import FOUR, SourceGroups
from stream_sep.training.data.cache import RATE, map_song, read_index
from stream_sep.training.data.levels import GRID, Levels, LevelStore, sum_of
from stream_sep.training.data.placement import fits, free_memory, notice, sample_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stream_sep.training.data.cache import CachedSong, SongFrames, SourceFrames

_ACTIVE = 10 ** (-50 / 20)
_INT16 = 32767

SILENT = -1
"""In `StemDataset.whole`: the stem is known to be silent in the song."""

OnDisk: TypeAlias = "tuple[tuple[SourceFrames, ...], ...]"
"""For each song, the sources that a stem sums."""


@dataclass(frozen=True)
class StemSamples:
    """One stem of many songs.

    Attributes:
        sound: int16 ``(frames, 2)``: of all songs, end to end, in a GPU's memory, so that it waits for no disk; or,
            of each song, its sources on the disk, so that no more of it is in memory than the system has room for.
        gain: float32 ``(songs,)``, to bring each song's mix to the same loudness.
        first: int64 ``(songs,)``, where each song begins; ``length`` is how long it is.
        length: int64 ``(songs,)``.
        weight: float32 ``(songs,)``, how often each is drawn.
        active: int64 ``(places, 2)``: song, and a frame in it near which the stem sounds.
        max_hz: float32 ``(songs,)``, frequency above which each is dull; infinite if it is not.
    """

    sound: Tensor | OnDisk
    gain: Tensor
    first: Tensor
    length: Tensor
    weight: Tensor
    active: Tensor
    max_hz: Tensor

    @property
    def songs(self) -> int:
        """Number of songs with this stem."""
        return len(self.first)


@dataclass(frozen=True)
class StemDataset:
    """The songs to train on, or to validate with.

    Attributes:
        stems: stem -> its samples, for songs that have it as a stem.
        whole: for each song all of whose stems are known, its number in the samples of each, or `SILENT`;
            ``(songs, stems)``.
        whole_length: int64 ``(songs,)``, frames of each of those.
        whole_weight: float32 ``(songs,)``, how often each is drawn.
        names: of the whole songs.
        norms: float32 ``(stems,)``, mean RMS of each stem, of mixes of the same loudness.
        device: of the training. All tensors are on it, or on the CPU if the samples do not fit in its memory.
        notice: why the samples are on the disk, if the training is on a GPU; otherwise empty.
    """

    stems: dict[str, StemSamples]
    whole: Tensor
    whole_length: Tensor
    whole_weight: Tensor
    names: tuple[str, ...]
    norms: Tensor
    device: torch.device
    notice: str = ""


def load_dataset(
    caches: Sequence[tuple[Path, float]],
    *,
    validation: bool,
    percent: int,
    device: torch.device,
    groups: SourceGroups = FOUR,
) -> StemDataset:
    """Load one side of the split of some caches.

    Args:
        caches: folders, and how often a song of each is drawn, against one of weight 1.
        validation: whether to load the songs kept for validation, or all others.
        percent: how many percent of the artists are kept.
        device: of the training. Samples that take more than a share of a GPU's free memory stay on the disk; four
            stems take 42 MB a minute.
        groups: the stems to load, and the sources that each sums.

    Raises:
        ConfigError: a cache cannot be used, or there is nothing to train on.
    """
    builder = _DatasetBuilder(groups)
    for folder, weight in caches:
        with LevelStore(folder) as levels:
            for song in read_index(folder):
                if is_validation(song.name, percent) == validation:
                    builder.add(song, map_song(folder, song), weight, levels)
    builder.refuse_missing("validation" if validation else "training")
    return builder.build(device)


class _DatasetBuilder:
    """Collects songs, stem by stem."""

    def __init__(self, groups: SourceGroups) -> None:
        self._groups = groups
        self._stems = {stem: _SamplesBuilder() for stem in groups.stems}
        self._silent: set[str] = set()  # stems that some song is known to have nothing of
        self._sources: set[str] = set()
        self._whole: list[tuple[int, ...]] = []
        self._lengths: list[int] = []
        self._weights: list[float] = []
        self._names: list[str] = []

    def add(self, song: CachedSong, frames: SongFrames, weight: float, levels: LevelStore) -> None:
        """Add the stems of a song that its sources cover."""
        known = {*song.stems, *song.silent}
        self._sources |= known
        loudness = levels.loudness(song, frames) * (1 if len(song.stems) > 1 else 2)  # a stem is softer than its mix
        rows = []
        for stem, builder in self._stems.items():
            if not self._groups.serves(stem, known) and not self._is_alone(stem, song):
                continue
            sources = [song.stems.index(name) for name in self._groups.sources_of(stem, song.stems)]
            if not sources:
                self._silent.add(stem)
                rows.append(SILENT)
                continue
            sound, measured = tuple(frames[source] for source in sources), levels.of(song, sources, frames)
            rows.append(builder.add(sound, measured, 0.1 / loudness, weight, song.max_hz))
        if len(rows) == len(self._stems) and max(rows) > SILENT:
            self._whole.append(tuple(rows))
            self._lengths.append(song.frames)
            self._weights.append(weight * _length_weight(song.frames))
            self._names.append(song.name)

    def _is_alone(self, stem: str, song: CachedSong) -> bool:
        """Return whether a song has only one source of a stem, such as a file of strings for the rest."""
        if song.stems == ("instruments",) and self._groups.named != {"vocals"}:
            return False  # all but the vocals, whatever they are
        return len(song.stems) == 1 and self._groups.sources_of(stem, song.stems) == song.stems

    def refuse_missing(self, side: str) -> None:
        """Raise a ConfigError where no song has a stem."""
        missing = [stem for stem, builder in self._stems.items() if not builder.sounds and stem not in self._silent]
        if missing or not any(builder.sounds for builder in self._stems.values()):
            has = f"the caches have {', '.join(sorted(self._sources))}; " if self._sources else ""
            name = missing[0] if missing else self._groups.stems[0]
            raise ConfigError(
                f"no song for {side} has {name!r}; {has}add songs, or change groups or validation_percent"
            )

    def build(self, device: torch.device) -> StemDataset:
        """Return the data set; its samples are on a GPU only if they fit."""
        gpu, notice_text = device, ""
        if device.type != "cpu":
            needed = sample_bytes(frames for builder in self._stems.values() for frames in builder.lengths)
            if not fits(needed, free := free_memory(gpu)):
                device, notice_text = torch.device("cpu"), notice(needed, free, gpu)
        whole = torch.tensor(self._whole, dtype=torch.int64, device=device).reshape(-1, len(self._stems))
        return StemDataset(
            {stem: builder.build(device) for stem, builder in self._stems.items()},
            whole,
            torch.tensor(self._lengths, dtype=torch.int64, device=device),
            torch.tensor(self._weights, device=device),
            tuple(self._names),
            torch.tensor([builder.norm for builder in self._stems.values()]),
            gpu,
            notice_text,
        )


class _SamplesBuilder:
    """Collects a stem of many songs."""

    def __init__(self) -> None:
        self.sounds: list[tuple[SourceFrames, ...]] = []
        self._gains: list[float] = []
        self._weights: list[float] = []
        self._norms: list[float] = []
        self._active: list[Tensor] = []
        self._max_hz: list[float] = []

    def add(self, sound: tuple[SourceFrames, ...], levels: Levels, gain: float, weight: float, max_hz: float) -> int:
        number, frames = len(self.sounds), len(sound[0])
        self.sounds.append(sound)
        self._gains.append(gain)
        self._weights.append(weight * _length_weight(frames))
        self._norms.append(gain * levels.power**0.5)
        self._max_hz.append(max_hz or math.inf)
        places = np.flatnonzero(levels.peaks * gain > _ACTIVE) * GRID
        self._active.append(torch.from_numpy(np.stack([np.full_like(places, number), places], axis=1)))
        return number

    @property
    def lengths(self) -> list[int]:
        """Frames of each song."""
        return [len(sound[0]) for sound in self.sounds]

    @property
    def norm(self) -> float:
        """Mean RMS of the songs, each at its gain."""
        return float(np.mean(self._norms)) if self._norms else 0.0

    def build(self, device: torch.device) -> StemSamples:
        lengths = torch.tensor(self.lengths, dtype=torch.int64)
        first = torch.cumsum(lengths, 0) - lengths
        gains = torch.tensor(self._gains, dtype=torch.float32)
        on_disk: Tensor | OnDisk = tuple(self.sounds)
        sound = on_disk if device.type == "cpu" else self._end_to_end(lengths, gains, device)
        active = torch.cat(self._active) if self._active else torch.zeros(0, 2, dtype=torch.int64)
        weights, max_hz = (torch.tensor(each, dtype=torch.float32) for each in (self._weights, self._max_hz))
        return StemSamples(sound, *(each.to(device) for each in (gains, first, lengths, weights, active, max_hz)))

    def _end_to_end(self, lengths: Tensor, gains: Tensor, device: torch.device) -> Tensor:
        """Copy all sounds to a GPU; where the sum of sources is too loud for 16 bits, its gain makes up for it."""
        total = torch.empty(int(lengths.sum()), 2, dtype=torch.int16, device=device)
        at = 0
        for number, sources in enumerate(self.sounds):
            mixed = sum_of(sources, slice(None))
            scale = max(1.0, float(np.abs(mixed).max(initial=0)) / _INT16)
            gains[number] *= scale
            total[at : at + len(mixed)] = torch.from_numpy(np.rint(mixed / scale).astype(np.int16)).to(device)
            at += len(mixed)
        return total


def _length_weight(frames: int) -> float:
    return math.sqrt(max(frames / RATE, 1))  # long songs have more to offer, but with diminishing returns
