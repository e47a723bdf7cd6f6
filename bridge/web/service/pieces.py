"""Pieces of all stems for the player, from complete stems or from those that are still being written.

A body has one blob per stem, in the order of the song's `stems`: its length as an unsigned 32-bit little-endian
number, then its bytes. There is no header and no padding. A piece's blobs are whole FLAC
files of 16 bits, which carry their sample rate and their frames.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from bridge.web.problems import Problem, not_found
from bridge.web.service.songs_view import PIECE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bridge.web.service.context import Service
    from bridge.web.service.tables import Job, Song

RATES = (44100, 48000)
_LENGTH = struct.Struct("<I")
_CONTEXT_SECONDS = 0.1  # a whole number of periods of 44,100 to 48,000; longer than soxr's filter


@dataclass(frozen=True)
class StemSource:
    """The files of a song's stems.

    Attributes:
        files: one a stem, in the song's order.
        sample_rate: of all of them.
        frames: available frames.
        whole: whether the stems are complete.
    """

    files: tuple[Path, ...]
    sample_rate: int
    frames: int
    whole: bool


def find_stems(service: Service, song: Song, job: Job | None) -> StemSource:
    """Return the complete stems of a song, or those that its running job writes.

    Args:
        service: the service.
        song: the song.
        job: its newest separation.

    Raises:
        Problem: nothing can be played yet; 404 with ``Retry-After``.
    """
    if song.job_id is not None:
        folder = service.data.stems(song.id, song.job_id)
        return StemSource(
            tuple(folder / f"{stem}.flac" for stem in song.stems), song.sample_rate, song.frames, whole=True
        )
    if job is not None and job.state == "running" and job.folder and song.stems:
        folder = service.data.root / job.folder
        files = tuple(_growing(folder, stem) for stem in song.stems)
        return StemSource(files, song.sample_rate, _frames_there(files), whole=False)
    raise not_ready()


def read_piece(source: StemSource, number: int, rate: int | None = None) -> bytes:
    """Return the body of a piece.

    Args:
        source: the stems.
        number: from 0; piece n begins at ``n * PIECE_SECONDS``.
        rate: frames per second to resample to, as if the whole song were; the stems' own unless given.

    Raises:
        Problem: there is no such piece, or not yet.
    """
    length = PIECE_SECONDS * source.sample_rate
    first, last = number * length, min((number + 1) * length, source.frames)
    if first >= source.frames or (last - first < length and not source.whole):
        raise not_found("piece") if source.whole else not_ready()
    return frame_blobs(
        [_encode(_read(path, source, first, last, rate), rate or source.sample_rate) for path in source.files]
    )


def frame_blobs(blobs: Sequence[bytes]) -> bytes:
    r"""Return the blobs joined, each after its length.

    >>> frame_blobs([b"ab", b""])
    b'\x02\x00\x00\x00ab\x00\x00\x00\x00'
    """
    return b"".join(part for blob in blobs for part in (_LENGTH.pack(len(blob)), blob))


def not_ready() -> Problem:
    """Return the problem for audio that is not available yet."""
    return Problem(
        404,
        "not-ready",
        "This part of the song is not separated yet.",
        "Try again in a moment.",
        headers={"Retry-After": "1"},
    )


def _growing(folder: Path, stem: str) -> Path:
    """Return the file of a stem that is being written, or that was just completed and is not packed yet."""
    part = folder / f"{stem}.part.wav"
    return part if part.exists() else folder / f"{stem}.wav"


def _frames_there(files: Sequence[Path]) -> int:
    """Return the frames available in all files of growing stems; files may be completed meanwhile."""
    try:
        return min(int(soundfile.info(path).frames) for path in files)
    except (OSError, soundfile.SoundFileError):
        raise not_ready() from None


def _read(path: Path, source: StemSource, first: int, last: int, rate: int | None) -> NDArray[np.float32]:
    """Return ``(frames, 2)`` of a stem, from ``first`` up to ``last``, at ``rate``."""
    own = source.sample_rate
    if rate is None or rate == own:
        return _frames(path, first, last)
    context = round(_CONTEXT_SECONDS * own)
    begin, end = max(0, first - context), min(source.frames, last + context)
    sound = soxr.resample(_frames(path, begin, end), own, rate)
    at = (first - begin) * rate // own
    return np.asarray(sound[at : at + -(-(last - first) * rate // own)], np.float32)


def _frames(path: Path, first: int, last: int) -> NDArray[np.float32]:
    try:
        sound: NDArray[np.float32] = soundfile.read(path, last - first, first, dtype="float32", always_2d=True)[0]
    except (OSError, soundfile.SoundFileError):
        raise not_ready() from None
    return sound


def _encode(sound: NDArray[np.float32], rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()
