"""Stems of a song in one file, which one process fills while others read it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import AudioFileError
from stream_sep.player.decoded_song import write_all

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.protocols import Stems

PIECE = 1024
"""Frames per piece; a piece becomes ready as a whole."""
END_OF_TIME = 1 << 62
"""A frame behind any song."""

_MAX_LOOKAHEAD_PIECES = 64  # pieces looked ahead at most
_BLOCK = 1 << 18


class PartialStemFile:
    """Stems in one file that one process fills in any order while others read it.

    Args:
        path: the file.
        stems: names of the stems.
        frames: frames of the song.
        create: create the file.

    Attributes:
        ready: uint8 ``(pieces,)``, 1 where a piece of `PIECE` frames is final.
        sound: float32 ``(stems, 2, frames)``.

    Raises:
        AudioFileError: the file cannot be made or opened.
    """

    def __init__(self, path: Path, stems: Sequence[str], frames: int, *, create: bool = False) -> None:
        self.stems, self.frames, self.path = tuple(stems), frames, path
        pieces = -(-frames // PIECE)
        self._head = _head(frames)
        try:
            if create:
                with path.open("wb") as file:
                    file.truncate(self.size(stems, frames))
            self._file = path.open("r+b", buffering=0)
            whole: NDArray[np.uint8] = np.memmap(self._file, np.uint8, "r+")
        except (OSError, ValueError) as error:
            raise self._disk_error(error) from error
        self.ready: NDArray[np.uint8] = whole[:pieces]
        self.sound: Stems = whole[self._head :].view(np.float32).reshape(len(self.stems), 2, frames)

    @staticmethod
    def size(stems: Sequence[str], frames: int) -> int:
        """Return the size of the file in bytes.

        Args:
            stems: names of the stems.
            frames: frames of the song.
        """
        return _head(frames) + len(stems) * 2 * frames * 4

    def ready_until(self, start: int) -> int:
        """Return the frame up to which stems are ready from ``start`` on; see `SongStems`."""
        first = max(start, 0) // PIECE
        seen = self.ready[first : first + _MAX_LOOKAHEAD_PIECES]
        missing = np.flatnonzero(seen == 0)
        there = int(missing[0]) if len(missing) else len(seen)
        end = (first + there) * PIECE
        return END_OF_TIME if first + there >= len(self.ready) else max(end, start)

    def read(self, start: int, frames: int) -> Stems:
        """Return ``(stems, 2, frames)``; see `SongStems`."""
        out = np.zeros((len(self.stems), 2, frames), np.float32)
        there = self.sound[..., max(start, 0) : max(start + frames, 0)]
        at = max(0, -start)
        out[..., at : at + there.shape[2]] = there
        return out

    def add(self, start: int, sound: Stems) -> None:
        """Add ``(stems, 2, frames)`` from frame ``start`` on, all of it within the song.

        Args:
            start: first frame.
            sound: ``(stems, 2, frames)``.

        Raises:
            AudioFileError: the disk is full.
        """
        self.put(start, self.sound[..., start : start + sound.shape[2]] + sound)

    def put(self, start: int, sound: Stems) -> None:
        """Write ``(stems, 2, frames)`` from frame ``start`` on, all of it within the song.

        Args:
            start: first frame.
            sound: ``(stems, 2, frames)``.

        Raises:
            AudioFileError: the disk is full.
        """
        try:  # a full disk raises here, but crashes through the map
            for row, channel in enumerate(sound.reshape(-1, sound.shape[2])):
                self._file.seek(self._head + (row * self.frames + start) * 4)
                write_all(self._file, np.ascontiguousarray(channel).tobytes())
        except OSError as error:
            raise self._disk_error(error) from error

    def erase(self, start: int, end: int) -> None:
        """Zero a range of frames.

        Args:
            start: first frame.
            end: the frame after the last.

        Raises:
            AudioFileError: the disk is full.
        """
        for at in range(start, min(end, self.frames), _BLOCK):
            there = self.sound[..., at : min(at + _BLOCK, end, self.frames)]
            if there.any():
                self.put(at, np.zeros_like(there))

    def shift(self, start: int, end: int, offset: float) -> None:
        """Add a constant to a range of frames.

        Args:
            start: first frame.
            end: the frame after the last.
            offset: the constant.

        Raises:
            AudioFileError: the disk is full.
        """
        self.put(start, self.sound[..., start : min(end, self.frames)] + np.float32(offset))

    def mark(self, first: int, last: int) -> None:
        """Mark pieces as final after an fsync: another program may read them after a crash.

        Args:
            first: the first piece.
            last: the piece after the last.

        Raises:
            AudioFileError: the disk fails.
        """
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._disk_error(error) from error
        self.ready[first:last] = 1

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        del self.ready, self.sound

    def describe(self) -> dict[str, Any]:
        """Return the input of `open_stems` in another process, in plain JSON values."""
        return {"growing": str(self.path), "stems": list(self.stems), "frames": self.frames}

    def _disk_error(self, error: Exception) -> AudioFileError:
        return AudioFileError(
            f"cannot write refined stems to {self.path.parent}: {error}; free some space, or play with --no-refine"
        )


def _head(frames: int) -> int:
    """Return the size of the header: one byte per piece, rounded up to 64."""
    return -(-frames // (64 * PIECE)) * 64
