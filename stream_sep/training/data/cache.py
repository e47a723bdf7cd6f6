"""A data set as the training reads it: every song decoded once, on disk as 16-bit frames that are mapped, not loaded.

A cache is a folder with ``index.jsonl``, a line for each finished song, a file of frames for each, and their levels
(`LevelStore`). A song whose line is there is whole: its file was renamed into place first. So a killed build can
resume.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stream_sep.errors import AudioFileError, ConfigError, FileInUseError, reason
from stream_sep.files.disk_space import check_room
from stream_sep.lowlevel.atomic_file import FileClaim, atomic_write, remove_stale
from stream_sep.protocols import STEMS
from stream_sep.training.data.decode import add_blocks
from stream_sep.training.data.levels import LevelStore
from stream_sep.training.data.song_processes import work_in_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from stream_sep.training.data.layouts import StemSong

INDEX = "index.jsonl"
_PARTS = ".*.i16.*"
RATE = 44100
"""Frames per second of every cache."""

_ADVICE = "or name another folder"

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


def build_cache(songs: Iterable[StemSong], folder: Path, report: Callable[[str], None], jobs: int = 1) -> int:
    """Add songs to a cache, but those that it has; return how many songs were added.

    Memory is bounded by a block of each sound, however long the songs are. A path that ends in ``.h5`` is a cache in
    one HDF5 file, here and below; any other is a folder.

    Args:
        songs: the songs to add.
        folder: the cache; made if it is not there.
        report: callback that receives the name of every finished song.
        jobs: songs decoded at a time, each in its own process.

    Raises:
        AudioFileError: two songs have one name; the cache cannot be written, as on a full disk; or, once all others
            are done, songs could not be read.
        ConfigError: no job at all.
    """
    if jobs < 1:
        raise ConfigError(f"a cache needs at least 1 job, not {jobs}")
    if (h5 := _h5_of(folder)) is not None:
        added: int = h5.build_h5(songs, folder, report, jobs)
        return added
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    known = {song.name for song in read_index(folder)} if (folder / INDEX).exists() else set()
    missing: dict[str, StemSong] = {}
    for song in songs:
        if song.name in missing:
            raise AudioFileError(f"two songs are called {song.name!r}; rename one")
        if song.name in known:
            report(song.name)
        else:
            missing[song.name] = song
    failures = []
    for name, cached in _decoded(missing.values(), folder, jobs):
        if isinstance(cached, AudioFileError):
            failures.append(f"{name}: {cached}")
            continue
        _append(folder / INDEX, cached)
        report(name)
    if failures:
        count = f"{len(failures)} of {len(missing)} songs could not be added, the others were"
        raise AudioFileError("\n  ".join([f"{count}:", *failures]))
    return len(missing)


def read_index(folder: Path) -> list[CachedSong]:
    """Return the songs of a cache.

    Raises:
        ConfigError: it is no cache.
    """
    if (h5 := _h5_of(folder)) is not None:
        songs: list[CachedSong] = h5.read_h5_index(folder)
        return songs
    try:
        lines = (folder / INDEX).read_text(encoding="utf-8").splitlines(keepends=True)
    except OSError as error:
        raise ConfigError(
            f"{folder} is not a cache ({error.strerror}); make one with 'stream-sep data build', "
            "or name the folder of yours with 'train --data FOLDER'"
        ) from error
    rows = [json.loads(line) for line in lines if line.endswith("\n")]  # the last line of a kill may be cut
    return [
        CachedSong(**{**row, "stems": tuple(row["stems"]), "silent": tuple(row.get("silent", ()))}) for row in rows
    ]


def map_song(folder: Path, song: CachedSong) -> SongFrames:
    """Return the frames of a song's sources, mapped from the disk: indexed by source, then by frames.

    Args:
        folder: the cache.
        song: its row in the index.

    Raises:
        ConfigError: the file is missing or of another length, or the song contains no audio.
    """
    if not (song.frames and math.isfinite(song.gain)):
        raise ConfigError(
            f"the song {song.name!r} in {folder} contains no audio; 'stream-sep data check --drop' removes it"
        )
    if (h5 := _h5_of(folder)) is not None:
        frames: SongFrames = h5.map_h5_song(folder, song)
        return frames
    shape = (len(song.stems), song.frames, 2)
    try:
        if (folder / song.file).stat().st_size != 2 * int(np.prod(shape)):
            raise ConfigError(f"{folder / song.file} was changed; run 'stream-sep data check {folder}'")
        return list(np.memmap(folder / song.file, np.int16, "r", shape=shape))
    except OSError as error:
        raise ConfigError(f"{folder / song.file} is missing; run 'stream-sep data check {folder}'") from error


def check_cache(folder: Path) -> list[str]:
    """Return the names of songs whose files are missing or damaged, or without usable sound."""
    if (h5 := _h5_of(folder)) is not None:
        names: list[str] = h5.check_h5(folder)
        return names
    return [
        song.name
        for song in read_index(folder)
        if not (song.frames and math.isfinite(song.gain)) or _digest(folder / song.file) != song.sha256
    ]


def drop_songs(folder: Path, names: Iterable[str]) -> None:
    """Remove songs from a cache, so that the next build decodes them again.

    Args:
        folder: the cache.
        names: names of the songs.
    """
    if (h5 := _h5_of(folder)) is not None:
        h5.drop_h5_songs(folder, names)
        return
    gone = set(names)
    songs = read_index(folder)
    atomic_write(folder / INDEX, "".join(_line(song) for song in songs if song.name not in gone).encode())
    for song in songs:
        if song.name in gone:
            (folder / song.file).unlink(missing_ok=True)


def _h5_of(path: Path) -> Any:  # noqa: ANN401 - a module
    """Return the module for a cache in one HDF5 file; None for a folder."""
    if path.suffix not in {".h5", ".hdf5"}:
        return None
    from stream_sep.training.data import h5_cache  # noqa: PLC0415 - it uses this module

    return h5_cache


def _decoded(songs: Iterable[StemSong], folder: Path, jobs: int) -> Iterator[tuple[str, CachedSong | AudioFileError]]:
    """Decode songs, and give each as soon as it is done, or why it cannot be."""
    remove_stale(folder.glob(_PARTS))
    if jobs == 1:
        yield from ((song.name, _try_to_add(song, folder)) for song in songs)
        return
    try:
        work = functools.partial(_try_to_add, folder=folder)
        yield from ((song.name, result) for song, result in work_in_processes(work, songs, jobs))
    finally:
        remove_stale(folder.glob(_PARTS))  # of killed processes


def _try_to_add(song: StemSong, folder: Path) -> CachedSong | AudioFileError:
    try:
        return _add(song, folder)
    except AudioFileError as error:
        return error
    except OSError as error:
        return unwritable(folder, error)
    except (MemoryError, RuntimeError, ValueError) as error:  # as libraries raise
        return AudioFileError(f"it cannot be decoded ({type(error).__name__}: {error})")


def _add(song: StemSong, folder: Path) -> CachedSong:
    stems = tuple(sorted(song.sources, key=lambda stem: STEMS.index(stem) if stem in STEMS else len(STEMS)))
    file = f"{hashlib.sha256(song.name.encode()).hexdigest()[:16]}.i16"
    with ExitStack() as stack:
        part, *spools = (stack.enter_context(_claim(folder / f".{file}.{end}", song)) for end in ("part", *stems))
        loud = [_spool(song, stem, spool.path) for stem, spool in zip(stems, spools, strict=True)]
        frames = max(length for length, _ in loud)
        if not frames:
            raise AudioFileError("its stems contain no audio")
        gain = max(1e-4, *(peak for _, peak in loud)) / 32767
        with part.path.open("r+b") as out:
            for spool, (length, _) in zip(spools, loud, strict=True):
                _quantise(spool.path, out, gain, frames - length)
            out.flush()
            os.fsync(out.fileno())
        part.rename(folder / file)
    digest, silent = _digest(folder / file), tuple(sorted(song.silent))
    cached = CachedSong(song.name, file, stems, frames, gain, digest, silent, song.max_hz)
    with LevelStore(folder) as levels:
        levels.add(cached, map_song(folder, cached))
    return cached


def _claim(path: Path, song: StemSong) -> FileClaim:
    try:
        return FileClaim(path)
    except BlockingIOError as error:
        raise FileInUseError(f"another process adds {song.name!r} to {path.parent}; wait for it") from error


def _spool(song: StemSong, stem: str, path: Path) -> tuple[int, float]:
    """Write a stem as floats, as its peak is known only at its end; return its frames and the peak."""
    frames, peak = 0, 0.0
    with path.open("r+b") as out:
        for block in add_blocks(song.sources[stem], RATE):
            check_room(path.parent, 4 * block.nbytes, _ADVICE)
            out.write(np.ascontiguousarray(block.T).tobytes())
            frames += block.shape[1]
            peak = max(peak, float(np.abs(block).max(initial=0)))
    return frames, peak


def _quantise(spooled: Path, out, gain: float, missing: int) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - any binary file
    check_room(spooled.parent, spooled.stat().st_size // 2 + 4 * missing, _ADVICE)
    with spooled.open("rb") as floats:
        while data := floats.read(1 << 22):
            out.write(np.rint(np.frombuffer(data, np.float32) / np.float32(gain)).astype(np.int16).tobytes())
    out.write(bytes(4 * missing))


def _append(index: Path, song: CachedSong) -> None:
    text = index.read_text(encoding="utf-8") if index.exists() else ""
    whole = "".join(line for line in text.splitlines(keepends=True) if line.endswith("\n"))
    try:
        atomic_write(index, (whole + _line(song)).encode())
    except OSError as error:
        raise unwritable(index, error) from error


def unwritable(path: Path, error: BaseException) -> AudioFileError:
    """Return the error of a cache that cannot be written.

    Args:
        path: its file or folder.
        error: the system's error.
    """
    return AudioFileError(f"{path} cannot be written ({reason(error)}); free some space, or name another cache")


def _line(song: CachedSong) -> str:
    return json.dumps(asdict(song)) + "\n"


def _digest(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
