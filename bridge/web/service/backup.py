"""A copy of everything, made while the service runs: first the database, then the files, a manifest last."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.web.service.files import DataFolder, sync_tree
from stream_sep.errors import ConfigError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.web.service.context import Service

DATABASE = "serve.db"
MANIFEST = "backup.json"


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

    The database is copied first: files of a song added meanwhile are not in it, which is harmless.

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
        service.database.copy_to(folder / DATABASE)
        sizes = dict(_copy_files(service.data.songs, copy.songs))
        manifest = {"files": {path.relative_to(folder).as_posix(): size for path, size in sizes.items()}}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")
        sync_tree(folder)
    except OSError as error:
        raise BackupError(f"the backup in {folder} cannot be written: {error.strerror}") from error
    return Backup(folder, len(sizes), sum(sizes.values()))


def check_backup(folder: Path) -> Backup:
    """Return the contents of a backup.

    Raises:
        BackupError: it is unfinished, or a file is missing or of another size.
    """
    try:
        files: dict[str, int] = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    except (OSError, ValueError, KeyError) as error:
        raise BackupError(f"{folder} does not contain a finished backup; make it again") from error
    for name, size in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            raise BackupError(f"{path} of the backup is gone or was changed")
    return Backup(folder, len(files), sum(files.values()))


def _copy_files(source: Path, target: Path) -> Iterator[tuple[Path, int]]:
    """Link or copy every whole file below a folder; yield each with its size."""
    for path in sorted(source.rglob("*")):
        if not path.is_file() or ".part" in path.suffixes:
            continue
        copy = target / path.relative_to(source)
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
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
