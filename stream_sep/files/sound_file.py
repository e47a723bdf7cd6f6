"""Files that libsndfile reads by itself, to their actual end, whatever the length in their headers."""

from __future__ import annotations

import io
import mmap
import os
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile

from stream_sep.errors import AudioFileError, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

_EXACT = frozenset(
    (
        *("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"),
        *("ALAC_16", "ALAC_20", "ALAC_24", "ALAC_32"),
    )
)
"""Codings of which every frame can be counted."""

_EXACT_BEGINNINGS = frozenset((b"RIFF", b"RF64", b"riff", b"FORM", b"fLaC", b".snd", b"dns.", b"caff", b"OggS"))

_OGG_BEGIN = b"OggS\x00\x02"
"""The first page of a stream in an Ogg file."""

_MAX_FRAMES = 1 << 40
"""libsndfile reports more frames than this if the header has no length."""

_UNCOUNTED = 0x7FFFF000
"""Sizes from here on in a header stand for an unknown length."""

_WRONG_SIZE = re.compile(r": (\d+) \(should be (\d+)\)")

_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")

MIN_MISSING_SECONDS = 0.5
"""Less than this is the padding of a codec."""

_MAX_TRAILER = 1 << 16
"""Bytes behind the sound that may be anything: tags, the rest of a buffer."""


class LongerThanItsHeaderError(AudioFileError):
    """A file whose audio continues beyond the length in its header."""


def sound_path(path: Path) -> str | bytes:
    """Return a path as soundfile takes it: of any bytes, on systems where names are bytes."""
    return os.fsencode(path) if os.name == "posix" else str(path)


def open_sound(path: Path) -> soundfile.SoundFile:
    """Open a file for reading.

    Raises:
        OSError: it cannot be opened.
        soundfile.SoundFileError: libsndfile cannot read it.
    """
    return soundfile.SoundFile(sound_path(path))


def may_be_exact(path: Path) -> bool:
    """Return, by its first bytes, whether `is_exact` can be true for a file."""
    with path.open("rb") as file:
        return file.read(4) in _EXACT_BEGINNINGS


def is_exact(file: soundfile.SoundFile) -> bool:
    """Return whether libsndfile reads all of a file, rather than an estimated length or its first part."""
    if not 0 <= file.frames < _MAX_FRAMES:
        return False
    if file.format == "OGG":
        return file.subtype == "VORBIS" and _has_one_link(Path(os.fsdecode(file.name)))
    return file.subtype in _EXACT


