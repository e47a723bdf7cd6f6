"""Sounds of data sets, read in blocks at one sample rate, as stereo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import AudioFileError
from stream_sep.files.song import open_song

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from stream_sep.protocols import Block
    from stream_sep.training.data.layouts import Source

_BLOCK = 1 << 18


def read_blocks(path: Path, stream: int, sample_rate: int) -> Iterator[Block]:
    """Yield a sound as float32 ``(2, frames)``, block by block, resampled to ``sample_rate``.

    Args:
        path: a file.
        stream: number of the audio stream in it.
        sample_rate: target frames per second.

    Raises:
        AudioFileError: it cannot be read, or is damaged in any way: a fault would go unnoticed in training.
    """
    yield from open_song(path, stream).blocks(sample_rate, _refuse)


def _refuse(why: str) -> None:
    raise AudioFileError(f"{why}; repair or remove it")


def add_blocks(sources: Sequence[Source], sample_rate: int) -> Iterator[Block]:
    """Yield the sum of sounds, block by block, as long as the longest of them.

    Args:
        sources: the sounds.
        sample_rate: target frames per second.
    """
    readers = [_Rest(source.blocks(sample_rate)) for source in sources]
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
