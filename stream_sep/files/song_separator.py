"""Separates songs into files, one after the other, with one model."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import (
    AudioFileError,
    Cancelled,
    ConfigError,
    DamagedCacheError,
    SeparatorError,
    StreamSepError,
    reason,
)
from stream_sep.files.cached_stems import read_cached
from stream_sep.files.disk_space import check_room
from stream_sep.files.finished_files import finish_files, parts_beside, room_for_files
from stream_sep.files.formats import FLOATS
from stream_sep.files.job import plan_outputs
from stream_sep.files.model_identities import ModelIdentityCache
from stream_sep.files.output_file import OutputFile
from stream_sep.files.output_record import is_done, origin_of, record_outputs
from stream_sep.files.part_files import part_path
from stream_sep.files.progress import ProgressMeter
from stream_sep.files.song import open_song
from stream_sep.files.song_models import load_song_model
from stream_sep.files.song_statistics import measure_song
from stream_sep.files.stem_cache import StemCache
from stream_sep.files.stem_mixes import single
from stream_sep.separators.windowed import add_remainder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stream_sep.files.job import SeparationJob
    from stream_sep.files.progress import Report
    from stream_sep.files.song import Song
    from stream_sep.files.song_models import SongModel
    from stream_sep.files.song_statistics import SongStatistics
    from stream_sep.files.tracks import Track
    from stream_sep.protocols import Block, Stems


@dataclass(frozen=True)
class Outcome:
    """The outcome of a song.

    Attributes:
        track: the song.
        files: its files, written or found; none if it failed.
        error: the error message if it failed, else empty.
        notes: messages about deviations from the job.
        skipped: whether the files existed already.
        cancelled: whether it was cancelled.
    """

    track: Track
    files: tuple[Path, ...] = ()
    error: str = ""
    notes: tuple[str, ...] = ()
    skipped: bool = False
    cancelled: bool = False


class SongSeparator:
    """Does a job, song by song, with a model that is loaded once.

    Args:
        job: the job.
        model: a model of the job's settings that is loaded already, such as one of a `ModelShelf`.

    Raises:
        SeparatorError: the model cannot be loaded.
        ConfigError: the job needs stems that the model does not have.
    """

    def __init__(self, job: SeparationJob, model: SongModel | None = None) -> None:
        self.job = job
        model = load_song_model(job.settings) if model is None else model
        self._plan = plan_outputs(job, model.sources)
        self._model = model.with_stems(self._plan.made)
        self._cache = StemCache(limit_gb=job.cache_gb) if job.cache_gb and self._model.cache_key else None
        if self._cache is not None:
            ModelIdentityCache(self._cache.folder).put(job.settings, self._model.cache_key)  # so that play finds them

    def targets(self, track: Track) -> tuple[Path, ...]:
        """Return the files that a track will become."""
        if self.job.format.name == "stem.mp4":
            return (self.job.target(track, "stems"),)
        return tuple(self.job.target(track, mix.name) for mix in self._plan.mixes)

    def parts(self, track: Track) -> tuple[Path, ...]:
        """Return where each of `targets` is while it is made; with ``stream`` it can be read there."""
        return tuple(part_path(target, self.job.format) for target in self.targets(track))

    def rate_for(self, song: Song) -> int:
        """Return the frames per second at which a song is separated and written.

        Raises:
            ConfigError: the format cannot hold the model's only rate.
        """
        rate = self._model.rate_for(self.job.format.rate_for(song.sample_rate))
        if self.job.format.rate_for(rate) != rate:
            raise ConfigError(f"{self.job.format.name} cannot hold the {rate} Hz of this model; take --format wav")
        return rate

    def separate(self, track: Track, report: Report) -> Outcome:
        """Make the files of a track; none of them appears before all are complete.

        Args:
            track: the song.
            report: callback that receives the progress.

        Raises:
            AudioFileError: the song cannot be read or the files not written.
            SeparatorError: memory does not suffice even for the shortest windows.
            Cancelled: ``report`` raised it.
        """
        song, targets = open_song(track.path), self.targets(track)
        notes = [song.note] if song.note else []
        settings = self._settings()
        if not self.job.overwrite and is_done(song, dict(zip(targets, settings, strict=True)), notes.append):
            return Outcome(track, targets, notes=tuple(notes), skipped=True)
        while (why := self._attempt(song, targets, report, notes)) is not None:
            less = self._model.with_less_memory()
            if less is None:
                raise SeparatorError(f"not enough memory for {track.path}, whatever was tried ({why}); free some")
            self._model, how = less
            notes.append(f"memory ran out ({why}), so that the model goes on {how}")
        self._record(song, dict(zip(targets, settings, strict=True)), notes)
        return Outcome(track, targets, notes=tuple(dict.fromkeys(notes)))

    def _settings(self) -> list[str]:
        """Return, for each target, a text of all settings that affect its content."""
        mixes = (_WHOLE,) if self.job.format.name == "stem.mp4" else self._plan.mixes
        return [self.job.describe(mix, self._model.cache_key) for mix in mixes]

    def _record(self, song: Song, settings: dict[Path, str], notes: list[str]) -> None:
        try:
            record_outputs({target: origin_of(song, text) for target, text in settings.items()})
        except OSError as error:
            folder = next(iter(settings)).parent
            notes.append(
                f"what the stems were made of cannot be noted in {folder} ({reason(error)}); they are made again"
            )

    def _attempt(self, song: Song, targets: tuple[Path, ...], report: Report, notes: list[str]) -> str | None:
        """Return None, or the error message if memory ran out."""
        try:
            try:
                self._write(song, targets, report, notes)
            except DamagedCacheError as error:
                notes.append(f"{str(error).partition(';')[0]}; the stems were made again")
                assert self._cache is not None, "it gave them"
                self._cache.remove(self._key(song))
                self._write(song, targets, report, notes)
        except (RuntimeError, MemoryError) as error:
            if not isinstance(error, MemoryError) and not any(text in str(error) for text in _NO_MEMORY):
                raise
            return str(error).partition("\n")[0][:100] or "MemoryError"
        return None

    def _write(self, song: Song, targets: tuple[Path, ...], report: Report, notes: list[str]) -> None:
        rate, meter = self.rate_for(song), ProgressMeter(report)
        statistics = self._measure(song, rate, meter, notes)
        meter.begin(statistics.frames)
        check_room(targets[0].parent, room_for_files(self.job.format, len(self._plan.mixes), statistics.frames))
        with ExitStack() as stack:
            kind = FLOATS if self.job.format.name == "stem.mp4" else self.job.format
            files = [
                stack.enter_context(OutputFile(target, rate, statistics.frames, kind, stream=self.job.stream))
                for target in parts_beside(targets, self.job.format, self._plan.mixes)
            ]
            done = 0
            for mix, stems in self._parts(song, rate, statistics, notes):
                for plan, file in zip(self._plan.mixes, files, strict=True):
                    file.write(plan.render(mix, stems, self._plan.stems))
                done += mix.shape[1]
                meter.separate(done)
            if done != statistics.frames:
                raise AudioFileError(f"{song.path} was changed while it was read; separate it again")
            meter.write()
            finish_files(self.job, song, targets, files, report=meter.write, notes=notes)

    def _measure(self, song: Song, rate: int, meter: ProgressMeter, notes: list[str]) -> SongStatistics:
        def blocks() -> Iterator[Block]:
            for block in song.blocks(rate, lambda note: None if note in notes else notes.append(note)):
                meter.read()
                yield block

        statistics = measure_song(blocks(), self._model.stft_size)
        if not statistics.frames:
            raise AudioFileError(f"{song.path} contains no audio")
        if rate != self._model.rate_for(song.sample_rate):
            notes.append(f"the stems are at {rate} Hz: {self.job.format.name} cannot hold {song.sample_rate} Hz")
        return statistics

    def _parts(
        self, song: Song, rate: int, statistics: SongStatistics, notes: list[str]
    ) -> Iterator[tuple[Block, Stems]]:
        """Yield the mix and all stems of the job, from the cache, silence, or the model."""
        names = self._plan.made
        for mix, made in self._made(song, rate, statistics, notes):
            if names == self._plan.stems and not self.job.residual:
                yield mix, made
                continue
            stems = np.zeros((len(self._plan.stems), *mix.shape), np.float32)
            stems[[self._plan.stems.index(name) for name in names]] = made
            yield mix, add_remainder(stems, mix, self._plan.stems)

    def _made(
        self, song: Song, rate: int, statistics: SongStatistics, notes: list[str]
    ) -> Iterator[tuple[Block, Stems]]:
        names, blocks = self._plan.made, song.blocks(rate)
        if statistics.peak == 0.0 or not names:  # of silence, networks make a faint noise
            return ((mix, np.zeros((len(names), *mix.shape), np.float32)) for mix in blocks)
        if self._cache is None:
            return self._model.separate(blocks, rate, statistics)
        key, frames = self._key(song), statistics.frames
        cached = self._cache.find(key, names, rate, frames, notes.append)
        if cached is not None:
            return read_cached(cached, blocks)
        parts = self._model.separate(blocks, rate, statistics)
        return self._cache.tee(parts, key, song.path, stems=names, rate=rate, frames=frames, warn=notes.append)

    def _key(self, song: Song) -> str:
        return f"{song.digest}-{self._model.cache_key}"


def attempt(separator: SongSeparator, track: Track, report: Report) -> Outcome:
    """Do a job for one track; a failure or a cancellation is stated in the outcome.

    Args:
        separator: does the job.
        track: the song.
        report: called with the progress.
    """
    try:
        return separator.separate(track, report)
    except Cancelled:
        return Outcome(track, cancelled=True)
    except StreamSepError as error:
        return Outcome(track, error=str(error))
    except Exception as error:  # noqa: BLE001 - any error is reported in the outcome, and the other songs continue
        return Outcome(track, error=f"{track.path} failed: {type(error).__name__}: {error}; please report this")


_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")

_WHOLE = single("stems")
"""Stands for all that is in a stem file."""
