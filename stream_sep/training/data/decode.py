"""Sounds of data sets, read in blocks at one sample rate, as stereo."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from stream_sep.errors import AudioFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stream_sep.protocols import Block
    from stream_sep.training.data.layouts import Source

_BLOCK = 1 << 18


def read_blocks(source: Source, sample_rate: int) -> Iterator[Block]:
    """Give a sound as float32 ``(2, frames)``, block by block, resampled to ``sample_rate``.

    Raises:
        AudioFileError: it cannot be read.
    """
    if source.stream is not None or source.path.suffix in (".mp3", ".mp4", ".m4a", ".opus"):
        yield from _decode(source, sample_rate)
        return
    try:
        with soundfile.SoundFile(source.path) as file:
            resampler = soxr.ResampleStream(file.samplerate, sample_rate, 2, "float32")
            for block in file.blocks(_BLOCK, dtype="float32", always_2d=True):
                yield resampler.resample_chunk(_stereo(block)).T
            yield resampler.resample_chunk(np.zeros((0, 2), np.float32), last=True).T
    except soundfile.SoundFileError as error:
        raise AudioFileError(f"{source.path} cannot be read ({error}); convert it, or take it away") from error


def read_all(source: Source, sample_rate: int) -> Block:
    """Return a whole sound, float32 ``(2, frames)``; see `read_blocks`."""
    return np.concatenate([np.zeros((2, 0), np.float32), *read_blocks(source, sample_rate)], axis=1)


def add_blocks(sources: Sequence[Source], sample_rate: int) -> Iterator[Block]:
    """Give the sum of sounds, block by block, as long as the longest of them."""
    readers = [_Rest(read_blocks(source, sample_rate)) for source in sources]
    while parts := [part for reader in readers if (part := reader.take(_BLOCK)).shape[1]]:
        total = np.zeros((2, max(part.shape[1] for part in parts)), np.float32)
        for part in parts:
            total[:, : part.shape[1]] += part
        yield total


class _Rest:
    """Cuts blocks of any length into blocks of a given one."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._rest = np.zeros((2, 0), np.float32)

    def take(self, frames: int) -> Block:
        while self._rest.shape[1] < frames and (block := next(self._blocks, None)) is not None:
            self._rest = np.concatenate([self._rest, block], axis=1)
        taken, self._rest = self._rest[:, :frames], self._rest[:, frames:]
        return taken


def _stereo(block: Block) -> Block:
    return np.ascontiguousarray(block[:, [0, -1]])


def _decode(source: Source, sample_rate: int) -> Iterator[Block]:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise AudioFileError(f"{source.path} needs the program ffmpeg to be read; install it, or convert the files")
    command = [ffmpeg, "-v", "error", "-i", str(source.path), "-map", f"0:a:{source.stream or 0}"]
    command += ["-f", "f32le", "-ar", str(sample_rate), "-ac", "2", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:  # noqa: S603 - no shell
        assert program.stdout is not None, "it was asked for"
        assert program.stderr is not None, "it was asked for"
        while data := program.stdout.read(8 * _BLOCK):
            yield np.frombuffer(data, np.float32).reshape(-1, 2).T
        complaint = program.stderr.read().decode(errors="replace").strip()
    if program.returncode:
        raise AudioFileError(f"{source.path} cannot be read: {complaint}")
