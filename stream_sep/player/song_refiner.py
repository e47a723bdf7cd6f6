"""Computes the refined stems of one song, window by window, where they will be heard soonest."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.player.refine_schedule import RefinePlan, stretches
from stream_sep.player.song_stems import PIECE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_sep.files.demucs_pass import DemucsSongModel
    from stream_sep.files.song import SongStatistics
    from stream_sep.player.decoded_song import SongSound
    from stream_sep.player.song_stems import GrowingStems
    from stream_sep.protocols import Block, Stems

_BLOCK = 1 << 16


class SongRefiner:
    """Fills the stems of a song. A song that was begun before goes on where it was left.

    Args:
        maker: the networks, for all their stems.
        sound: the song at their rate, decoded to its end.
        level: of the song.
        stems: what to fill.
    """

    def __init__(self, maker: DemucsSongModel, sound: SongSound, level: SongStatistics, stems: GrowingStems) -> None:
        self._maker, self._sound, self._level, self._stems = maker, sound, level, stems
        self._mix = _WholeMix(sound, stems.frames)
        for first, last in stretches(stems.ready == 0):
            stems.erase(first * PIECE, last * PIECE)  # a window that was not finished may have left its share
        self._plan = RefinePlan(maker.runs, stems.frames, stems.ready)
        self.frames, self.seconds = stems.frames, 0.0

    def close(self) -> None:
        """Let go of files."""
        self._sound.close()
        self._stems.close()

    @property
    def speed(self) -> float:
        """Seconds of the song computed in a second, going by the last window."""
        step = min(run.grid.stride for run in self._maker.runs) / len(self._maker.runs)
        return step / self._maker.rate_for(0) / self.seconds if self.seconds else float("inf")

    def step(self, frame: int) -> bool:
        """Compute the window that matters most to whoever hears ``frame``; return whether there was one.

        Raises:
            AudioFileError: the disk is full.
        """
        window = self._plan.next(frame, round(self.seconds * self._maker.rate_for(0)))
        if window is None:
            return False
        started = time.monotonic()
        at, sound = self._maker.window(window.run, window.index, self._mix, self._level)
        self._add(at, sound * np.float32(self._level.deviation))
        for first, last in self._plan.finish(window):
            self._stems.shift(first * PIECE, last * PIECE, self._level.mean)
            self._stems.mark(first, last)
        self.seconds = time.monotonic() - started
        return True

    def parts(self) -> Iterator[tuple[Block, Stems]]:
        """Give the mix and the finished stems from the first frame to the last."""
        for start in range(0, self._stems.frames, _BLOCK):
            frames = min(_BLOCK, self._stems.frames - start)
            yield self._sound.read(start, frames), self._stems.read(start, frames)

    def _add(self, at: int, sound: Stems) -> None:
        """Add what a window gives, but for pieces that are final: they have it already."""
        end = at + sound.shape[2]
        for first, last in stretches(self._stems.ready[at // PIECE : -(-end // PIECE)] == 0):
            begin = max(at, (at // PIECE + first) * PIECE)
            until = min(end, (at // PIECE + last) * PIECE)
            self._stems.add(begin, sound[..., begin - at : until - at])


class _WholeMix:
    """A decoded song, as windows are read from it."""

    def __init__(self, sound: SongSound, frames: int) -> None:
        self._sound = sound
        self.end = frames

    def normalised(self, start: int, end: int, level: SongStatistics) -> Block:
        """Return frames less their mean and divided by their deviation; zeros where the song is not."""
        sound = self._sound.read(start, end - start)
        inside = slice(max(0, -start), max(0, min(end, self.end) - start))
        sound[:, inside] = (sound[:, inside] - np.float32(level.mean)) / np.float32(level.deviation)
        return sound
