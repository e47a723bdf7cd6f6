"""Free disk space, checked before large files are written."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from stream_sep.errors import AudioFileError

if TYPE_CHECKING:
    from pathlib import Path

_GB = 1e9


def free_bytes(folder: Path) -> int | None:
    """Return the free bytes on the disk of an existing or future folder; None if that is unknown."""
    for each in (folder, *folder.absolute().parents):
        try:
            return shutil.disk_usage(each).free
        except OSError:
            continue
    return None


def check_room(folder: Path, size: int, advice: str = "or take another --out") -> None:
    """Check that a disk has enough free space.

    Args:
        folder: destination.
        size: bytes to write.
        advice: an alternative to freeing space, for the message.

    Raises:
        AudioFileError: there is not enough.
    """
    free = free_bytes(folder)
    if free is not None and size > free:
        needed = f"{size / _GB:.2g} GB are needed in {folder}, where {free / _GB:.2g} GB are free"
        raise AudioFileError(f"{needed}; free some space, {advice}")
