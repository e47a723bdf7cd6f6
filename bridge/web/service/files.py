"""The data folder: the files of uploads, songs and stems, written atomically."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UPLOADED = "upload"
SOURCE = "source.flac"
COVER = "cover.jpg"
MANIFEST = "manifest.json"
MIX_PREFIX = "mix-"
STEMS_PREFIX = "stems-"
_COPIES = "-derived"
STEMS_GONE = "Its stems are gone from the disk of this server. Separate it again."
GONE = "Its files are gone from the disk of this server. Upload it again."
_OURS = re.compile(r"incoming|songs|work|empty|serve\.db.*|backup\.json|lost\+found")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_RESERVED = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]")


@dataclass(frozen=True)
class DataFolder:
    """The folders under one root; names in them are ids of ours, never a user's input.

    Attributes:
        root: of all.
    """

    root: Path

    @property
    def incoming(self) -> Path:
        """Incomplete uploads."""
        return self.root / "incoming"

    @property
    def songs(self) -> Path:
        """A folder for every song."""
        return self.root / "songs"

    @property
    def work(self) -> Path:
        """Work in progress; on the same file system, so that it can be renamed into place."""
        return self.root / "work"

    @property
    def empty(self) -> Path:
        """A folder that stays empty, for programs that read untrusted files to run in."""
        return self.root / "empty"

    def create(self) -> None:
        """Create the folders, readable by the owner only; a folder of ours that others may read is closed to them.

        Raises:
            ConfigError: others may read the root, and it holds other files too, or its mode cannot be changed.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_open(self.root):
            self._close()
        for folder in (self.incoming, self.songs, self.work):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.empty.mkdir(mode=0o500, exist_ok=True)

    def _close(self) -> None:
        others = sorted(path.name for path in self.root.iterdir() if not _OURS.fullmatch(path.name))
        if others:
            raise ConfigError(
                f"other users may read {self.root}, which holds other files too ({others[0]!r}); name a folder of "
                "its own, or close this one with chmod 700"
            )
        with suppress(PermissionError):
            self.root.chmod(0o700)
        if is_open(self.root):
            raise ConfigError(
                f"other users may read {self.root}, and its mode cannot be changed; name another folder"
            )

    def part(self, upload_id: str) -> Path:
        """Return the file of an incomplete upload."""
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
        return self.songs / song_id / f"{STEMS_PREFIX}{job_id}"

    def mix(self, song_id: str, name: str) -> Path:
        """Return the file of a rendered mix.

        Args:
            song_id: id of the song.
            name: name of the mix.
        """
        return self.songs / song_id / f"{MIX_PREFIX}{name}"

    def mixes(self) -> Iterator[tuple[str, Path]]:
        """Yield the names and files of the rendered mixes of all songs."""
        for path in self.songs.glob(f"*/{MIX_PREFIX}*"):
            yield path.name.removeprefix(MIX_PREFIX), path

    def derived(self, job_id: str) -> Path:
        """Return the folder of copies of a job's stems in other formats."""
        return self.work / f"{job_id}{_COPIES}"

    def copies(self) -> Iterator[Path]:
        """Yield the folders of copies in other formats, of all songs."""
        return self.work.glob(f"*{_COPIES}")

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


def is_open(path: Path) -> bool:
    """Return whether other users may read or change a file or folder; false on Windows, which has no such modes."""
    return os.name != "nt" and bool(path.stat().st_mode & _OTHERS)


def make_private(path: Path) -> None:
    """Create an empty file that only its owner may read, or close an existing one to others."""
    path.touch(mode=0o600)
    if is_open(path):
        path.chmod(0o600)


def replace_reserved(name: str) -> str:
    """Return a name without characters that some system does not allow in names of files.

    >>> replace_reserved("AC/DC")
    'AC_DC'
    """
    return _RESERVED.sub("_", name)


def sync(path: Path) -> None:
    """Flush a file or folder to the disk (fsync)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Flush a folder and all files in it to the disk."""
    for path in folder.iterdir():
        sync(path)
    sync(folder)


def move_into_place(source: Path, target: Path) -> None:
    """Rename a file or folder and flush both parent folders; does nothing if it was renamed before.

    Args:
        source: its path.
        target: where it goes.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        source.replace(target)
    sync(target.parent)
    sync(source.parent)


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder and below; one that is deleted meanwhile counts as 0."""
    return sum(map(_file_bytes, folder.rglob("*")))


def kept_bytes(song_folder: Path) -> int:
    """Return the bytes of a song's files; rendered mixes do not count, as they are deleted after a day."""
    return folder_bytes(song_folder) - sum(map(_file_bytes, song_folder.glob(f"{MIX_PREFIX}*")))


def missing_files(data: DataFolder, song_id: str, job_id: str | None) -> str | None:
    """Return an error message if a song's source or stems are not on the disk.

    Args:
        data: the data folder.
        song_id: the song.
        job_id: the separation whose stems it has; None for a song without stems.
    """
    folder = data.song(song_id)
    if not ((folder / SOURCE).is_file() or (folder / UPLOADED).is_file()):
        return GONE
    if job_id is not None and not (data.stems(song_id, job_id) / MANIFEST).is_file():
        return STEMS_GONE
    return None


def digest_of(path: Path) -> str:
    """Return the BLAKE2b digest of a file, 32 bytes as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()


def remove(path: Path) -> None:
    """Delete a file or a folder with all below it, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _file_bytes(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size if path.is_file() else 0
    return 0
