"""A cache in one HDF5 file: int16 sound in chunks, read by slices, so that memory stays bounded at any size.

``/songs/ID/sound`` is ``(sources, frames, 2)``, with the song's index line as attributes. HDF5 does not survive a
kill in the middle of a write. So songs are decoded into a hidden folder beside the file first, as into any cache, and
the file is rewritten and renamed into place: a killed build can resume, and a file is always whole.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import AudioFileError, ConfigError, reason
from stream_sep.extras import install_hint
from stream_sep.files.disk_space import check_room
from stream_sep.training.data import folder_cache
from stream_sep.training.data.cache import CachedSong
from stream_sep.training.data.levels import LevelStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from stream_sep.training.data.cache import Frames, SongFrames
    from stream_sep.training.data.layouts import StemSong

_CHUNK = 32768  # frames
_CHUNK_CACHE = 1 << 20
_BLOCK = 1 << 20  # frames that are copied at a time
_SOURCE_BYTES = 1 << 18  # of the tables of a source, and of its last chunk


def build(songs: Iterable[StemSong], path: Path, report: Callable[[str], None], jobs: int) -> int:
    """Add songs that are missing; see `build_cache`.

    Where the file cannot be written, as on a full disk, the next build takes up the decoded songs.
    """
    _h5py()
    known = {song.name for song in read_index(path)} if path.exists() else set()
    missing = []
    for song in songs:
        if song.name in known:
            report(song.name)
        else:
            missing.append(song)
    folder, failure = _decoded(path), None
    try:
        folder_cache.build(missing, folder, report, jobs)
    except AudioFileError as error:  # the others were decoded
        failure = error
    decoded = folder_cache.read_index(folder) if (folder / folder_cache.INDEX).exists() else []
    new = [song for song in decoded if song.name not in known]
    if new or not (path.exists() or failure):
        _write(path, known, [(folder, song) for song in new])
    if new:
        with LevelStore(path) as levels:
            levels.copy_from(folder)
    shutil.rmtree(folder, ignore_errors=True)
    if failure is not None:
        raise failure
    return len(missing)


def read_index(path: Path) -> list[CachedSong]:
    """Return the songs of a cache.

    Raises:
        ConfigError: it is no cache.
    """
    with _open(path) as file:
        return [_song_of(group) for group in file["songs"].values()]


def map_song(path: Path, song: CachedSong) -> SongFrames:
    """Return the sources of a song, each read by slices; see `cache.map_song`."""
    if not path.is_file():
        raise ConfigError(f"{path} is missing; is the path right?")
    return [H5Frames(path, song.file, row, song.frames) for row in range(len(song.stems))]


def drop(path: Path, names: Iterable[str]) -> None:
    """Write the file again without some songs; see `CacheFormat.drop`."""
    _write(path, {song.name for song in read_index(path)} - set(names), [])


class H5Frames:
    """One source of a song in an HDF5 file, which each process opens once.

    Args:
        path: the file.
        song: the name of its group.
        row: the source.
        frames: its length.
    """

    def __init__(self, path: Path, song: str, row: int, frames: int) -> None:
        self._path, self._song, self._row, self._frames = path, song, row, frames

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._frames

    def __getitem__(self, frames: slice, /) -> Frames:
        """Read some of the frames."""
        try:
            about = self._path.stat()
            file = _reader(self._path, (about.st_dev, about.st_ino), os.getpid())
            read: Frames = file[f"songs/{self._song}/sound"][self._row, frames]
        except (OSError, KeyError) as error:
            remedy = f"run 'stream-sep data check {self._path}'"
            raise ConfigError(f"{self._path} is damaged ({reason(error)}); {remedy}") from error
        return read


def _write(path: Path, kept: set[str], new: Sequence[tuple[Path, CachedSong]]) -> None:
    """Write a file of songs from the existing one and of others, atomically.

    Raises:
        AudioFileError: there is no room for it beside the existing one.
    """
    size = (path.stat().st_size if kept else 0) + sum(_size(folder / song.file, song) for folder, song in new)
    check_room(path.parent, size, "or name another file")
    part = path.with_name(f".{path.name}.part")
    try:
        _reserve(part, size)
        with _h5py().File(part, "w") as file:
            _reserve(part, size)
            songs = file.create_group("songs")
            if kept:
                with _open(path) as before:
                    for name, group in before["songs"].items():
                        if group.attrs["name"] in kept:
                            before.copy(group, songs, name)
            for folder, song in new:
                _add(songs, folder, song)
            file.flush()
            used = file.id.get_filesize()
        os.truncate(part, used)
        with part.open("rb") as whole:
            os.fsync(whole.fileno())
        _reader.cache_clear()  # Windows does not replace an open file
        part.replace(path)
    except (OSError, RuntimeError) as error:  # h5py raises the second where it cannot close a file
        raise folder_cache.unwritable(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def _size(sound: Path, song: CachedSong) -> int:
    """Return the most bytes of a song in the file: its last chunks are full, and there are tables."""
    return sound.stat().st_size * 65 // 64 + _SOURCE_BYTES * len(song.stems)


def _reserve(path: Path, size: int) -> None:
    """Allocate the room of a file: on a disk that is full in the middle of a write, HDF5 ends the process."""
    with path.open("ab") as file:
        try:
            getattr(os, "posix_fallocate", lambda *_arguments: None)(file.fileno(), 0, max(size, 1))
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:  # of file systems that cannot
                raise


def _add(songs: Any, folder: Path, song: CachedSong) -> None:  # noqa: ANN401 - h5py has no types
    group = songs.create_group(song.file.removesuffix(".i16"))
    shape = (len(song.stems), song.frames, 2)
    sound = group.create_dataset("sound", shape, np.int16, chunks=(1, min(_CHUNK, max(song.frames, 1)), 2))
    for row, source in enumerate(folder_cache.map_song(folder, song)):
        for at in range(0, song.frames, _BLOCK):
            sound[row, at : at + _BLOCK] = source[at : at + _BLOCK]
    group.attrs.update(
        {"name": song.name, "gain": song.gain, "sha256": song.sha256, "uuid": song.name.partition(" - ")[0]}
    )
    group.attrs.update({"sources": json.dumps(song.stems), "silent": json.dumps(song.silent), "max_hz": song.max_hz})


def _song_of(group: Any) -> CachedSong:  # noqa: ANN401 - as above
    about = group.attrs
    sources, silent = (tuple(json.loads(about[key])) for key in ("sources", "silent"))
    name = group.name.rpartition("/")[2]
    frames = int(group["sound"].shape[1])
    gain, max_hz = float(about["gain"]), float(about.get("max_hz", 0.0))
    return CachedSong(about["name"], name, sources, frames, gain, about["sha256"], silent, max_hz)


def digest(path: Path, song: CachedSong) -> str:
    """Return the SHA-256 of a song's frames; see `CacheFormat.digest`."""
    found = hashlib.sha256()
    try:
        for source in map_song(path, song):
            for at in range(0, song.frames, _BLOCK):
                found.update(source[at : at + _BLOCK].tobytes())
    except ConfigError:
        return ""
    return found.hexdigest()


def _decoded(path: Path) -> Path:
    return path.with_name(f".{path.name}.songs")


def _open(path: Path) -> Any:  # noqa: ANN401 - as above
    try:
        file = _h5py().File(path, "r", rdcc_nbytes=_CHUNK_CACHE, locking=False)
        if "songs" in file:
            return file
        file.close()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read as an HDF5 file ({reason(error)}); build it again") from error
    raise ConfigError(f"{path} is not a cache; make one with 'stream-sep data build FOLDER {path}'")


@lru_cache(maxsize=8)
def _reader(path: Path, _inode: tuple[int, int], _process: int) -> Any:  # noqa: ANN401 - as above
    """Return a file that stays open: opening one takes longer than a crop. A replaced file has another inode."""
    return _open(path)


def _h5py() -> Any:  # noqa: ANN401 - as above
    try:
        import h5py  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(f"caches in HDF5 need h5py ({error}); {install_hint('h5')}") from error
    return h5py
