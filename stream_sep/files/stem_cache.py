"""Stems kept on disk, so that the same song is not separated twice; the least recently used go first."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from stream_sep.errors import AudioFileError, ConfigError
from stream_sep.files.formats import FLOATS
from stream_sep.files.output_file import OutputFile
from stream_sep.folders import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stream_sep.protocols import Block, Stems

ENVIRONMENT = "STREAM_SEP_CACHE"
"""Environment variable that names another folder."""

DEFAULT_GB = 10.0

BEGUN, BEGUN_SONG = "begun.stems", "begun.txt"
"""Files of an entry that a player has made a part of, and goes on with another time."""

_NAME = "song.txt"
_GB = 1e9
_LOOKS = 5  # at a folder whose files move: there are four stems, and the text beside them


@dataclass(frozen=True)
class Entry:
    """The stems of one song, made in one way.

    Attributes:
        folder: where they are.
        song: the file they were made of.
        stems: their names; none where a player has only begun to make them.
        size: bytes on disk.
        used: when they were last made or read, in seconds of the system's clock.
    """

    folder: Path
    song: str
    stems: tuple[str, ...]
    size: int
    used: float


class StemCache:
    """A folder of stems, by what was separated and how.

    Args:
        folder: where; the user's cache folder, or what `ENVIRONMENT` names, unless given.
        limit_gb: gigabytes it may take; what was not used for longest is deleted.

    Raises:
        ConfigError: a negative limit.
    """

    def __init__(self, folder: Path | None = None, limit_gb: float = DEFAULT_GB) -> None:
        if limit_gb < 0:
            raise ConfigError(f"a cache cannot hold {limit_gb:g} GB; 0 for none")
        named = os.environ.get(ENVIRONMENT)
        self.folder = folder or (Path(named) if named else cache_folder() / "stems")
        self.limit = int(limit_gb * _GB)

    def entries(self) -> list[Entry]:
        """List what there is, the last used first."""
        found = [entry for folder in self.folder.glob("*") if (entry := _entry(folder))]
        return sorted(found, key=lambda entry: -entry.used)

    def clear(self) -> int:
        """Delete all; return how many songs there were."""
        entries = self.entries()
        for entry in entries:
            shutil.rmtree(entry.folder, ignore_errors=True)
        return len(entries)

    def find(self, key: str, stems: Sequence[str], rate: int, frames: int) -> list[Path] | None:
        """Return the files of stems that are all there, ``frames`` long, or None; they count as used now."""
        files = [self.folder / key / f"{stem}.wav" for stem in stems]
        try:
            facts = [soundfile.info(file) for file in files]
        except (OSError, soundfile.SoundFileError):
            return None
        if any(fact.samplerate != rate or fact.frames != frames for fact in facts):
            return None
        os.utime(self.folder / key)
        return files

    def keep(
        self,
        parts: Iterator[tuple[Block, Stems]],
        key: str,
        song: Path,
        *,
        stems: Sequence[str],
        rate: int,
        frames: int,
    ) -> Iterator[tuple[Block, Stems]]:
        """Pass on mix and stems, and keep the stems once the last has passed.

        A song that would fill more than half the cache is not kept, nor is any where the disk is full.
        """
        if 2 * len(stems) * frames * 8 > self.limit:
            yield from parts
            return
        files = [OutputFile(self.folder / key / f"{s}.wav", rate, frames, FLOATS, stream=False) for s in stems]
        try:
            for file in files:
                file.open()
            for mix, sounds in parts:
                for file, sound in zip(files, sounds, strict=True):
                    file.write(sound)
                yield mix, sounds
            for file in files:
                file.finish(1.0)
                file.publish()
            (self.folder / key / _NAME).write_text(str(song), "utf-8", "surrogateescape")
        finally:
            for file in files:
                file.discard()
        self._shrink()

    def _shrink(self) -> None:
        total = 0
        for entry in self.entries():
            total += entry.size
            if total > self.limit:
                shutil.rmtree(entry.folder, ignore_errors=True)


def is_whole(folder: Path) -> bool:
    """Tell whether a folder is an entry with all its stems."""
    return (folder / _NAME).is_file()


def sweep(folder: Path) -> None:
    """Delete what a process that ended in the middle of `StemCache.keep` has left of an entry, but what was begun."""
    for part in folder.glob("*.part.*" if is_whole(folder) else "*.wav"):
        part.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def read_kept(files: Sequence[Path], blocks: Iterable[Block]) -> Iterator[tuple[Block, Stems]]:
    """Give the mix and its stems from files that `StemCache.find` found, as whoever made them gave them.

    Raises:
        AudioFileError: a file is gone or damaged.
    """
    opened: list[soundfile.SoundFile] = []
    try:
        opened = [soundfile.SoundFile(file) for file in files]
        for mix in blocks:
            frames = mix.shape[1]
            yield mix, np.stack([file.read(frames, dtype="float32", always_2d=True).T for file in opened])
    except (OSError, ValueError, soundfile.SoundFileError) as error:
        raise AudioFileError(
            f"the cache in {files[0].parent} is damaged ({error}); stream-sep cache clear"
        ) from error
    finally:
        for file in opened:
            file.close()


def _entry(folder: Path) -> Entry | None:
    """Return what a folder holds; None where that is no entry, or goes away just now."""
    for _ in range(_LOOKS):  # who makes the stems gives files their last names meanwhile
        if not (is_whole(folder) or (folder / BEGUN_SONG).is_file()):
            return None
        with suppress(FileNotFoundError):
            return _look(folder)
    return None


def _look(folder: Path) -> Entry:
    files = [*folder.glob("*.wav"), *folder.glob(BEGUN)]
    stems = tuple(sorted(f.stem for f in files if f.suffix == ".wav" and ".part" not in f.suffixes))
    size = sum(file.stat().st_size for file in files)
    name = (folder / (_NAME if is_whole(folder) else BEGUN_SONG)).read_text("utf-8", "surrogateescape")
    return Entry(folder, name, stems, size, folder.stat().st_mtime)
