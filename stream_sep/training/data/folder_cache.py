"""A cache in a folder, whose files are mapped, not loaded.

It has ``index.jsonl``, a line for each finished song, a file of frames for each, and their levels (`LevelStore`). A
song whose line is there is whole: its file was renamed into place first. So a killed build can resume.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import AudioFileError, ConfigError, FileInUseError, reason
from stream_sep.files.disk_space import check_room
from stream_sep.lowlevel.atomic_file import FileClaim, atomic_write, remove_stale
from stream_sep.protocols import STEMS
from stream_sep.training.data.cache import RATE, CachedSong
from stream_sep.training.data.decode import add_blocks
from stream_sep.training.data.levels import LevelStore
from stream_sep.training.data.song_processes import work_in_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from stream_sep.training.data.cache import SongFrames
    from stream_sep.training.data.layouts import StemSong

INDEX = "index.jsonl"
_PARTS = ".*.i16.*"
_ADVICE = "or name another folder"


def build(songs: Iterable[StemSong], folder: Path, report: Callable[[str], None], jobs: int) -> int:
    """Add songs that are missing; see `build_cache`."""
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
    """Return the songs; the last line of a killed build may be cut."""
    try:
        lines = (folder / INDEX).read_text(encoding="utf-8").splitlines(keepends=True)
    except OSError as error:
        raise ConfigError(
            f"{folder} is not a cache ({error.strerror}); make one with 'stream-sep data build', "
            "or name the folder of yours with 'train --data FOLDER'"
        ) from error
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    return [
        CachedSong(**{**row, "stems": tuple(row["stems"]), "silent": tuple(row.get("silent", ()))}) for row in rows
    ]


def map_song(folder: Path, song: CachedSong) -> SongFrames:
    """Return the frames of a song's sources, mapped from the disk; see `cache.map_song`."""
    shape = (len(song.stems), song.frames, 2)
    try:
        if (folder / song.file).stat().st_size != 2 * int(np.prod(shape)):
            raise ConfigError(f"{folder / song.file} was changed; run 'stream-sep data check {folder}'")
        return list(np.memmap(folder / song.file, np.int16, "r", shape=shape))
    except OSError as error:
        raise ConfigError(f"{folder / song.file} is missing; run 'stream-sep data check {folder}'") from error


def drop(folder: Path, names: Iterable[str]) -> None:
    """Remove songs and their files; see `CacheFormat.drop`."""
    gone = set(names)
    songs = read_index(folder)
    atomic_write(folder / INDEX, "".join(_line(song) for song in songs if song.name not in gone).encode())
    for song in songs:
        if song.name in gone:
            (folder / song.file).unlink(missing_ok=True)


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
    cached = CachedSong(song.name, file, stems, frames, gain, "", tuple(sorted(song.silent)), song.max_hz)
    cached = replace(cached, sha256=digest(folder, cached))
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


def digest(folder: Path, song: CachedSong) -> str:
    """Return the SHA-256 of a song's file; see `CacheFormat.digest`."""
    path = folder / song.file
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
