"""A data set as the training reads it: every song decoded once, on disk as 16-bit frames that are read by slices.

A path that ends in ``.h5`` is a cache in one HDF5 file (`h5_cache`), any other is a folder (`folder_cache`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from stream_sep.training.data.layouts import StemSong

RATE = 44100
"""Frames per second of every cache."""

Frames: TypeAlias = NDArray[np.int16]
"""``(frames, 2)``."""


class SourceFrames(Protocol):
    """One source of a song, on the disk: int16 ``(frames, 2)``, read by slices."""

    def __len__(self) -> int:
        """Return the number of frames."""
        ...

    def __getitem__(self, frames: slice, /) -> Frames:
        """Return some of the frames."""
        ...


SongFrames: TypeAlias = "Sequence[SourceFrames]"
"""The sources of a song, in the order of its index line."""


@dataclass(frozen=True)
class CachedSong:
    """A song in a cache.

    Attributes:
        name: its own within the cache.
        file: name of its file.
        stems: its sources, in the order of the file.
        frames: how long it is.
        gain: factor from stored numbers to samples.
        sha256: of the file.
        silent: sources that it is known to have nothing of.
        max_hz: frequency above which it is dull; 0 if it is not.
    """

    name: str
    file: str
    stems: tuple[str, ...]
    frames: int
    gain: float
    sha256: str
    silent: tuple[str, ...] = ()
    max_hz: float = 0.0


class CacheFormat(Protocol):
    """A way to keep a cache; its module has these functions, which the functions below call."""

    def build(self, songs: Iterable[StemSong], cache: Path, report: Callable[[str], None], jobs: int, /) -> int:
        """Add songs; see `build_cache`."""
        ...

    def read_index(self, cache: Path, /) -> list[CachedSong]:
        """Return the songs; see `read_index`."""
        ...

    def map_song(self, cache: Path, song: CachedSong, /) -> SongFrames:
        """Return the frames of a song; see `map_song`."""
        ...

    def digest(self, cache: Path, song: CachedSong, /) -> str:
        """Return the SHA-256 of a song's frames as they are now; empty if it is missing.

        Args:
            cache: its folder or file.
            song: its row in the index.
        """
        ...

    def drop(self, cache: Path, names: Iterable[str], /) -> None:
        """Remove songs; see `drop_songs`."""
        ...


def build_cache(
    songs: Iterable[StemSong], cache: Path, report: Callable[[str], None] = lambda _name: None, jobs: int = 1
) -> int:
    """Add songs to a cache, but those that it has; return how many songs were added.

    Memory is bounded by a block of each sound, however long the songs are.

    Args:
        songs: the songs to add.
        cache: its folder or file; made if it is not there.
        report: callback that receives the name of every finished song.
        jobs: songs decoded at a time, each in its own process.

    Raises:
        AudioFileError: two songs have one name; the cache cannot be written, as on a full disk; or, once all others
            are done, songs could not be read.
        ConfigError: no job at all, or the file is no cache.
    """
    if jobs < 1:
        raise ConfigError(f"a cache needs at least 1 job, not {jobs}")
    return _format_of(cache).build(songs, cache, report, jobs)


def read_index(cache: Path) -> list[CachedSong]:
    """Return the songs of a cache.

    Raises:
        ConfigError: it is no cache.
    """
    return _format_of(cache).read_index(cache)


def map_song(cache: Path, song: CachedSong) -> SongFrames:
    """Return the frames of a song's sources, which stay on the disk: indexed by source, then by frames.

    Args:
        cache: its folder or file.
        song: its row in the index.

    Raises:
        ConfigError: the file is missing or of another length, or the song contains no audio.
    """
    if not _has_sound(song):
        raise ConfigError(
            f"the song {song.name!r} in {cache} contains no audio; 'stream-sep data check --drop' removes it"
        )
    return _format_of(cache).map_song(cache, song)


def check_cache(cache: Path) -> list[str]:
    """Return the names of songs that are missing or damaged, or without usable sound."""
    found = _format_of(cache)
    return [
        song.name
        for song in found.read_index(cache)
        if not _has_sound(song) or found.digest(cache, song) != song.sha256
    ]


def drop_songs(cache: Path, names: Iterable[str]) -> None:
    """Remove songs from a cache, so that the next build decodes them again.

    Args:
        cache: its folder or file.
        names: names of the songs.
    """
    _format_of(cache).drop(cache, names)


def is_h5(cache: Path) -> bool:
    """Return whether a cache is one HDF5 file."""
    return cache.suffix in {".h5", ".hdf5"}


def _format_of(cache: Path) -> CacheFormat:
    if is_h5(cache):
        from stream_sep.training.data import h5_cache  # noqa: PLC0415 - it uses this module

        return h5_cache
    from stream_sep.training.data import folder_cache  # noqa: PLC0415 - as above

    return folder_cache


def _has_sound(song: CachedSong) -> bool:
    return bool(song.frames) and math.isfinite(song.gain)
