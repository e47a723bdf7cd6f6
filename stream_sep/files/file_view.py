"""A part of a file as a file of its own, for libraries that read from Python's file objects."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class FileView(io.RawIOBase):
    """A read-only view of a part of a file, which records how far it was read.

    Args:
        raw: the file.
        start: offset of its first byte.
        end: offset behind its last byte; the end of the file unless given.
        patches: offset in the view -> bytes that it shows there in place of the file's.

    Attributes:
        furthest: offset in the view behind the last byte that was read.
    """

    def __init__(
        self, raw: io.BufferedReader, start: int, end: int | None = None, patches: Mapping[int, bytes] | None = None
    ) -> None:
        super().__init__()
        self._raw, self._start, self._patches, self.furthest = raw, start, patches or {}, 0
        self._end = raw.seek(0, os.SEEK_END) if end is None else end
        raw.seek(start)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill a buffer; return the number of bytes."""
        first = self.tell()
        shown = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        count = self._raw.readinto(shown[: max(0, self._end - self._raw.tell())])
        for at, data in self._patches.items():
            begin, end = max(at, first), min(at + len(data), first + count)
            if begin < end:
                shown[begin - first : end - first] = data[begin - at : end - at]
        self.furthest = max(self.furthest, self.tell())
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset; return it from the view's start.

        Args:
            offset: bytes from the origin.
            whence: the origin: the view's start, the position or the view's end.
        """
        origin = {os.SEEK_SET: self._start, os.SEEK_CUR: self._raw.tell(), os.SEEK_END: self._end}[whence]
        return self._raw.seek(origin + offset) - self._start

    def tell(self) -> int:
        """Return the offset from the view's start."""
        return self._raw.tell() - self._start
