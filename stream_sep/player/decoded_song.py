"""A song being decoded: a growing file of floats that several processes read."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import AudioFileError, reason
from stream_sep.files.disk_space import check_room

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from stream_sep.protocols import Block

_HEAD = 8  # one int64: total frames, -1 until known
_FRAME = 8  # left and right
_ADVICE = "or set TMPDIR to a folder on a larger disk"


class DecodedSongWriter:
    """Writes a decoded song sequentially.

    Args:
        path: the file to create.

    Raises:
        AudioFileError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("wb") as file:
                file.write(np.int64(-1).tobytes())
        except OSError as error:
            raise _disk_error(path, error) from error

    def write(self, blocks: Iterable[Block]) -> int:
        """Append all ``blocks``, ``(2, frames)``, and mark the end; return the number of frames.

        Raises:
            AudioFileError: the disk is full, or decoding fails; the written part stays readable.
        """
        return sum(block.shape[1] for block in self.passing(blocks))

    def passing(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Yield ``blocks`` as they are written; see `write`."""
        frames = 0
        try:
            with self.path.open("r+b", buffering=0) as file:
                file.seek(_HEAD)
                try:
                    for block in blocks:
                        data = np.ascontiguousarray(block.T, np.float32).tobytes()
                        check_room(self.path.parent, len(data), _ADVICE)
                        write_all(file, data)
                        frames += block.shape[1]
                        yield block
                finally:
                    file.seek(0)
                    file.write(np.int64(frames).tobytes())
        except OSError as error:
            raise _disk_error(self.path, error) from error


class DecodedSong:
    """Reads the output of a `DecodedSongWriter`, also while it is being written.

    Args:
        path: the file.

    Raises:
        AudioFileError: it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise AudioFileError(f"cannot read {path}: {reason(error)}; is the disk still there?") from error

    @property
    def frames(self) -> int | None:
        """Frames of the whole song; None while it is still being decoded."""
        self._file.seek(0)
        count = int(np.frombuffer(self._file.read(_HEAD), np.int64)[0])
        return None if count < 0 else count

    @property
    def decoded(self) -> int:
        """Frames decoded so far."""
        return max(0, os.fstat(self._file.fileno()).st_size - _HEAD) // _FRAME

    def has(self, end: int) -> bool:
        """Return whether all frames before ``end`` are decoded, or the song has ended."""
        return self.decoded >= end or self.frames is not None

    def read(self, start: int, frames: int) -> Block:
        """Return ``(2, frames)`` from frame ``start``; zeros outside the song.

        Args:
            start: first frame; may be negative.
            frames: number of frames.
        """
        sound = np.zeros((2, frames), np.float32)
        first = max(start, 0)
        if start + frames > first:
            self._file.seek(_HEAD + first * _FRAME)
            there = np.frombuffer(self._file.read((start + frames - first) * _FRAME), np.uint8)
            whole = len(there) // _FRAME
            pairs = there[: whole * _FRAME].view(np.float32).reshape(whole, 2)
            sound[:, first - start : first - start + whole] = pairs.T
        return sound

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._file.close()


def check_decoded_room(folder: Path, frames: int) -> None:
    """Check that a decoded song fits on a disk.

    Args:
        folder: where it will be.
        frames: its length.

    Raises:
        AudioFileError: it does not.
    """
    check_room(folder, _HEAD + _FRAME * frames, _ADVICE)


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write ``data`` to an unbuffered file, which may accept it in parts.

    Args:
        file: an unbuffered binary file.
        data: the bytes.
    """
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _disk_error(path: Path, error: OSError) -> AudioFileError:
    return AudioFileError(f"cannot write a decoded song to {path.parent}: {error}; free some space there")
