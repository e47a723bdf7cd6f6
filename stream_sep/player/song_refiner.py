"""Computes the refined stems of one song, window by window, nearest to the playhead first."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.player.partial_stem_file import PIECE
from stream_sep.player.refine_schedule import RefineSchedule, stretches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_sep.files.demucs_pass import DemucsSongModel
    from stream_sep.files.song_statistics import SongStatistics
    from stream_sep.player.decoded_song import DecodedSong
    from stream_sep.player.partial_stem_file import PartialStemFile
    from stream_sep.protocols import Block, Stems

_BLOCK = 1 << 16


class SongRefiner:
    """Computes the stems of a song, resuming partial results.

    Args:
        model: the Demucs model.
        sound: the song at their rate, decoded to its end.
        level: of the song.
        stems: filled with the refined stems.
    """

    def __init__(
        self, model: DemucsSongModel, sound: DecodedSong, level: SongStatistics, stems: PartialStemFile
    ) -> None:
        self._model, self._sound, self._level, self._stems = model, sound, level, stems
        self._mix = _WholeMix(sound, stems.frames)
        for first, last in stretches(stems.ready == 0):
            stems.erase(first * PIECE, last * PIECE)  # an unfinished window may have left a partial sum
        self._plan = RefineSchedule(model.runs, stems.frames, stems.ready)
        self.frames, self.seconds = stems.frames, 0.0

    def close(self) -> None:
        """Close the files."""
        self._sound.close()
        self._stems.close()

    @property
    def speed(self) -> float:
        """Seconds of music per second, by the last window."""
        step = min(run.grid.stride for run in self._model.runs) / len(self._model.runs)
        return step / self._model.rate_for(0) / self.seconds if self.seconds else float("inf")

    def step(self, frame: int) -> bool:
        """Compute the most urgent window for a playhead at ``frame``; return whether there was one.

        Raises:
            AudioFileError: the disk is full.
        """
        window = self._plan.next(frame, round(self.seconds * self._model.rate_for(0)))
        if window is None:
            return False
        started = time.monotonic()
        at, sound = self._model.window(window.run, window.index, self._mix, self._level)
        self._add(at, sound * np.float32(self._level.deviation))
        for first, last in self._plan.finish(window):
            self._stems.shift(first * PIECE, last * PIECE, self._level.mean)
            self._stems.mark(first, last)
        self.seconds = time.monotonic() - started
        return True

    def parts(self) -> Iterator[tuple[Block, Stems]]:
        """Yield the mix and the finished stems from the first frame to the last."""
        return finished_parts(self._sound, self._stems)

    def _add(self, at: int, sound: Stems) -> None:
        """Add a window's output, except to pieces that are final already."""
        end = at + sound.shape[2]
        for first, last in stretches(self._stems.ready[at // PIECE : -(-end // PIECE)] == 0):
            begin = max(at, (at // PIECE + first) * PIECE)
            until = min(end, (at // PIECE + last) * PIECE)
            self._stems.add(begin, sound[..., begin - at : until - at])


def finished_parts(sound: DecodedSong, stems: PartialStemFile) -> Iterator[tuple[Block, Stems]]:
    """Yield a song and its stems, which are all ready, block by block.

    Args:
        sound: the song.
        stems: its stems.
    """
    for start in range(0, stems.frames, _BLOCK):
        frames = min(_BLOCK, stems.frames - start)
        yield sound.read(start, frames), stems.read(start, frames)


class _WholeMix:
    """A decoded song, read window by window."""

    def __init__(self, sound: DecodedSong, frames: int) -> None:
        self._sound = sound
        self.end = frames

    def normalised(self, start: int, end: int, level: SongStatistics) -> Block:
        """Return frames normalized by mean and deviation; zeros outside the song."""
        sound = self._sound.read(start, end - start)
        inside = slice(max(0, -start), max(0, min(end, self.end) - start))
        sound[:, inside] = (sound[:, inside] - np.float32(level.mean)) / np.float32(level.deviation)
        return sound
