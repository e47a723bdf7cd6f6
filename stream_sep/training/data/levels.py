"""Levels of the songs of a cache, computed once and stored, so that a training starts without reading all sound.

They are stored when a song is added; those of older caches, and of sums of sources that only a training's groups
need, when they are first used. Rows are found by the digest of the song, so none is ever out of date. Where nothing
can be stored, as on a read-only disk, levels are computed each time.
"""

from __future__ import annotations

import math
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from stream_sep.training.data.cache import is_h5

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.training.data.cache import CachedSong, SongFrames, SourceFrames

GRID = 22050
"""Frames of each peak: half a second."""

_BLOCK = 1 << 18  # frames that are read at a time
_COLUMNS = "song TEXT, sources TEXT, level REAL, peaks BLOB, PRIMARY KEY (song, sources)"
_MIX = ""  # in place of sources: the loudness of all of them


class Levels(NamedTuple):
    """Levels of a sum of sources, in the numbers of the file.

    Attributes:
        peaks: int32 ``(halves,)``, the peak of each half second.
        power: mean square.
    """

    peaks: NDArray[np.int32]
    power: float


class LevelStore:
    """The stored levels of a cache; a context manager.

    Args:
        cache: a folder or an HDF5 file.
    """

    def __init__(self, cache: Path) -> None:
        self._path = levels_path(cache)
        self._rows: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Open the file, or a new one in place of a damaged one."""
        try:
            self._open()
        except sqlite3.OperationalError:
            self._drop()
        except sqlite3.DatabaseError:
            self._discard()
            self._open()
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the file."""
        self._drop()

    def loudness(self, song: CachedSong, frames: SongFrames) -> float:
        """Return the root mean square of a song's mix, in the numbers of the file; at least 1.

        Args:
            song: its row in the index.
            frames: its sources.
        """
        if (row := self._find(song, _MIX)) is not None:
            return float(row[0])
        level = measure_loudness(frames)
        self._store(song, _MIX, level, b"")
        return level

    def of(self, song: CachedSong, sources: Sequence[int], frames: SongFrames) -> Levels:
        """Return the levels of a sum of sources.

        Args:
            song: its row in the index.
            sources: their numbers.
            frames: all sources of the song.
        """
        key = ",".join(song.stems[source] for source in sources)
        if (row := self._find(song, key)) is not None:
            return Levels(np.frombuffer(row[1], np.int32), float(row[0]))
        levels = measure_levels([frames[source] for source in sources])
        self._store(song, key, levels.power, levels.peaks.tobytes())
        return levels

    def add(self, song: CachedSong, frames: SongFrames) -> None:
        """Store the loudness of a song and the levels of each of its sources.

        Args:
            song: its row in the index.
            frames: its sources.
        """
        self.loudness(song, frames)
        for source in range(len(song.stems)):
            self.of(song, [source], frames)

    def copy_from(self, cache: Path) -> None:
        """Store the levels of another cache too.

        Args:
            cache: the other cache.
        """
        with LevelStore(cache) as other:
            for row in other._select("SELECT * FROM levels"):
                self._insert(row)

    def _open(self) -> None:
        self._rows = sqlite3.connect(self._path, timeout=30.0, isolation_level=None)
        self._rows.execute("PRAGMA synchronous = OFF")  # what a power cut costs can be computed again
        self._rows.execute(f"CREATE TABLE IF NOT EXISTS levels ({_COLUMNS})")

    def _drop(self) -> None:
        if self._rows is not None:
            self._rows.close()
        self._rows = None

    def _discard(self) -> None:
        """Remove a damaged file."""
        self._drop()
        self._path.unlink()

    def _find(self, song: CachedSong, sources: str) -> tuple[float, bytes] | None:
        query = "SELECT level, peaks FROM levels WHERE song = ? AND sources = ?"
        return next(iter(self._select(query, song.sha256, sources)), None)

    def _select(self, query: str, *values: str) -> list[Any]:
        if self._rows is None:
            return []
        try:
            return self._rows.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            return []
        except sqlite3.DatabaseError:
            self._discard()
            return []

    def _store(self, song: CachedSong, sources: str, level: float, peaks: bytes) -> None:
        self._insert((song.sha256, sources, level, peaks))

    def _insert(self, row: tuple[str, str, float, bytes]) -> None:
        if self._rows is not None:
            with suppress(sqlite3.Error):  # read-only, or a full disk
                self._rows.execute("INSERT OR REPLACE INTO levels VALUES (?, ?, ?, ?)", row)


def levels_path(cache: Path) -> Path:
    """Return the file with the levels of a cache: in its folder, or beside its HDF5 file."""
    return cache.with_name(f"{cache.name}.levels") if is_h5(cache) else cache / "levels.sqlite"


def sum_of(sources: Sequence[SourceFrames], frames: slice) -> NDArray[np.int32]:
    """Return the sum of some frames of sources, ``(frames, 2)``.

    Args:
        sources: the sources.
        frames: which frames.
    """
    first, *others = (np.asarray(source[frames]).astype(np.int32) for source in sources)
    for other in others:
        first += other
    return first


def measure_loudness(frames: SongFrames) -> float:
    """Return the root mean square of the mix, in the numbers of the file, of a frame in sixteen."""
    total, count = 0.0, 0
    for at in range(0, len(frames[0]), _BLOCK):
        mix = sum_of(frames, slice(at, at + _BLOCK))[::16]
        total += float(np.square(mix, dtype=np.float64).sum())
        count += mix.size
    return max(math.sqrt(total / max(count, 1)), 1.0)


def measure_levels(sound: Sequence[SourceFrames]) -> Levels:
    """Return the levels of a sum of sources, read block by block."""
    peaks, power, size = [], 0.0, GRID * 8
    frames = len(sound[0])
    for at in range(0, frames, size):
        mixed = sum_of(sound, slice(at, at + size))
        power += float(np.square(mixed[::16], dtype=np.float64).sum()) * 8
        whole = len(mixed) // GRID * GRID
        peaks.append(np.abs(mixed[:whole]).reshape(-1, GRID * 2).max(axis=1))
    return Levels(np.concatenate(peaks) if peaks else np.zeros(0, np.int32), power / max(frames, 1))
