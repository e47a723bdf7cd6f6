"""A WAV file that other programs can read while it is being written: its header is valid at all times."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_CHANNELS = 2
_FLOATS = 3  # as WAV names them
_WHOLE_NUMBERS = 1
_UNKNOWN = 0xFFFFFFFF
_MAX_COUNT = 0xFFFFFFFF - 1  # bytes that the counts of WAV can count
_SIZES = struct.Struct("<QQQ")


class StreamingWavWriter:
    """Writes a stereo WAV file; beyond 4 GB, where its counts would not suffice, RF64 (EBU Tech 3306).

    libsndfile cannot do that: it writes the counts when it closes the file, and zeros before. Here every count is
    written after the sound that it counts, so that a reader never looks for more than is there. The file begins with
    a chunk of nothing, which becomes the large counts of RF64 when they are needed.

    Args:
        path: the file.
        sample_rate: frames per second.
        bits: 16 or 24, or 32 for floats.
        exclusive: refuse a path where there is a file, in place of replacing it.

    Raises:
        OSError: it cannot be written; `FileExistsError` where ``exclusive`` refuses it.
    """

    def __init__(self, path: Path, sample_rate: int, bits: int, *, exclusive: bool = False) -> None:
        self.path, self.frames = path, 0
        self._bits, self._is_large = bits, False
        frame_bytes = self._frame_bytes = _CHANNELS * bits // 8
        kind = _FLOATS if bits == 32 else _WHOLE_NUMBERS
        facts = struct.pack("<HHIIHH", kind, _CHANNELS, sample_rate, sample_rate * frame_bytes, frame_bytes, bits)
        header = struct.pack("<4sI4s", b"RIFF", 0, b"WAVE") + _chunk(b"JUNK", bytes(_SIZES.size + 4))
        header += _chunk(b"fmt ", facts) + (_chunk(b"fact", bytes(4)) if kind == _FLOATS else b"")
        header += struct.pack("<4sI", b"data", 0)
        self._begin = len(header)
        self._file = path.open("xb" if exclusive else "wb", buffering=0)
        self._put(0, header)
        self._count()

    def write(self, sound: NDArray[np.float32]) -> None:
        """Append ``(frames, 2)``, clipped at full scale except in floats.

        Raises:
            OSError: the disk is full or gone.
        """
        self._put(self._begin + self.frames * self._frame_bytes, _encode(sound, self._bits))
        self.frames += len(sound)
        self._count()

    def truncate(self, frames: int) -> None:
        """Drop all but the first ``frames``, and the remains of a write that failed.

        Raises:
            OSError: the disk is gone.
        """
        self.frames = min(frames, self.frames)
        self._count()
        self._file.truncate(self._begin + self.frames * self._frame_bytes)

    def flush(self) -> None:
        """Do nothing: every write is visible at once."""

    def close(self) -> None:
        """Close the file; harmless when closed already."""
        self._file.close()

    def _count(self) -> None:
        """Write every count, the one that readers go by last."""
        size = self.frames * self._frame_bytes
        whole = self._begin + size - 8
        if self._is_large or whole > _MAX_COUNT:
            self._put(20, _SIZES.pack(whole, size, self.frames))
            if not self._is_large:
                self._is_large = True
                self._put(self._begin - 4, struct.pack("<I", _UNKNOWN))
                self._put(12, b"ds64")
                self._put(0, struct.pack("<4sI", b"RF64", _UNKNOWN))
            return
        self._put(4, struct.pack("<I", whole))
        if self._bits == 32:
            self._put(self._begin - 12, struct.pack("<I", self.frames))
        self._put(self._begin - 4, struct.pack("<I", size))

    def _put(self, at: int, data: bytes) -> None:
        self._file.seek(at)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body


def _encode(sound: NDArray[np.float32], bits: int) -> bytes:
    """Return frames as little-endian bytes.

    >>> _encode(np.array([[0.5, -1.0]], np.float32), 24).hex()
    '000040010080'
    """
    if bits == 32:
        return sound.astype("<f4").tobytes()
    full = (1 << bits - 1) - 1
    numbers = np.rint(np.clip(sound.astype(np.float64), -1, 1) * full).astype("<i4")
    if bits == 16:
        return numbers.astype("<i2").tobytes()
    return np.ascontiguousarray(numbers)[..., None].view(np.uint8)[..., : bits // 8].tobytes()
