"""The data folder: where the bytes of uploads, songs and stems are, and how they get there whole."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

UPLOADED = "upload"
SOURCE = "source.flac"
COVER = "cover.png"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class DataFolder:
    """The folders under one root; every name in them is an id of ours, never one that a user gave.

    Attributes:
        root: of all.
    """

    root: Path

    @property
    def incoming(self) -> Path:
        """Uploads that are not whole yet."""
        return self.root / "incoming"

    @property
    def songs(self) -> Path:
        """A folder for every song."""
        return self.root / "songs"

    @property
    def work(self) -> Path:
        """What workers are writing just now; on the same file system, so that it can be renamed into place."""
        return self.root / "work"

    def create(self) -> None:
        """Make the folders, for the owner's eyes only."""
        for folder in (self.root, self.incoming, self.songs, self.work):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def part(self, upload_id: str) -> Path:
        """Return the file of an upload that is not whole."""
        return self.incoming / f"{upload_id}.part"

    def song(self, song_id: str) -> Path:
        """Return the folder of a song."""
        return self.songs / song_id

    def stems(self, song_id: str, job_id: str) -> Path:
        """Return the folder with the stems that a job made of a song.

        Args:
            song_id: id of the song.
            job_id: id of the job.
        """
        return self.songs / song_id / f"stems-{job_id}"

    def mix(self, song_id: str, name: str) -> Path:
        """Return the file of a rendered mix.

        Args:
            song_id: id of the song.
            name: name of the mix.
        """
        return self.songs / song_id / f"mix-{name}"

    def derived(self, job_id: str) -> Path:
        """Return the folder of copies of a job's stems in other formats."""
        return self.work / f"{job_id}-derived"

    def attempt(self, job_id: str, attempt: int) -> Path:
        """Return the folder that one attempt at a job writes to.

        Args:
            job_id: id of the job.
            attempt: number of the attempt.
        """
        return self.work / f"{job_id}-{attempt}.tmp"

    def free_bytes(self) -> int:
        """Return the bytes left on the disk."""
        return shutil.disk_usage(self.root).free


def sync(path: Path) -> None:
    """Have a file or folder written to the disk itself."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Have a folder and all files in it written to the disk itself."""
    for path in folder.iterdir():
        sync(path)
    sync(folder)


def move_into_place(source: Path, target: Path) -> None:
    """Rename a file or folder and have both folders written; does nothing where it was renamed before.

    Args:
        source: where it is.
        target: where it goes.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        source.replace(target)
    sync(target.parent)
    sync(source.parent)


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder and below; one that goes away meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def remove(path: Path) -> None:
    """Delete a file or a folder with all below it, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
