"""Files that libsndfile reads by itself, to their actual end, whatever the length in their headers."""

from __future__ import annotations

import mmap
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import soundfile

from stream_sep.errors import AudioFileError, reason
from stream_sep.files.file_view import FileView
from stream_sep.files.sound_chunk import UNCOUNTED, SoundChunk, find_sound, goes_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_RAW = frozenset(("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"))
"""Codings in which every frame has the same number of bytes."""

_EXACT = _RAW | {"ALAC_16", "ALAC_20", "ALAC_24", "ALAC_32"}
"""Codings of which every frame can be counted."""

_EXACT_BEGINNINGS = frozenset((b"RIFF", b"RF64", b"riff", b"FORM", b"fLaC", b".snd", b"dns.", b"caff", b"OggS"))

_W64 = b"riff"
"""First bytes of a W64 file, in which libsndfile takes all further chunks for sound."""

_OGG_BEGIN = b"OggS\x00\x02"
"""The first page of a stream in an Ogg file."""

_MAX_FRAMES = 1 << 40
"""libsndfile reports more frames than this if the header has no length."""

_WRONG_SIZE = re.compile(r": (\d+) \(should be (\d+)\)")

_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")

REST = {True: "the rest was read as players do", False: "the rest cannot be read"}
"""Whether the sound behind the header's count was read -> the end of the message."""

MIN_MISSING_SECONDS = 0.5
"""Less than this is the padding of a codec."""


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


@contextmanager
def open_whole(path: Path, start: int = 0) -> Iterator[OpenSound]:
    """Open a file for reading to its actual end, where the container has chunks.

    Args:
        path: the file.
        start: offset of the file that is meant, in one that was joined of several.

    Raises:
        OSError: it cannot be opened.
        soundfile.SoundFileError: libsndfile cannot read it.
    """
    chunk = None if start else find_sound(path)
    wrong = chunk if chunk is not None and chunk.is_miscounted else None
    with path.open("rb") as raw:
        end = chunk.end if chunk is not None and chunk.container == _W64 else None
        view = FileView(raw, start, end, None if wrong is None else wrong.right_header)
        with soundfile.SoundFile(view) as file:
            if wrong is None or file.subtype not in _RAW:
                view.furthest = 0
                yield OpenSound(file, view, chunk)
                return
            order = file.endian if file.endian != "FILE" else "BIG" if wrong.is_big else "LITTLE"
            facts = (file.samplerate, file.channels, file.subtype, order, "RAW")
        view = FileView(raw, wrong.start)  # as its size may be more than the header can count
        with soundfile.SoundFile(view, "r", *facts) as file:
            yield OpenSound(file, view, chunk)


class OpenSound(NamedTuple):
    """A file as `open_whole` opens it: libsndfile's object, what that reads, and where its sound is, if known."""

    file: soundfile.SoundFile
    view: FileView
    chunk: SoundChunk | None


def may_be_exact(path: Path) -> bool:
    """Return, by its first bytes, whether `is_exact` can be true for a file."""
    with path.open("rb") as file:
        return file.read(4) in _EXACT_BEGINNINGS


def is_exact(file: soundfile.SoundFile, path: Path) -> bool:
    """Return whether libsndfile reads all of a file, rather than an estimated length or its first part.

    Args:
        file: the open file.
        path: where it is.
    """
    if not 0 <= file.frames < _MAX_FRAMES:
        return False
    if file.format == "OGG":
        return file.subtype == "VORBIS" and _has_one_link(path)
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
        warn: callback that receives a message about audio that is missing by the header, or beyond it, at the end.

    Raises:
        LongerThanItsHeaderError: after all frames by the header, if more follow that libsndfile cannot read.
        AudioFileError: the file ends early, or is damaged.
    """
    start, seconds = 0, 0.0
    while start >= 0:
        part = _Part(path, start)
        yield from part.blocks(frames)
        seconds += part.read / part.rate
        if part.missing > MIN_MISSING_SECONDS:
            warn(ends_early(path, seconds, part.missing))
        if part.counted is not None:
            warn(f"{continues(path, part.counted)}; {REST[True]}")
        start = _next_flac(path, start, part) if part.goes_on else -1
        if part.goes_on and start < 0:
            raise LongerThanItsHeaderError(continues(path, seconds))


class _Part:
    """One of the concatenated files in a file; most have only one."""

    def __init__(self, path: Path, start: int) -> None:
        self._path, self._start = path, start
        self.read, self.rate, self.channels = 0, 1, 0
        self.missing, self.goes_on, self.is_flac = 0.0, False, False
        self.counted: float | None = None  # seconds, if its header counts fewer than there are

    def blocks(self, frames: int) -> Iterator[NDArray[np.float32]]:
        try:
            with open_whole(self._path, self._start) as sound:
                file = sound.file
                self.rate, self.channels, self.is_flac = file.samplerate, file.channels, file.format == "FLAC"
                while len(block := file.read(frames, dtype="float32", always_2d=True)):
                    self.read += len(block)
                    yield block
                self._finish(sound)
        except (OSError, RuntimeError) as error:  # soundfile's own are RuntimeErrors
            raise AudioFileError(
                f"cannot read {self._path} to its end: {reason(error)}; the file is damaged"
            ) from error

    def _finish(self, sound: OpenSound) -> None:
        file, chunk, seconds = sound.file, sound.chunk, self.read / self.rate
        if self.read < file.frames < _MAX_FRAMES:
            where = f"after {seconds:.1f} of the {file.frames / self.rate:.1f} s that its header counts"
            raise AudioFileError(f"cannot read {self._path} to its end: {where} nothing follows; the file is damaged")
        if chunk is not None and chunk.is_miscounted:
            self.counted = None if chunk.size is None else chunk.counted(seconds)
            return
        self.missing = _missing_share(file.extra_info) * seconds
        if chunk is None:
            with self._path.open("rb") as raw:
                self.goes_on = goes_on(raw, self._start + sound.view.furthest)


def _next_flac(path: Path, start: int, part: _Part) -> int:
    """Return where the next FLAC file begins in one that was joined of several; -1 where none of its kind does."""
    if not part.is_flac:
        return -1
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = next((match.start() for match in _FLAC.finditer(data, start + 4)), -1)
    if found >= 0:
        with path.open("rb") as raw, soundfile.SoundFile(FileView(raw, found)) as file:
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


def continues(path: Path, counted: float) -> str:
    """Return the message for a file that is longer than its header states.

    Args:
        path: the file.
        counted: seconds that the header counts.
    """
    return f"{path} goes on after the {counted:.1f} s that its header counts"


def _missing_share(log: str) -> float:
    """Return the missing share of a file, by the wrong chunk sizes in libsndfile's log.

    >>> _missing_share("RIFF : 3000 (should be 2000)")
    0.5
    """
    sizes = [(int(stated), int(found)) for stated, found in _WRONG_SIZE.findall(log) if int(stated) < UNCOUNTED]
    return max((stated / found - 1 for stated, found in sizes if found), default=0.0)
