"""A song as a model of windows reads it: normalised, window by window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream_sep.files.song_statistics import SongStatistics
    from stream_sep.protocols import Block


class Mix(Protocol):
    """A song that can be read window by window."""

    @property
    def end(self) -> int:
        """The frame after the last one."""
        ...

    def normalised(self, start: int, end: int, level: SongStatistics) -> Block:
        """Return frames less their mean and divided by their deviation; zeros where the song is not.

        Args:
            start: first frame; may be negative.
            end: the frame after the last.
            level: the song's statistics.
        """
        ...


class RollingMix:
    """The part of a song that later windows still cover.

    Args:
        blocks: the song, ``(2, frames)`` each.
    """

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._blocks = iter(blocks)
        self._sound = np.zeros((2, 0), np.float32)
        self._first = 0  # frame of the song at which `_sound` begins

    @property
    def end(self) -> int:
        """The frame after the last one read."""
        return self._first + self._sound.shape[1]

    def fill(self, end: int) -> int:
        """Read up to frame ``end`` or the end of the song; return the last frame read."""
        read = []
        missing = end - self.end
        while missing > 0 and (block := next(self._blocks, None)) is not None:
            read.append(block)
            missing -= block.shape[1]
        if read:
            self._sound = np.concatenate([self._sound, *read], axis=1)
        return self.end

    def read(self, start: int, end: int) -> Block:
        """Return frames that have been read and not dropped.

        Args:
            start: first frame.
            end: the frame after the last.
        """
        return self._sound[:, start - self._first : end - self._first]

    def normalised(self, start: int, end: int, level: SongStatistics) -> Block:
        """Return frames less their mean and divided by their deviation; see `Mix.normalised`."""
        inside = self.read(max(start, 0, self._first), max(min(end, self.end), 0))
        sound = np.zeros((2, end - start), np.float32)
        at = max(start, 0, self._first) - start
        sound[:, at : at + inside.shape[1]] = (inside - np.float32(level.mean)) / np.float32(level.deviation)
        return sound

    def discard_before(self, frame: int) -> None:
        """Drop the frames before `frame`."""
        dropped = max(0, min(frame, self.end) - self._first)
        self._sound = self._sound[:, dropped:].copy() if dropped else self._sound
        self._first += dropped
