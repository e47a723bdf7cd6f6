"""A song on disk, read in blocks: two channels, at the rate that a model wants, whatever the file holds."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from stream_sep.errors import AudioFileError
from stream_sep.files.ffmpeg import INSTALL, decode_blocks, has_ffmpeg, probe_streams

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.protocols import Block

BLOCK = 1 << 16
"""Frames read at once."""

_HALF = math.sqrt(0.5)
_DOWNMIX = {
    3: [(1, 0), (0, 1), (_HALF, _HALF)],
    4: [(1, 0), (0, 1), (_HALF, 0), (0, _HALF)],
    5: [(1, 0), (0, 1), (_HALF, _HALF), (_HALF, 0), (0, _HALF)],
    6: [(1, 0), (0, 1), (_HALF, _HALF), (0, 0), (_HALF, 0), (0, _HALF)],
    8: [(1, 0), (0, 1), (_HALF, _HALF), (0, 0), (_HALF, 0), (0, _HALF), (_HALF, 0), (0, _HALF)],
}
"""Channels of a file -> what each gives to left and right: the surround layouts, as ITU-R BS.775 mixes them down."""


@dataclass(frozen=True)
class Song:
    """What is known of a song before it is read; `open_song` makes one.

    Attributes:
        path: the file.
        sample_rate: frames per second in the file.
        channels: channels in the file.
        seconds: how long it says it is.
        through_ffmpeg: whether libsndfile cannot read it and ffmpeg can.
    """

    path: Path
    sample_rate: int
    channels: int
    seconds: float
    through_ffmpeg: bool

    @cached_property
    def digest(self) -> str:
        """The hash of the file's bytes."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()

    @property
    def remark(self) -> str:
        """A sentence on what is done to its channels, or nothing."""
        if self.channels <= 2:
            return ""
        return f"{self.path} has {self.channels} channels, which are mixed down to two"

    def blocks(self, rate: int) -> Iterator[Block]:
        """Give the song, ``(2, frames)`` at ``rate`` frames per second, a block at a time.

        Mono is heard on both sides. Numbers that are not finite are taken as silence.

        Raises:
            AudioFileError: the file breaks off, or cannot be read.
        """
        stereo = (_stereo(block) for block in self._raw())
        yield from stereo if rate == self.sample_rate else _resampled(stereo, self.sample_rate, rate)

    def _raw(self) -> Iterator[NDArray[np.float32]]:
        if self.through_ffmpeg:
            yield from decode_blocks(self.path, self.channels, BLOCK)
            return
        try:
            with soundfile.SoundFile(self.path) as file:
                yield from file.blocks(BLOCK, dtype="float32", always_2d=True)
        except (OSError, soundfile.SoundFileError) as error:
            raise AudioFileError(f"cannot read {self.path} to its end: {error}; the file is damaged") from error


@dataclass(frozen=True)
class Level:
    """The level of a whole song, by which Demucs normalises it.

    Attributes:
        frames: how many there are.
        mean: of the mono mix.
        deviation: of the mono mix, never 0.
        peak: the largest magnitude of any channel.
    """

    frames: int
    mean: float
    deviation: float
    peak: float


def no_file(path: Path) -> AudioFileError:
    """Return the error for a song that is not there."""
    return AudioFileError(f"there is no file {path}")


def open_song(path: Path) -> Song:
    """Look at a file without reading its sound.

    Raises:
        AudioFileError: it is missing, is no audio file, or has a number of channels that no layout has.
    """
    if not path.is_file():
        raise no_file(path)
    song = _through_libsndfile(path) or _through_ffmpeg(path)
    if song.channels > 2 and song.channels not in _DOWNMIX:
        raise AudioFileError(f"{path} has {song.channels} channels, which is no known layout; mix it down to two")
    return song


def measure_level(blocks: Iterable[Block]) -> Level:
    """Read a song once for its level.

    >>> level = measure_level([np.array([[1, 3], [1, 3]], np.float32)])
    >>> level.frames, level.mean, round(level.deviation, 6), level.peak
    (2, 2.0, 1.414214, 3.0)
    """
    frames, total, squares, peak = 0, 0.0, 0.0, 0.0
    for block in blocks:
        mono = block.mean(axis=0, dtype=np.float64)
        frames += block.shape[1]
        total += float(mono.sum())
        squares += float(np.square(mono).sum())
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
    mean = total / max(frames, 1)
    variance = max(0.0, squares - frames * mean * mean) / max(frames - 1, 1)
    return Level(frames, mean, math.sqrt(variance) + 1e-8, peak)


def _through_libsndfile(path: Path) -> Song | None:
    try:
        with soundfile.SoundFile(path) as file:
            return Song(path, file.samplerate, file.channels, file.frames / file.samplerate, through_ffmpeg=False)
    except (OSError, soundfile.SoundFileError) as error:
        if not has_ffmpeg():
            raise AudioFileError(
                f"cannot read {path}: {error}; is it an audio file? To read more formats {INSTALL}"
            ) from error
        return None


def _through_ffmpeg(path: Path) -> Song:
    facts = probe_streams(path)
    sounds = [stream for stream in facts.get("streams", ()) if stream.get("codec_type") == "audio"]
    if not sounds:
        raise AudioFileError(f"{path} holds no sound")
    seconds = sounds[0].get("duration") or facts.get("format", {}).get("duration") or 0.0
    return Song(path, int(sounds[0]["sample_rate"]), int(sounds[0]["channels"]), float(seconds), through_ffmpeg=True)


def _stereo(block: NDArray[np.float32]) -> Block:
    sound = block if np.isfinite(block).all() else np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
    if sound.shape[1] > 2:
        gains = np.array(_DOWNMIX[sound.shape[1]], np.float32)
        sound = sound @ (gains / gains.sum(axis=0).max())  # no channel can then push the sum over full scale
    return np.ascontiguousarray(np.broadcast_to(sound, (len(sound), 2)).T)


def _resampled(blocks: Iterable[Block], rate: int, wanted: int) -> Iterator[Block]:
    stream = soxr.ResampleStream(rate, wanted, 2, "float32")
    for block in blocks:
        heard = stream.resample_chunk(np.ascontiguousarray(block.T))
        if len(heard):
            yield np.ascontiguousarray(heard.T)
    rest = stream.resample_chunk(np.zeros((0, 2), np.float32), last=True)
    if len(rest):
        yield np.ascontiguousarray(rest.T)
