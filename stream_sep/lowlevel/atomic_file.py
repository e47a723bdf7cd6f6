"""Atomic file writes, and locks on files that are being written."""

from __future__ import annotations

import glob
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

if os.name == "nt":  # pragma: no cover - the other system's way
    import msvcrt

    _LOCK_OFFSET = 1 << 62  # a locked byte so far behind the end blocks no reader

    def lock_file(handle: int) -> bool:
        """Lock a file until it is closed; return whether the system can.

        Raises:
            BlockingIOError: it is locked by another process, or by another part of this one.
        """
        os.lseek(handle, _LOCK_OFFSET, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError as error:
            raise BlockingIOError(error.errno, "another process writes it") from error
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
        return True
else:
    import errno
    import fcntl

    _NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}

    def lock_file(handle: int) -> bool:
        """Lock a file until it is closed; return whether the system can, as some network drives cannot.

        Args:
            handle: of the open file.

        Raises:
            BlockingIOError: it is locked by another process, or by another part of this one.
        """
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(error.errno, "another process writes it") from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            return False
        return True


def atomic_write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file atomically, so that it is never incomplete, not even after a power cut.

    What a killed process has left of an earlier write is deleted.

    Args:
        path: the file, which is replaced; its folder is created.
        data: its content.
        mode: its permissions.

    Raises:
        OSError: it cannot be written; an existing file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(path.parent.glob(f".{glob.escape(path.name)}.*.tmp"))
    with FileClaim(path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp"), 0o600) as claim:
        with claim.path.open("r+b") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        claim.path.chmod(mode)
        claim.rename(path)
    _sync_folder(path.parent)


class FileClaim:
    """A locked file that is being written: no other process can claim or remove it.

    The lock is the operating system's and ends with the process; the file then stays, unlocked, for `remove_stale`.
    A file that was left behind is claimed like a new one, and truncated.

    Args:
        path: the file; its folder must exist.
        mode: permissions of a new file, less the umask.

    Raises:
        BlockingIOError: another process, or another part of this one, has claimed it.
        OSError: it cannot be created.
    """

    def __init__(self, path: Path, mode: int = 0o666) -> None:
        self.path, self._mode = path, mode
        self._handle, self._process = -1, os.getpid()
        try:
            while self._handle < 0:
                self._acquire()
        except BaseException:  # of a signal, perhaps between the creation of the file and its lock
            self.remove()
            remove_stale([path])
            raise

    def __del__(self) -> None:
        """Remove the file of a claim that was lost, as when a signal interrupts its assignment."""
        if getattr(self, "_process", 0) == os.getpid():  # a forked process has a copy
            self.remove()

    def _acquire(self) -> None:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), self._mode)
        try:
            lock_file(handle)
            if _is_at(handle, self.path):  # or it was swept away between the two lines above
                os.ftruncate(handle, 0)
                self._handle = handle
        finally:
            if self._handle < 0:
                os.close(handle)

    def __enter__(self) -> Self:
        """Return the claim; leaving the block removes the file unless it was renamed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file unless it was renamed."""
        self.remove()

    @property
    def is_ours(self) -> bool:
        """Whether the file at its path is still the one that was claimed."""
        return self._handle >= 0 and _is_at(self._handle, self.path)

    def rename(self, target: Path) -> None:
        """Rename the file to its final name, replacing an existing file, and release the claim.

        Raises:
            FileNotFoundError: the file was removed or replaced by another program.
            OSError: it cannot be renamed, as where another program has the target open on Windows.
        """
        if not self.is_ours:
            raise FileNotFoundError(2, "it was removed while it was being written", str(self.path))
        if os.name == "nt":  # pragma: no cover - an open file cannot be renamed there
            self._release()
        self.path.replace(target)
        self._release()

    def replace(self, other: FileClaim) -> None:
        """Replace this file by another claimed one.

        Raises:
            OSError: that cannot be done.
        """
        if os.name == "nt":  # pragma: no cover - as above
            self._release()
            other._release()
        other.path.replace(self.path)
        self._release()
        self._handle, other._handle = other._handle, -1

    def remove(self) -> None:
        """Delete the file and release the claim; does nothing after `rename`, or a second time."""
        if self._handle < 0:
            return
        ours = self.is_ours
        if os.name == "nt":  # pragma: no cover - as above
            self._release()
        if ours:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
        self._release()

    def _release(self) -> None:
        handle, self._handle = self._handle, -1  # first, as no number may be closed twice
        if handle >= 0:
            os.close(handle)


def is_claimed(path: Path) -> bool:
    """Return whether a running process is writing a file."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not lock_file(handle)  # unknown on file systems without locks
    except BlockingIOError:
        return True
    finally:
        os.close(handle)


def remove_stale(paths: Iterable[Path]) -> list[Path]:
    """Delete files that no process has claimed; return the deleted ones."""
    removed = []
    for path in paths:
        try:
            handle = os.open(path, os.O_RDWR)
        except OSError:
            continue
        with suppress(OSError):
            try:
                if not lock_file(handle):  # a process may be writing it
                    continue
                if os.name == "nt":  # pragma: no cover - as above
                    os.close(handle)
                    handle = -1
                path.unlink(missing_ok=True)
                removed.append(path)
            finally:
                if handle >= 0:
                    os.close(handle)
    return removed


def _is_at(handle: int, path: Path) -> bool:
    try:
        there = path.stat()
    except OSError:
        return False
    return os.path.samestat(os.fstat(handle), there)


def _sync_folder(folder: Path) -> None:
    """Sync the folder's entry to the disk, where folders can be synced."""
    if os.name == "nt":  # pragma: no cover - folders cannot be opened there
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
