"""The source and settings of the files in a folder, recorded next to them, to skip finished songs reliably."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_sep.errors import AudioFileError
from stream_sep.lowlevel.atomic_file import FileClaim, atomic_write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stream_sep.files.song import Song

RECORD = ".stream-sep.json"
"""The file, in every folder of stems."""

_VERSION = 1
_LOCK_SECONDS = 5.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Origin:
    """The source and settings of a file.

    Attributes:
        digest: of the song's bytes.
        song: the song's file.
        stamp: its size and times, by which it is known to be the same without being read.
        settings: text of all settings that affect the file's content.
        size: bytes of the file that was made.
    """

    digest: str
    song: str
    stamp: tuple[int, ...]
    settings: str
    size: int = 0


def origin_of(song: Song, settings: str) -> Origin:
    """Return the record of a file that is made from a song; its size is added by `record_outputs`.

    Args:
        song: the song.
        settings: of the separation.
    """
    return Origin(song.digest, path_of(song), stamp_of(song.path), settings)


def path_of(song: Song) -> str:
    """Return the path of a song as it is kept."""
    return os.path.abspath(song.path)  # noqa: PTH100 - which would follow links


def stamp_of(path: Path) -> tuple[int, ...]:
    """Return the numbers that change when a file is written or replaced."""
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def record_outputs(origins: Mapping[Path, Origin]) -> None:
    """Record the origins of files.

    Raises:
        OSError: that cannot be written; the files are then made again the next time.
    """
    for folder in {file.parent for file in origins}:
        with _locked(folder):
            files = _read(folder)
            for file, origin in origins.items():
                if file.parent == folder:
                    files[file.name] = {**asdict(origin), "size": file.stat().st_size}
            present = {name: values for name, values in files.items() if (folder / name).is_file()}
            text = json.dumps({"version": _VERSION, "files": present}, indent=1)
            atomic_write(folder / RECORD, text.encode("utf-8", "surrogateescape"))


def recorded(files: Sequence[Path]) -> list[Origin | None]:
    """Return the record of each file; None for missing files and files of unknown origin."""
    folders = {folder: _read(folder) for folder in {file.parent for file in files}}
    found: list[Origin | None] = []
    for file in files:
        values = folders[file.parent].get(file.name)
        origin = None
        if values is not None and file.is_file():
            with suppress(TypeError, ValueError):
                origin = Origin(**{**values, "stamp": tuple(values["stamp"])})
        found.append(origin)
    return found


def recorded_names(folder: Path) -> set[str]:
    """Return the names of the finished files in a folder."""
    return set(_read(folder))


def is_same_song(origin: Origin, song: Song) -> bool:
    """Return whether a file was made from the current content of a song.

    Args:
        origin: as `origin_of` returned it.
        song: the song as it is now.
    """
    return (origin.song == path_of(song) and origin.stamp == stamp_of(song.path)) or origin.digest == song.digest


def is_done(song: Song, settings: Mapping[Path, str], warn: Callable[[str], None]) -> bool:
    """Return whether all files exist, made from the current content of a song with the same settings.

    Args:
        song: the song.
        settings: for each file, a text of all settings that affect its content.
        warn: callback that receives a message about files edited since: they count as done, to keep the edits.

    Raises:
        AudioFileError: they are those of another song, which is still there.
    """
    origins = recorded(list(settings))
    for file, origin in zip(settings, origins, strict=True):
        if origin is not None:
            _refuse_other(file, origin, song)
    for (file, text), origin in zip(settings.items(), origins, strict=True):
        if origin is None or origin.settings != text or not is_same_song(origin, song):
            return False
        if origin.size != file.stat().st_size:
            warn(f"{file} was changed since it was written, and stays; --overwrite makes it again")
    return True


def _refuse_other(file: Path, origin: Origin, song: Song) -> None:
    if origin.song == path_of(song) or is_same_song(origin, song) or not Path(origin.song).is_file():
        return
    where = f"{file} was made of another song of that name, {origin.song}"
    raise AudioFileError(f"{where}; take another --out, or --overwrite to replace it")


def _read(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / RECORD).read_text("utf-8", "surrogateescape"))
        files = dict(found["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return files if found.get("version") == _VERSION else {}


class _locked:  # noqa: N801 - used as a function
    """Keeps other processes from changing the same record."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{RECORD}.part"
        self._claim: FileClaim | None = None

    def __enter__(self) -> None:
        until = time.monotonic() + _LOCK_SECONDS
        while self._claim is None:
            try:
                self._claim = FileClaim(self._path)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise
                time.sleep(_POLL_SECONDS)

    def __exit__(self, *_: object) -> None:
        assert self._claim is not None, "it was entered"
        self._claim.remove()
