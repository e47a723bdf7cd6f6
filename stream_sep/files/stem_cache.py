"""A disk cache of stems, so that a song is not separated twice; the least recently used are evicted first."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile

from stream_sep.errors import ConfigError
from stream_sep.files.cache_entry import CHECKSUMS, SONG_NAME, NewEntry, are_undamaged
from stream_sep.files.sound_file import sound_path
from stream_sep.folders import cache_folder
from stream_sep.lowlevel.atomic_file import is_claimed, remove_stale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stream_sep.protocols import Block, Stems

ENVIRONMENT = "STREAM_SEP_CACHE"
"""Folder of the cache."""

DEFAULT_GB = 10.0

PARTIAL, PARTIAL_SONG = "begun.stems", "begun.txt"
"""Files of a partial entry, which a player resumes later."""

_GB = 1e9
_LEFTOVER_SECONDS = 60.0
_TRIES = 5  # to look at a folder whose files move: there are four stems, and the text beside them


@dataclass(frozen=True)
class Entry:
    """The stems of one song, by one model and its settings.

    Attributes:
        folder: of the files.
        song: the file they were made from.
        stems: their names; none for a partial entry of a player.
        size: bytes on disk.
        used: when they were last made or read, in seconds of the system's clock.
    """

    folder: Path
    song: str
    stems: tuple[str, ...]
    size: int
    used: float


class StemCache:
    """A folder of stems, by song, model and settings.

    Args:
        folder: its location; by default that of `ENVIRONMENT`, or the user's cache folder.
        limit_gb: maximum size in gigabytes; the least recently used stems are deleted.

    Raises:
        ConfigError: a negative limit.
    """

    def __init__(self, folder: Path | None = None, limit_gb: float = DEFAULT_GB) -> None:
        if limit_gb < 0:
            raise ConfigError(f"--cache-gb must be 0 or more, not {limit_gb:g}")
        named = os.environ.get(ENVIRONMENT)
        self.folder = folder or (Path(named) if named else cache_folder() / "stems")
        self.limit = int(limit_gb * _GB)

    def entries(self) -> list[Entry]:
        """List the entries, the most recently used first."""
        found = [entry for folder in self._folders() if (entry := _entry(folder))]
        return sorted(found, key=lambda entry: -entry.used)

    def leftovers(self, min_age: float = 0.0) -> list[Path]:
        """List the unfinished folders of killed processes that are at least ``min_age`` seconds old."""
        return [folder for folder in self._folders() if _is_left_over(folder, min_age)]

    def stems_of(self, key: str) -> list[Path]:
        """Return the files of all cached stems of a song; none if they are missing or damaged."""
        folder = self.folder / key
        files = sorted(folder.glob("*.wav")) if is_complete(folder) else []
        files = [file for file in files if ".part" not in file.suffixes]
        return files if files and are_undamaged(files) else []

    def clear(self) -> int:
        """Delete all entries, leftovers too; return how many songs there were."""
        entries = self.entries()
        for folder in (*(entry.folder for entry in entries), *self.leftovers()):
            shutil.rmtree(folder, ignore_errors=True)
        return len(entries)

    def find(
        self, key: str, stems: Sequence[str], rate: int, frames: int, warn: Callable[[str], None] = lambda _: None
    ) -> list[Path] | None:
        """Return the files of stems if all are cached, ``frames`` long and undamaged, else None.

        They count as used now. Damaged ones are deleted.

        Args:
            key: of the song and the model.
            stems: which of its stems.
            rate: frames per second they have.
            frames: frames they have.
            warn: callback that receives a message about damage.
        """
        files = [self.folder / key / f"{stem}.wav" for stem in stems]
        try:
            facts = [soundfile.info(sound_path(file)) for file in files]
        except (OSError, soundfile.SoundFileError):
            return None
        if any(fact.samplerate != rate or fact.frames != frames for fact in facts):
            return None
        if not are_undamaged(files):
            warn(f"the stems kept in {self.folder / key} are damaged; they are made again")
            self.remove(key)
            return None
        with suppress(OSError):  # a cache that can only be read is no worse for it
            os.utime(self.folder / key)
        return files

    def tee(
        self,
        parts: Iterator[tuple[Block, Stems]],
        key: str,
        song: Path,
        *,
        stems: Sequence[str],
        rate: int,
        frames: int,
        warn: Callable[[str], None] = lambda _: None,
    ) -> Iterator[tuple[Block, Stems]]:
        """Yield mix and stems unchanged, and cache the stems once the last has passed.

        A song that would fill more than half the cache is not cached, nor is one if the cache cannot be written or
        another process caches the same song: whatever happens to the cache, all parts are passed on.

        Args:
            parts: mix and stems.
            key: of the song and the model.
            song: the song's file.
            stems: names of the stems.
            rate: frames per second.
            frames: frames of the song.
            warn: callback that receives the reason if a song is not cached.
        """
        if 2 * len(stems) * frames * 8 > self.limit:
            yield from parts
            return
        entry = NewEntry(self.folder / key, stems, rate, frames, warn)
        try:
            for mix, sounds in parts:
                entry.write(sounds)
                yield mix, sounds
            entry.commit(song)
        finally:
            entry.abort()
        self._evict()

    def remove(self, key: str) -> None:
        """Delete the stems of a song."""
        shutil.rmtree(self.folder / key, ignore_errors=True)

    def _evict(self) -> None:
        for folder in self.leftovers(_LEFTOVER_SECONDS):
            shutil.rmtree(folder, ignore_errors=True)
        total = 0
        for entry in self.entries():
            total += entry.size
            if total > self.limit:
                shutil.rmtree(entry.folder, ignore_errors=True)

    def _folders(self) -> list[Path]:
        with suppress(OSError):
            return [folder for folder in self.folder.glob("*") if folder.is_dir()]
        return []


def is_complete(folder: Path) -> bool:
    """Return whether a folder is an entry with all its stems."""
    return (folder / SONG_NAME).is_file()


def remove_partial(folder: Path) -> None:
    """Delete the leftovers of a process that ended within `StemCache.tee`, except partial stems to resume."""
    remove_stale(folder.glob("*.part.*" if is_complete(folder) else "*.wav"))
    with suppress(OSError):
        folder.rmdir()


def _is_left_over(folder: Path, min_age: float) -> bool:
    with suppress(OSError):
        if time.time() - folder.stat().st_mtime < min_age:  # perhaps just being finished
            return False
    if is_complete(folder) or (folder / PARTIAL_SONG).is_file():
        return False
    files = [*folder.glob("*.wav"), *folder.glob(CHECKSUMS)]
    return bool(files) and not any(is_claimed(file) for file in files)


def _entry(folder: Path) -> Entry | None:
    """Return the entry in a folder; None if there is none, or it is being deleted."""
    for _ in range(_TRIES):  # another process may rename files meanwhile
        if not (is_complete(folder) or (folder / PARTIAL_SONG).is_file()):
            return None
        with suppress(FileNotFoundError):
            return _look(folder)
    return None


def _look(folder: Path) -> Entry:
    files = [*folder.glob("*.wav"), *folder.glob(PARTIAL)]
    stems = tuple(sorted(f.stem for f in files if f.suffix == ".wav" and ".part" not in f.suffixes))
    size = sum(file.stat().st_size for file in files)
    name = (folder / (SONG_NAME if is_complete(folder) else PARTIAL_SONG)).read_text("utf-8", "surrogateescape")
    return Entry(folder, name, stems, size, folder.stat().st_mtime)
