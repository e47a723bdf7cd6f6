"""Room on a disk, looked at before something large is written."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from stream_sep.errors import AudioFileError

if TYPE_CHECKING:
    from pathlib import Path

_GB = 1e9


def free_bytes(folder: Path) -> int | None:
    """Return the bytes that are free where a folder is, or will be; None where that cannot be told."""
    for each in (folder, *folder.absolute().parents):
        try:
            return shutil.disk_usage(each).free
        except OSError:
            continue
    return None


def check_room(folder: Path, size: int, advice: str = "or take another --out") -> None:
    """Refuse what a disk has no room for.

    Args:
        folder: where it shall be written.
        size: bytes that it takes.
        advice: what else to do than to free some.

    Raises:
        AudioFileError: there are fewer.
    """
    free = free_bytes(folder)
    if free is not None and size > free:
        needed = f"{size / _GB:.2g} GB are needed in {folder}, where {free / _GB:.2g} GB are free"
        raise AudioFileError(f"{needed}; free some space, {advice}")
