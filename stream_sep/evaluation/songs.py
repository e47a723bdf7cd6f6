"""Songs with reference stems: stem files of MUSDB18, and folders with a file a stem."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

import numpy as np
import soxr

from stream_sep.errors import AudioFileError, StreamSepError
from stream_sep.files.song import open_song
from stream_sep.files.stem_folder import STEM_FILE_STREAMS, stems_in
from stream_sep.protocols import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from stream_sep.files.song import Song as SongFile


T = TypeVar("T")

Parts: TypeAlias = dict[str, Block]
"""Stems by name, ``(2, frames)`` each."""


_STEM_FILE_RATE = 44100


class SoundFile(Protocol):
    """A sound on disk: a file, or one stream of it."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def stream(self) -> int | None:
        """Index of the stream; the first unless given."""
        ...


class SourcedSong(Protocol):
    """A song of a data set with any sources, such as a `StemSong` of `find_stem_songs`."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def sources(self) -> Mapping[str, Sequence[SoundFile]]:
        """Source -> sounds to add up."""
        ...

    @property
    def silent(self) -> frozenset[str]:
        """Sources that it is known to have nothing of."""
        ...


SongPlace: TypeAlias = "Path | SourcedSong"
"""Where a song is: one of `find_songs`, or of a data set."""


@dataclass(frozen=True)
class Song:
    """One song, its stems in memory; their sum is its mix.

    Attributes:
        name: its name.
        sample_rate: frames per second.
        stems: its stems, or any other sources.
        silent: sources that it is known to have nothing of.
    """

    name: str
    sample_rate: int
    stems: Parts
    silent: frozenset[str] = frozenset()

    @property
    def mix(self) -> Block:
        """The sum of the stems, ``(2, frames)``; the mixture in a file may differ from it."""
        total: Block = np.sum(list(self.stems.values()), axis=0, dtype=np.float32)
        return total


def find_songs(folder: Path) -> list[Path]:
    """List the songs of a folder by name: ``*.stem.mp4`` files, and folders that hold ``vocals.wav`` and the like.

    Raises:
        AudioFileError: there is none.
    """
    entries = sorted(Path(folder).iterdir()) if Path(folder).is_dir() else []
    songs = [path for path in entries if path.name.endswith(".stem.mp4") or stems_in(path)]
    if not songs:
        raise AudioFileError(
            f"no song in {folder}: looked for *.stem.mp4, and for folders with vocals.wav or the like"
        )
    return songs


def load_songs(
    paths: Iterable[SongPlace], sample_rate: int | None = None, skip: Callable[[str], None] | None = None
) -> Iterator[Song]:
    """Read songs one after the other.

    Args:
        paths: some of `find_songs`, or songs of a data set.
        sample_rate: frames per second to resample them to; their own unless given.
        skip: callback that receives a message for each song that cannot be read and is skipped; errors unless given.

    Raises:
        AudioFileError: a song cannot be read.
    """
    for path in paths:
        try:
            song = load_song(path, sample_rate)
        except AudioFileError as error:
            if skip is None:
                raise
            skip(f"{path.name} is not scored: {error}")
            continue
        yield song


def score_or_skip(
    song: Song, score: Callable[[Song], Iterable[T]], skip: Callable[[str], None] | None = None
) -> list[T]:
    """Return all scores of a song, or none.

    Args:
        song: the song.
        score: returns its scores.
        skip: callback that receives a message if that fails; errors unless given, and errors of this package always:
            they concern the models, so that no song could be scored.
    """
    try:
        return list(score(song))
    except StreamSepError:
        raise
    except Exception as error:
        if skip is None:
            raise
        skip(f"{song.name} is not scored: {type(error).__name__}: {error}")
        return []


def load_song(path: SongPlace, sample_rate: int | None = None) -> Song:
    """Read one of the paths of `find_songs`, or a song of a data set, resampled to ``sample_rate`` if given.

    Args:
        path: a path from `find_songs`, or a song.
        sample_rate: target frames per second; the song's own by default.

    Raises:
        AudioFileError: a file cannot be read, its stems differ in rate, or ffmpeg is missing.
    """
    if not isinstance(path, Path):
        rate, stems = _read_sources(path)
    else:
        rate, stems = _read_stem_file(path) if path.is_file() else _read_stem_folder(path)
    if sample_rate is not None and sample_rate != rate:
        stems = {name: soxr.resample(stem.T, rate, sample_rate).T for name, stem in stems.items()}
        rate = sample_rate
    frames = min(stem.shape[1] for stem in stems.values())
    if not frames:
        raise AudioFileError(f"{path if isinstance(path, Path) else path.name} contains no audio")
    silent = frozenset() if isinstance(path, Path) else path.silent
    return Song(song_name(path), rate, {name: stem[:, :frames] for name, stem in stems.items()}, silent)


def song_name(path: SongPlace) -> str:
    """Return the name of a song."""
    return path.name.removesuffix(".stem.mp4")


def _read_sources(song: SourcedSong) -> tuple[int, Parts]:
    files = {name: [open_song(one.path, one.stream or 0) for one in sounds] for name, sounds in song.sources.items()}
    rate = _common_rate([file for sounds in files.values() for file in sounds], f"the sources of {song.name}")
    return rate, {name: _sum([_read(file, rate) for file in sounds]) for name, sounds in files.items()}


def _common_rate(songs: Iterable[SongFile], what: str) -> int:
    rates = {song.sample_rate for song in songs}
    if len(rates) != 1:
        raise AudioFileError(f"{what} differ in sample rate: {sorted(rates)}; convert them to one")
    return rates.pop()


def _sum(sounds: Sequence[Block]) -> Block:
    total = np.zeros((2, max(sound.shape[1] for sound in sounds)), np.float32)
    for sound in sounds:
        total[:, : sound.shape[1]] += sound
    return total


def _read_stem_folder(folder: Path) -> tuple[int, Parts]:
    songs = {name: open_song(path) for name, path in stems_in(folder).items()}
    rate = _common_rate(songs.values(), f"the stems in {folder}")
    return rate, {name: _read(song, rate) for name, song in songs.items()}


def _read_stem_file(path: Path) -> tuple[int, Parts]:
    songs = {name: open_song(path, stream) for name, stream in STEM_FILE_STREAMS.items()}
    return _STEM_FILE_RATE, {name: _read(song, _STEM_FILE_RATE) for name, song in songs.items()}


def _read(song: SongFile, rate: int) -> Block:
    """Return a whole stem, or raise an error, as the score of a damaged one would mean nothing."""

    def refuse(why: str) -> None:
        raise AudioFileError(why)

    return np.concatenate([np.zeros((2, 0), np.float32), *song.blocks(rate, refuse)], axis=1)
