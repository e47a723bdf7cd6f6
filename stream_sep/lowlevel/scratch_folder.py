"""A folder for temporary files that outlives no process for long: what a killed one leaves, the next one deletes."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from stream_sep.lowlevel.atomic_file import FileClaim, remove_stale

_PREFIX = "stream-sep-scratch-"
_LOCK = ".lock"


class ScratchFolder:
    """A new folder among the system's temporary ones, deleted on `close`; a context manager that returns its path.

    Those of killed processes of this user are deleted first.

    Attributes:
        path: the folder.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self) -> None:
        _sweep(Path(tempfile.gettempdir()))
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        try:
            self._claim = FileClaim(self.path / _LOCK)
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def __enter__(self) -> Path:
        """Return its path."""
        return self.path

    def __exit__(self, *_: object) -> None:
        """Delete it."""
        self.close()

    def close(self) -> None:
        """Delete the folder with all that is in it; harmless the second time."""
        self._claim.remove()
        shutil.rmtree(self.path, ignore_errors=True)  # on Windows, a file that another process still reads stays


def _sweep(folder: Path) -> None:
    """Delete the scratch folders of killed processes."""
    for lock in folder.glob(f"{_PREFIX}*/{_LOCK}"):
        if _is_own(lock.parent) and remove_stale([lock]):
            shutil.rmtree(lock.parent, ignore_errors=True)


def _is_own(folder: Path) -> bool:
    """Return whether it is a folder of this user, not a link: others may write to the same place."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return not folder.is_symlink() and (not hasattr(os, "getuid") or status.st_uid == os.getuid())
