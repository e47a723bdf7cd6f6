"""Where the sound of a WAV, AIFF, CAF, W64 or AU file is, and where it actually ends."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

UNCOUNTED = 0x7FFFF000
"""Sizes from here on, in 32 bits, stand for an unknown length."""

_UNCOUNTED = {4: UNCOUNTED, 8: UNCOUNTED << 32}

_MAX_TRAILER = 1 << 16
"""Zeros up to this number of bytes behind the sound are the rest of a buffer."""

_MAX_REST = 1 << 12
"""Bytes behind the sound that may be anything: less than 0.03 s of a CD."""

_TAGS = (b"APETAGEX", b"TAG", b"ID3")


class _Layout(NamedTuple):
    first: int  # offset of the first chunk
    size: str  # struct format of a chunk's size
    sound: bytes  # first four bytes of the name of the chunk of sound
    skip: int = 0  # bytes in that chunk before the sound
    name: int = 4  # bytes of a chunk's name
    align: int = 2
    is_inclusive: bool = False  # whether the size counts the chunk's head
    is_big: bool = False  # whether samples are big-endian unless the header says otherwise


_RIFF = _Layout(12, "<I", b"data")
_AIFF = _Layout(12, ">I", b"SSND", 8, is_big=True)
_LAYOUTS = {
    b"RIFF": _RIFF,
    b"RF64": _RIFF,
    b"BW64": _RIFF,
    b"RIFX": _RIFF._replace(size=">I", is_big=True),
    b"FORM": _AIFF,
    b"caff": _Layout(8, ">q", b"data", 4, align=1, is_big=True),
    b"riff": _Layout(40, "<Q", b"data", name=16, align=8, is_inclusive=True),
}
_SVX = _AIFF._replace(sound=b"BODY", skip=0)
_AU = {b".snd": ">I", b"dns.": "<I"}


@dataclass(frozen=True)
class SoundChunk:
    """The part of a file that is sound.

    Attributes:
        container: the first four bytes of the file.
        is_big: whether samples are big-endian unless the header says otherwise.
        start: offset of its first byte.
        size: its bytes as the header counts them; None if it does not count them.
        end: offset of its actual end.
        right_header: offset -> the bytes of the header that would be there if it counted right.
    """

    container: bytes
    is_big: bool
    start: int
    size: int | None
    end: int
    right_header: dict[int, bytes]

    @property
    def is_miscounted(self) -> bool:
        """Whether the sound is longer than its header counts, or not counted at all."""
        return self.size is None or self.end > self.start + self.size

    def counted(self, seconds: float) -> float:
        """Return the seconds that the header counts, of ``seconds`` in all."""
        return seconds if self.size is None else seconds * self.size / max(1, self.end - self.start)


def find_sound(path: Path) -> SoundChunk | None:
    """Return the sound of a file, by its chunks; None for other containers.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        container = file.read(4)
        if container in _AU:
            return _in_au(file, container)
        layout = _LAYOUTS.get(container)
        if layout is None:
            return None
        if container == b"FORM" and file.read(8)[4:] in {b"8SVX", b"16SV"}:
            layout = _SVX
        return _in_chunks(file, container, layout)


def goes_on(file: BinaryIO, end: int, rest: int = _MAX_TRAILER, layout: _Layout = _RIFF) -> bool:
    """Return whether audio, rather than tags or further chunks, follows a byte.

    Args:
        file: the file.
        end: offset behind the sound that is known.
        rest: bytes behind it that may be anything.
        layout: how chunks are written.
    """
    size = file.seek(0, io.SEEK_END)
    if size - end <= rest:
        return False
    file.seek(end)
    following = file.read(_MAX_TRAILER)
    if following.startswith(_TAGS) or (size - end <= _MAX_TRAILER and not any(following)):
        return False
    return not any(_is_chunk(file, at, size, layout) for at in {end, end + -end % layout.align})


def _is_chunk(file: BinaryIO, at: int, file_size: int, layout: _Layout) -> bool:
    name, start, size = next(_chunks(file, at, layout), (b"", 0, 0))
    return name.decode("latin-1").isprintable() and name.strip().isalnum() and 0 <= size <= file_size - start


def _chunks(file: BinaryIO, at: int, layout: _Layout) -> Iterator[tuple[bytes, int, int]]:
    """Yield the first four bytes of the name, the first byte and the size of each chunk."""
    head = layout.name + struct.calcsize(layout.size)
    while True:
        file.seek(at)
        data = file.read(head)
        if len(data) < head:
            return
        (size,) = struct.unpack(layout.size, data[layout.name :])
        size -= head if layout.is_inclusive else 0
        yield data[:4], at + head, size
        if size < 0:
            return
        at += head + size
        at += -at % layout.align


def _in_chunks(file: BinaryIO, container: bytes, layout: _Layout) -> SoundChunk | None:
    width = struct.calcsize(layout.size)
    head = layout.name + width if layout.is_inclusive else 0
    long: tuple[int, int] | None = None
    for name, at, size in _chunks(file, layout.first, layout):
        if name == b"ds64" and size >= 16:
            file.seek(at + 8)
            long = at + 8, *struct.unpack("<Q", file.read(8))
        if name == layout.sound:
            field = _Field(at - width, layout.size, layout.skip + head, size - layout.skip)
            if long is not None:
                field = _Field(long[0], "<Q", 0, long[1])
            return _found(file, container, layout, at + layout.skip, field)
    return None


def _in_au(file: BinaryIO, container: bytes) -> SoundChunk | None:
    form, data = _AU[container], file.read(8)
    if len(data) < 8:
        return None
    (start,), (size,) = struct.unpack(form, data[:4]), struct.unpack(form, data[4:])
    return _found(file, container, _RIFF._replace(is_big=container == b".snd"), start, _Field(8, form, 0, size))


class _Field(NamedTuple):
    offset: int
    form: str  # for struct
    more: int  # bytes that it counts besides the sound
    sound: int  # bytes of sound that it counts


def _found(file: BinaryIO, container: bytes, layout: _Layout, start: int, field: _Field) -> SoundChunk:
    size = field.sound if 0 <= field.sound < _UNCOUNTED[struct.calcsize(field.form)] else None
    whole = file.seek(0, io.SEEK_END)
    stated = whole if size is None else min(start + size, whole)
    end = whole if goes_on(file, stated, _MAX_REST, layout) else stated
    right = min(end - start + field.more, 2 ** (8 * struct.calcsize(field.form) - 1) - 1)
    return SoundChunk(container, layout.is_big, start, size, end, {field.offset: struct.pack(field.form, right)})
