"""One song after the other through one model, into files."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import AudioFileError, SeparatorError
from stream_sep.files.formats import FLOATS
from stream_sep.files.job import make_plan
from stream_sep.files.model_identities import ModelMemory
from stream_sep.files.output_file import OutputFile
from stream_sep.files.song import measure_level, open_song
from stream_sep.files.song_models import load_stem_maker
from stream_sep.files.stem_cache import StemCache, read_kept
from stream_sep.files.stem_mp4 import write_stem_file
from stream_sep.files.tags import find_tags, keep_tags
from stream_sep.separators.windowed import add_remainder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from stream_sep.files.job import Job
    from stream_sep.files.song import Level, Song
    from stream_sep.files.tracks import Track
    from stream_sep.protocols import Block, Stems


@dataclass(frozen=True)
class Outcome:
    """What became of a song.

    Attributes:
        track: the song.
        files: the files made of it, or found; none where it failed.
        failure: the sentence that says why it failed, or nothing.
        remarks: sentences on what was done otherwise than asked.
        found: whether the files were there before.
    """

    track: Track
    files: tuple[Path, ...] = ()
    failure: str = ""
    remarks: tuple[str, ...] = ()
    found: bool = False


class SongSeparator:
    """Does a job, song by song, with a model that is loaded once.

    Args:
        job: what to do.

    Raises:
        SeparatorError: the model cannot be loaded.
        ConfigError: the job asks for stems that the model does not have.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._maker = load_stem_maker(job.recipe)
        self._plan = make_plan(job, self._maker.sources)
        self._maker = self._maker.only(self._plan.made)
        self._cache = StemCache(limit_gb=job.cache_gb) if job.cache_gb and self._maker.identity else None
        if self._cache is not None:
            ModelMemory(self._cache.folder).note(job.recipe, self._maker.identity)  # so that play finds its stems

    def targets(self, track: Track) -> tuple[Path, ...]:
        """Return the files that a track will become."""
        if self.job.format.name == "stem.mp4":
            return (self.job.target(track, "stems"),)
        return tuple(self.job.target(track, mix.name) for mix in self._plan.mixes)

    def separate(self, track: Track, report: Callable[[float], None]) -> Outcome:
        """Make the files of a track; none of them appears before all are whole.

        Args:
            track: the song.
            report: told, again and again, which share of the song is done, from 0 to 1.

        Raises:
            AudioFileError: the song cannot be read or the files not written.
            SeparatorError: memory does not suffice even for the shortest windows.
        """
        targets = self.targets(track)
        if not self.job.overwrite and _are_newer(targets, track.path):
            return Outcome(track, targets, found=True)
        song = open_song(track.path)
        remarks = [song.remark] if song.remark else []
        while (why := self._attempt(song, targets, report, remarks)) is not None:
            smaller = self._maker.smaller()
            if smaller is None:
                raise SeparatorError(f"not enough memory for {track.path}, whatever was tried ({why}); free some")
            self._maker, how = smaller
            remarks.append(f"memory ran out ({why}), so that the model goes on {how}")
        return Outcome(track, targets, remarks=tuple(remarks))

    def _attempt(
        self, song: Song, targets: tuple[Path, ...], report: Callable[[float], None], remarks: list[str]
    ) -> str | None:
        """Return None, or, where memory ran out, what was said about it."""
        try:
            self._write(song, targets, report, remarks)
        except (RuntimeError, MemoryError) as error:
            if not isinstance(error, MemoryError) and not any(text in str(error) for text in _NO_MEMORY):
                raise
            return str(error).partition("\n")[0][:100] or "MemoryError"
        return None

    def _write(
        self, song: Song, targets: tuple[Path, ...], report: Callable[[float], None], remarks: list[str]
    ) -> None:
        rate = self._maker.rate_for(song.sample_rate)
        level = measure_level(song.blocks(rate))
        if not level.frames:
            raise AudioFileError(f"{song.path} holds no sound")
        with ExitStack() as stack:
            files = []
            for target in self._beside(targets):
                kind = FLOATS if self.job.format.name == "stem.mp4" else self.job.format
                file = OutputFile(target, rate, level.frames, kind, stream=self.job.stream)
                stack.callback(file.discard)
                files.append(file)
            for file in files:
                file.open()
            done = 0
            for mix, stems in self._parts(song, rate, level):
                for plan, file in zip(self._plan.mixes, files, strict=True):
                    file.write(plan.render(mix, stems, self._plan.stems))
                done += mix.shape[1]
                report(done / level.frames)
            self._finish(song, targets, files, remarks)

    def _beside(self, targets: tuple[Path, ...]) -> tuple[Path, ...]:
        if self.job.format.name != "stem.mp4":
            return targets
        return tuple(targets[0].with_name(f"{targets[0].name}.{mix.name}.wav") for mix in self._plan.mixes)

    def _parts(self, song: Song, rate: int, level: Level) -> Iterator[tuple[Block, Stems]]:
        """Give the mix and all stems that are needed, from the cache, silence, or the model."""
        names = self._plan.made
        for mix, made in self._made(song, rate, level):
            if names == self._plan.stems and not self.job.residual:
                yield mix, made
                continue
            stems = np.zeros((len(self._plan.stems), *mix.shape), np.float32)
            stems[[self._plan.stems.index(name) for name in names]] = made
            yield mix, add_remainder(stems, mix, self._plan.stems)

    def _made(self, song: Song, rate: int, level: Level) -> Iterator[tuple[Block, Stems]]:
        names, blocks = self._plan.made, song.blocks(rate)
        if level.peak == 0.0 or not names:  # of silence, networks make a faint noise
            return ((mix, np.zeros((len(names), *mix.shape), np.float32)) for mix in blocks)
        parts = self._maker.separate(blocks, rate, level)
        if self._cache is None:
            return parts
        key = f"{song.digest}-{self._maker.identity}"
        kept = self._cache.find(key, names, rate, level.frames)
        if kept is not None:
            return read_kept(kept, blocks)
        return self._cache.keep(parts, key, song.path, stems=names, rate=rate, frames=level.frames)

    def _finish(self, song: Song, targets: tuple[Path, ...], files: list[OutputFile], remarks: list[str]) -> None:
        together = self.job.residual or self.job.format.name == "stem.mp4"
        lowest = min(file.gain for file in files)
        if together and lowest < 1.0:
            remarks.append(f"all stems of {song.path} are {-20 * np.log10(lowest):.1f} dB down, so that none is cut")
        for file in files:
            file.finish(lowest if together else file.gain)
        tagged, remark = find_tags(song) if self.job.tags else (False, "")
        remarks += [remark] if remark else []
        if self.job.format.name == "stem.mp4":
            self._join(song, targets[0], files)
            return
        for file in files:
            if tagged:
                keep_tags(song.path, file.part, self.job.format)
        for file in files:
            file.publish()

    def _join(self, song: Song, target: Path, files: list[OutputFile]) -> None:
        part = target.with_name(f"{target.name}.part.mp4")
        try:
            write_stem_file([file.part for file in files], song.path, part, self.job.format.kbps)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")


def _are_newer(targets: tuple[Path, ...], song: Path) -> bool:
    if not song.is_file():
        return False
    made = song.stat().st_mtime
    return all(target.is_file() and target.stat().st_mtime >= made for target in targets)
