"""Caches as few small files, to carry to a machine that trains but is not connected: Ogg Vorbis in zip archives."""

from __future__ import annotations

import io
import json
import re
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from stream_sep.errors import AudioFileError, ConfigError, reason
from stream_sep.files.disk_space import check_room
from stream_sep.lowlevel.scratch_folder import ScratchFolder
from stream_sep.training.data.cache import RATE, build_cache, map_song, read_index
from stream_sep.training.data.layouts import Source, StemSong

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.training.data.cache import CachedSong

_NOTE = "song.json"
_BLOCK = 1 << 16
_PLAIN = re.compile(r"[^/\\:*?\"<>|\x00-\x1f]{1,200}")


def pack_caches(
    caches: Sequence[Path], target: Path, *, part_mb: float, quality: float, report: Callable[[str], None]
) -> list[Path]:
    """Write caches as archives ``TARGET-1.zip`` and on; return them.

    Songs are shared out by turns, so that any one of the archives is a fair choice of them.

    Args:
        caches: folders; their names are kept.
        target: prefix of the archives' names.
        part_mb: most megabytes (of 2**20 bytes) of an archive; as many as needed are written.
        quality: of Vorbis, 0 to 1; 0.3 is about 100 kbit/s a stereo stem.
        report: callback that receives the name of every finished song.

    Raises:
        ConfigError: a song is larger than an archive may be, or a value is invalid.
        AudioFileError: the disk is full.
    """
    if not (0 <= quality <= 1 and part_mb > 0):
        raise ConfigError(f"a quality of {quality} or archives of {part_mb} MB are not possible; try 0.3 and 48")
    parts: list[_Part] = []
    most = int(part_mb * 2**20)
    try:
        for cache, song in [(folder, song) for folder in caches for song in read_index(folder)]:
            data = _encode(cache, song, quality)
            if len(data) > most:
                raise ConfigError(f"{song.name!r} takes {len(data) / 2**20:.0f} MB, more than --part-mb {part_mb:g}")
            room = [part for part in parts if part.size + len(data) <= most]
            if not room:
                parts.append(_Part(target.with_name(f"{target.name}-{len(parts) + 1}.zip")))
                room = parts[-1:]
            min(room, key=lambda part: part.size).add(f"{cache.name}/{song.name}.zip", data)
            report(song.name)
        return [part.close() for part in parts]
    finally:
        for part in parts:
            part.abort()


def unpack(archive: Path, folder: Path, jobs: int = 1) -> int:
    """Add the songs of an archive to caches in ``folder``, named as they were; return how many were added.

    Args:
        archive: one of `pack_caches`.
        folder: where the caches are, or will be.
        jobs: songs decoded at a time.

    Raises:
        AudioFileError: it is no archive of `pack_caches`, or damaged.
    """
    try:
        with zipfile.ZipFile(archive) as whole, ScratchFolder() as scratch:
            _refuse_strange(whole, archive.stat().st_size)
            caches: dict[str, list[StemSong]] = {}
            for number, name in enumerate(sorted(whole.namelist())):
                cache, _, file = name.partition("/")
                _check_names(cache, file)
                caches.setdefault(cache, []).append(_extract(whole, name, scratch / str(number)))
            return sum(build_cache(songs, folder / cache, jobs=jobs) for cache, songs in caches.items())
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise AudioFileError(f"{archive} cannot be unpacked ({reason(error)}); copy it again") from error


class _Part:
    """One archive, and its current size."""

    def __init__(self, path: Path) -> None:
        self._path, self._hidden = path, path.with_name(f".{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._zip = zipfile.ZipFile(self._hidden, "w", zipfile.ZIP_STORED)
        self.size = 0

    def add(self, name: str, data: bytes) -> None:
        check_room(self._path.parent, len(data), "or write the archives elsewhere with --out")
        self._zip.writestr(name, data)
        self.size += len(data) + 2 * len(name) + 128

    def close(self) -> Path:
        self._zip.close()
        return self._hidden.replace(self._path)

    def abort(self) -> None:
        """Delete what is not complete."""
        with suppress(OSError):  # of a full disk, on which the list of entries does not fit
            self._zip.close()
        self._hidden.unlink(missing_ok=True)


def _encode(cache: Path, song: CachedSong, quality: float) -> bytes:
    """Return a song as an archive, its loudest frame at 0 dBFS; a mono stem stays mono."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as inner:
        note = {"name": song.name, "stems": song.stems, "silent": song.silent, "max_hz": song.max_hz}
        inner.writestr(_NOTE, json.dumps(note))
        for stem, source in zip(song.stems, map_song(cache, song), strict=True):
            frames = source[:]
            mono = bool(np.array_equal(frames[:, 0], frames[:, 1]))
            inner.writestr(f"{stem}.ogg", _vorbis(frames[:, :1] if mono else frames, quality))
    return buffer.getvalue()


def _vorbis(frames: NDArray[np.int16], quality: float) -> bytes:
    sound = io.BytesIO()
    options = {"format": "OGG", "subtype": "VORBIS", "compression_level": 1 - quality}
    with soundfile.SoundFile(sound, "w", RATE, frames.shape[1], **options) as file:
        for at in range(0, len(frames), _BLOCK):  # libsndfile 1.2.2 ends the process where 2**21 come at once
            file.write(frames[at : at + _BLOCK])
    return sound.getvalue()


def _refuse_strange(archive: zipfile.ZipFile, size: int) -> None:
    """Raise a `ValueError` for an archive that `pack_caches` cannot have written, such as a zip bomb."""
    entries = archive.infolist()
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not stored or sum(entry.file_size for entry in entries) > size:
        raise ValueError("it was not made by 'stream-sep data pack'")


def _check_names(*names: object) -> None:
    """Raise a `ValueError` for names that are not plain file names: they could lead out of the folder."""
    for name in names:
        if not isinstance(name, str) or not _PLAIN.fullmatch(name) or name.strip(". ") == "":
            raise ValueError(f"{name!r} is not a file name")


def _extract(whole: zipfile.ZipFile, name: str, scratch: Path) -> StemSong:
    scratch.mkdir()
    data = whole.read(name)
    with zipfile.ZipFile(io.BytesIO(data)) as inner:
        _refuse_strange(inner, len(data))
        note = json.loads(inner.read(_NOTE))
        if not isinstance(note["name"], str):
            raise TypeError(f"{note['name']!r} is not the name of a song")
        _check_names(*note["stems"], *note.get("silent", ()))
        for stem in note["stems"]:
            (scratch / f"{stem}.ogg").write_bytes(inner.read(f"{stem}.ogg"))
    sources = {stem: (Source(scratch / f"{stem}.ogg"),) for stem in note["stems"]}
    return StemSong(note["name"], sources, frozenset(note.get("silent", ())), float(note.get("max_hz", 0.0)))
