"""A song on disk, read in blocks as stereo at a model's sample rate, whatever the format of the file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import AudioFileError, reason
from stream_sep.files.ffmpeg import INSTALL, decode_blocks, has_ffmpeg, probe_streams
from stream_sep.files.sound_chunk import find_sound
from stream_sep.files.sound_file import (
    MIN_MISSING_SECONDS,
    REST,
    LongerThanItsHeaderError,
    continues,
    ends_early,
    is_exact,
    may_be_exact,
    open_whole,
    read_frames,
)
from stream_sep.files.stereo import DOWNMIX, resample, to_stereo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.protocols import Block

BLOCK = 1 << 16
"""Frames read at once."""

_READ_TO_THE_END = {"wav", "au"}
"""Containers that ffmpeg can read beyond the length in their headers."""


@dataclass(frozen=True)
class Song:
    """The properties of a song before it is read; `open_song` returns one.

    Attributes:
        path: the file.
        sample_rate: frames per second in the file.
        channels: channels in the file.
        seconds: its length by the header, or an estimate; the audio may end sooner or later.
        through_ffmpeg: whether ffmpeg reads it, as libsndfile cannot, or not to its actual end.
        container: ffprobe's name of the format, where ffmpeg reads it.
        is_estimate: whether ``seconds`` is an estimate.
        stream: which of the file's audio streams.
    """

    path: Path
    sample_rate: int
    channels: int
    seconds: float
    through_ffmpeg: bool
    container: str = ""
    is_estimate: bool = False
    stream: int = 0

    @cached_property
    def digest(self) -> str:
        """The hash of the file's bytes."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()

    @property
    def note(self) -> str:
        """A message about a downmix of its channels, or empty."""
        if self.channels <= 2:
            return ""
        return f"{self.path} has {self.channels} channels, which are mixed down to two"

    def blocks(self, rate: int, warn: Callable[[str], None] = lambda _: None) -> Iterator[Block]:
        """Yield the song, ``(2, frames)`` at ``rate`` frames per second, block by block, to its actual end.

        Mono goes to both channels. Samples that are not finite become silence.

        Args:
            rate: frames per second.
            warn: callback that receives messages about skipped damage, and about audio that is missing by the
                header, at the end.

        Raises:
            AudioFileError: the file breaks off, or cannot be read.
        """
        stereo = self._stereo(warn)
        yield from stereo if rate == self.sample_rate else resample(stereo, self.sample_rate, rate)

    def _stereo(self, warn: Callable[[str], None]) -> Iterator[Block]:
        wrong = 0
        for block in self._counted(warn):
            finite = np.isfinite(block)
            wrong += block.size - int(np.count_nonzero(finite))
            yield to_stereo(np.where(finite, block, np.float32(0)) if wrong else block)
        if wrong:
            warn(f"{self.path} holds {wrong} samples that are NaN or infinite, which are taken as silence")

    def _counted(self, warn: Callable[[str], None]) -> Iterator[NDArray[np.float32]]:
        frames = 0
        for block in self._raw(warn):
            frames += len(block)
            yield block
        seconds = frames / self.sample_rate
        missing = self.seconds - seconds
        if self.through_ffmpeg and not self.is_estimate and missing > max(MIN_MISSING_SECONDS, 0.01 * seconds):
            warn(ends_early(self.path, seconds, missing))

    def _raw(self, warn: Callable[[str], None]) -> Iterator[NDArray[np.float32]]:
        if self.through_ffmpeg:
            yield from self._decoded(warn)
            return
        given = 0
        try:
            for block in read_frames(self.path, BLOCK, warn):
                given += len(block)
                yield block
        except LongerThanItsHeaderError as error:
            if not has_ffmpeg():
                raise AudioFileError(f"{error}; to read all of it {INSTALL}") from error
            is_read = False
            for block in self._decoded(warn):
                skipped = min(given, len(block))
                given -= skipped
                if len(block) > skipped:
                    is_read = True
                    yield block[skipped:]
            warn(f"{error}; {REST[is_read]}")

    def _decoded(self, warn: Callable[[str], None]) -> Iterator[NDArray[np.float32]]:
        chunk, frames = find_sound(self.path), 0
        is_miscounted = chunk is not None and chunk.is_miscounted
        for block in decode_blocks(
            self.path,
            channels=self.channels,
            rate=self.sample_rate,
            frames=BLOCK,
            stream=self.stream,
            container=self.container,
            ignore_length=is_miscounted and self.container == "wav",
            warn=warn,
        ):
            frames += len(block)
            yield block
        if chunk is not None and is_miscounted and chunk.size is not None:
            seconds, is_read = frames / self.sample_rate, self.container in _READ_TO_THE_END
            warn(f"{continues(self.path, chunk.counted(seconds) if is_read else seconds)}; {REST[is_read]}")


def no_file(path: Path) -> AudioFileError:
    """Return the error for a missing song."""
    if path.is_dir():
        return AudioFileError(f"{path} is a folder, not a song")
    if path.exists():
        return AudioFileError(f"{path} is not a regular file; save what comes from it, and name that file")
    return AudioFileError(f"file not found: {path}")


def open_song(path: Path, stream: int = 0) -> Song:
    """Read the properties of a file without its audio.

    Args:
        path: the file.
        stream: which of its audio streams.

    Raises:
        AudioFileError: it is missing, not an audio file, or has an unsupported number of channels.
    """
    if not path.is_file():
        raise no_file(path)
    song = _open(path, stream)
    if song.channels > 2 and song.channels not in DOWNMIX:
        raise AudioFileError(f"{path} has {song.channels} channels, which is not a known layout; mix it down to two")
    if not (song.channels and song.sample_rate):
        raise AudioFileError(f"{path} contains no audio")
    return song


def _open(path: Path, stream: int) -> Song:
    estimated = None
    if stream == 0 and (may_be_exact(path) or not has_ffmpeg()):
        try:
            with open_whole(path) as (file, *_):
                seconds = file.frames / file.samplerate
                estimated = Song(path, file.samplerate, file.channels, seconds, through_ffmpeg=False)
                if is_exact(file, path) or not has_ffmpeg():
                    return estimated
        except (OSError, RuntimeError) as error:  # soundfile's own are RuntimeErrors
            if not has_ffmpeg():
                raise AudioFileError(
                    f"cannot read {path}: {reason(error)}; is it an audio file? To read more formats {INSTALL}"
                ) from error
    try:
        return _through_ffmpeg(path, stream)
    except AudioFileError:
        if estimated is None:
            raise
        return estimated


def _through_ffmpeg(path: Path, stream: int) -> Song:
    facts = probe_streams(path)
    sounds = [each for each in facts.get("streams", ()) if each.get("codec_type") == "audio"]
    if len(sounds) <= stream:
        raise AudioFileError(f"{path} contains no audio" if not sounds else f"{path} has no audio stream {stream}")
    sound, file = sounds[stream], facts["format"]
    seconds = float(sound.get("duration") or file.get("duration") or 0.0)
    chunk = find_sound(path)
    return Song(
        path,
        int(sound.get("sample_rate", 0)),
        int(sound.get("channels", 0)),
        seconds,
        through_ffmpeg=True,
        container=str(file.get("format_name", "")),
        is_estimate=bool(file["duration_is_estimated"]) or (chunk is not None and chunk.is_miscounted),
        stream=stream,
    )