def _has_one_link(path: Path) -> bool:
    """Return whether an Ogg file contains one stream, rather than a chain of them, as recordings of radio do."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(_OGG_BEGIN, data.find(_OGG_BEGIN) + 1) < 0


def read_frames(
    path: Path, frames: int, warn: Callable[[str], None] = lambda _: None
) -> Iterator[NDArray[np.float32]]:
    """Yield the audio of a file, float32 ``(frames, channels)``, block by block.

    Args:
        path: the file.
        frames: of a block.
        warn: callback that receives a message about audio that is missing by the header, at the end.

    Raises:
        LongerThanItsHeaderError: after all frames by the header, if more follow.
        AudioFileError: the file ends early, or is damaged.
    """
    start, seconds = 0, 0.0
    while start >= 0:
        part = _Part(path, start)
        yield from part.blocks(frames)
        seconds += part.read / part.rate
        if part.missing > MIN_MISSING_SECONDS:
            warn(ends_early(path, seconds, part.missing))
        start = _next_flac(path, start, part) if part.goes_on else -1
        if part.goes_on and start < 0:
            raise LongerThanItsHeaderError(f"{path} goes on after the {seconds:.1f} s that its header counts")


class _Part:
    """One of the concatenated files in a file; most have only one."""

    def __init__(self, path: Path, start: int) -> None:
        self._path, self._start = path, start
        self.read, self.rate, self.channels = 0, 1, 0
        self.missing, self.goes_on, self.is_flac = 0.0, False, False

    def blocks(self, frames: int) -> Iterator[NDArray[np.float32]]:
        try:
            with self._path.open("rb") as raw, _Watched(raw, self._start) as seen, soundfile.SoundFile(seen) as file:
                seen.furthest = 0
                self.rate, self.channels, self.is_flac = file.samplerate, file.channels, file.format == "FLAC"
                while len(block := file.read(frames, dtype="float32", always_2d=True)):
                    self.read += len(block)
                    yield block
                self._finish(file, self._start + seen.furthest)
        except (OSError, RuntimeError) as error:  # soundfile's own are RuntimeErrors
            raise AudioFileError(
                f"cannot read {self._path} to its end: {reason(error)}; the file is damaged"
            ) from error

    def _finish(self, file: soundfile.SoundFile, end: int) -> None:
        if self.read < file.frames < _MAX_FRAMES:
            where = f"after {self.read / self.rate:.1f} of the {file.frames / self.rate:.1f} s that its header counts"
            raise AudioFileError(f"cannot read {self._path} to its end: {where} nothing follows; the file is damaged")
        self.missing = _missing_share(file.extra_info) * self.read / self.rate
        is_wav = file.format in {"WAV", "WAVEX", "RF64"}
        self.goes_on = _goes_on(self._path, _wav_sound_end(self._path) if is_wav else end)


def _next_flac(path: Path, start: int, part: _Part) -> int:
    """Return where the next FLAC file begins in one that was joined of several; -1 where none of its kind does."""
    if not part.is_flac:
        return -1
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = next((match.start() for match in _FLAC.finditer(data, start + 4)), -1)
    if found >= 0:
        with path.open("rb") as raw, _Watched(raw, found) as view, soundfile.SoundFile(view) as file:
            same = file.samplerate == part.rate and file.channels == part.channels
    return found if found >= 0 and same else -1


def ends_early(path: Path, seconds: float, missing: float) -> str:
    """Return the message for a file that is shorter than its header states.

    Args:
        path: the file.
        seconds: length that was read.
        missing: seconds that the header promises beyond.
    """
    return f"{path} ends after {seconds:.1f} s, of {seconds + missing:.1f} s that its header counts"


class _Watched(io.RawIOBase):
    """A read-only view of a file from an offset on, which records how far it was read."""

    def __init__(self, raw: io.BufferedReader, start: int) -> None:
        super().__init__()
        self._raw, self._start, self.furthest = raw, start, 0
        raw.seek(start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        count = self._raw.readinto(buffer)  # type: ignore[arg-type]
        self.furthest = max(self.furthest, self.tell())
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._raw.seek(offset + (self._start if whence == os.SEEK_SET else 0), whence) - self._start

    def tell(self) -> int:
        return self._raw.tell() - self._start


def _missing_share(log: str) -> float:
    """Return the missing share of a file, by the wrong chunk sizes in libsndfile's log.

    >>> _missing_share("RIFF : 3000 (should be 2000)")
    0.5
    """
    sizes = [(int(stated), int(found)) for stated, found in _WRONG_SIZE.findall(log) if int(stated) < _UNCOUNTED]
    return max((stated / found - 1 for stated, found in sizes if found), default=0.0)


def _wav_sound_end(path: Path) -> int:
    with path.open("rb") as file:
        found = _wav_data(file)
        return file.seek(0, io.SEEK_END) if found is None else found[0] + found[1]


def _wav_data(file: io.BufferedReader) -> tuple[int, int] | None:
    """Return where the sound of a RIFF file begins, and its bytes; None where they are not counted."""
    if file.read(12)[:4] != b"RIFF":
        return None
    while len(head := file.read(8)) == 8:
        name, size = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"data":
            return None if size >= _UNCOUNTED else (file.tell(), size)
        file.seek(size + size % 2, io.SEEK_CUR)
    return None


def _goes_on(path: Path, end: int) -> bool:
    """Return whether audio, rather than tags or further chunks, follows the last byte that was read."""
    size = path.stat().st_size
    if size - end <= _MAX_TRAILER:
        return False
    with path.open("rb") as file:
        file.seek(end + end % 2)
        head = file.read(8)
    if head.startswith((b"APETAGEX", b"TAG", b"ID3")):
        return False
    is_chunk = head[:4].decode("latin-1").isprintable() and struct.unpack("<I", head[4:])[0] <= size - end
    return not (is_chunk and head[:4].strip().isalnum())
