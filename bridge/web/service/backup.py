"""A copy of everything, made while the service runs: first the database, then the files, a manifest last.

Files of a song that is added meanwhile are in it without their row, which is harmless. Where files that the copied
database names were removed meanwhile, by a new separation or a delete, both are copied again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.web.service.files import DataFolder, missing_files, sync_tree
from stream_sep.errors import ConfigError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.web.service.context import Service

DATABASE = "serve.db"
MANIFEST = "backup.json"
_ATTEMPTS = 5


class BackupError(StreamSepError):
    """A backup that cannot be made, or is not whole."""


@dataclass(frozen=True)
class Backup:
    """The contents of a backup.

    Attributes:
        folder: a data folder; to restore it, serve a copy of it with ``--data``.
        files: number of audio files.
        bytes: of all of them.
    """

    folder: Path
    files: int
    bytes: int


def back_up(service: Service, folder: Path) -> Backup:
    """Make a backup in a folder that is empty or not there; files are linked where possible, as they never change.

    Args:
        service: the service.
        folder: the folder.

    Raises:
        ConfigError: the folder is in use, or the database is PostgreSQL, which `pg_dump` backs up.
        BackupError: it cannot be written.
    """
    if service.database.path is None:
        raise ConfigError("backup supports SQLite only; use pg_dump for the database, then copy the folder songs")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty; name a new folder")
    try:
        copy = DataFolder(folder)
        copy.create()
        sizes = _copy_whole(service, copy)
        manifest = {"files": {path.relative_to(folder).as_posix(): size for path, size in sizes.items()}}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")
        sync_tree(folder)
    except OSError as error:
        raise BackupError(f"the backup in {folder} cannot be written: {error.strerror}") from error
    return Backup(folder, len(sizes), sum(sizes.values()))


def check_backup(folder: Path) -> Backup:
    """Return the contents of a backup.

    Raises:
        BackupError: it is unfinished, a file is missing or of another size, or a song is without its files.
    """
    try:
        files: dict[str, int] = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    except (OSError, ValueError, KeyError) as error:
        raise BackupError(f"{folder} does not contain a finished backup; make it again") from error
    for name, size in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            raise BackupError(f"{path} of the backup is gone or was changed")
    if incomplete := _incomplete_songs(DataFolder(folder)):
        raise BackupError(f"{folder} lacks files of {', '.join(incomplete[:3])}; make it again")
    return Backup(folder, len(files), sum(files.values()))


def _copy_whole(service: Service, copy: DataFolder) -> dict[Path, int]:
    """Copy database and files until no song of the copy lacks files; return the size of each file."""
    sizes: dict[Path, int] = {}
    for _ in range(_ATTEMPTS):
        (copy.root / DATABASE).unlink(missing_ok=True)
        service.database.copy_to(copy.root / DATABASE)
        sizes |= _copy_files(service.data.songs, copy.songs)
        if not (incomplete := _incomplete_songs(copy)):
            return sizes
    raise BackupError(
        f"files of {', '.join(incomplete[:3])} are not on the disk, {_ATTEMPTS} times in a row; "
        "run 'stream-sep serve check --repair', then make the backup again"
    )


def _incomplete_songs(data: DataFolder) -> list[str]:
    """Return the ids of a backup's songs without their files, read in SQL that fits the schema of any version."""
    query = "SELECT id, job_id FROM songs WHERE state NOT IN ('deleting', 'failed')"
    try:
        with contextlib.closing(sqlite3.connect(data.root / DATABASE)) as connection:
            return [song for song, job in connection.execute(query) if missing_files(data, song, job)]
    except sqlite3.Error as error:
        raise BackupError(f"{data.root / DATABASE} of the backup cannot be read: {error}") from error


def _copy_files(source: Path, target: Path) -> Iterator[tuple[Path, int]]:
    """Link or copy every whole file below a folder; yield each with its size."""
    for path in sorted(source.rglob("*")):
        if not path.is_file() or ".part" in path.suffixes:
            continue
        copy = target / path.relative_to(source)
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            if not copy.is_file():
                _link_or_copy(path, copy)
        except FileNotFoundError:  # deleted meanwhile
            continue
        yield copy, copy.stat().st_size


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
