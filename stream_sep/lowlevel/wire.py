"""Frames between two processes over a pipe: one byte of kind, four of length, and that many bytes of body.

Text frames hold one JSON object, audio frames raw little-endian float32. Every child process of the package uses
these and nothing else.
"""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT_FRAME, AUDIO_FRAME = b"J", b"S"
_HEADER = struct.Struct("<cI")


class Frame(NamedTuple):
    """A received frame.

    Attributes:
        kind: `TEXT_FRAME` or `AUDIO_FRAME`.
        body: its bytes.
    """

    kind: bytes
    body: bytes

    def message(self) -> dict[str, Any]:
        """Return the JSON object of a text frame.

        Raises:
            ValueError: the body is no JSON object.
        """
        message = json.loads(self.body)
        if self.kind != TEXT_FRAME or not isinstance(message, dict):
            raise ValueError(f"a frame of kind {self.kind!r} with {self.body[:40]!r} is not a message")
        return message


def write_frame(pipe: BinaryIO, kind: bytes, body: bytes) -> bool:
    """Write one frame and flush it; return False if the reader has closed the pipe.

    Args:
        pipe: a binary pipe.
        kind: one byte of type.
        body: the payload.
    """
    with suppress(OSError, ValueError):  # a closed pipe; the reader detects the end of the other one
        pipe.write(_HEADER.pack(kind, len(body)) + body)
        pipe.flush()
        return True
    return False


def read_frame(pipe: BinaryIO) -> Frame | None:
    """Return the next frame, or None if the writer has closed the pipe, between two frames or within one.

    >>> import io
    >>> read_frame(io.BytesIO(encode_message({"hop": 512}))).message()
    {'hop': 512}
    >>> read_frame(io.BytesIO(b"")) is None
    True
    """
    with suppress(OSError, ValueError):
        header = pipe.read(_HEADER.size)
        if len(header) == _HEADER.size:
            kind, length = _HEADER.unpack(header)
            body = pipe.read(length)
            if len(body) == length:
                return Frame(kind, body)
    return None


def encode_message(message: Mapping[str, Any]) -> bytes:
    """Return ``message`` as a text frame; values that are not JSON become strings."""
    body = json.dumps(message, default=str).encode()
    return _HEADER.pack(TEXT_FRAME, len(body)) + body


def write_message(pipe: BinaryIO, message: Mapping[str, Any]) -> bool:
    """Write ``message`` as a text frame; return False if the reader has closed the pipe.

    Args:
        pipe: a binary pipe.
        message: JSON values.
    """
    return write_frame(pipe, TEXT_FRAME, json.dumps(message, default=str).encode())


def read_message(pipe: BinaryIO) -> dict[str, Any] | None:
    """Return the next message, or None if the writer closed the pipe or wrote something else."""
    frame = read_frame(pipe)
    if frame is None:
        return None
    try:
        return frame.message()
    except ValueError:
        return None
