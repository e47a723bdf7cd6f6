"""The order in which a song's windows are computed: nearest to the playhead first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.player.partial_stem_file import PIECE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stream_sep.files.segments import ShiftedPass


@dataclass(frozen=True)
class Window:
    """One window of one pass.

    Attributes:
        run: its run.
        index: which of the run's windows it is.
        first: the first piece that it reaches.
        last: the piece after the last that it reaches.
    """

    run: ShiftedPass
    index: int
    first: int
    last: int


class RefineSchedule:
    """The remaining windows of a song.

    Args:
        runs: the passes to compute.
        frames: frames of the song.
        ready: uint8 ``(pieces,)``, 1 where a piece is final; kept up to date.
    """

    def __init__(self, runs: Sequence[ShiftedPass], frames: int, ready: NDArray[np.uint8]) -> None:
        self._ready = ready
        windows = [
            _window(run, index, frames)
            for run in runs
            for index in range(-(-(frames - run.start) // run.grid.stride))
        ]
        self._open = [window for window in windows if not ready[window.first : window.last].all()]
        self._missing = np.zeros(len(ready), np.int64)
        for window in self._open:
            self._missing[window.first : window.last] += 1

    def next(self, frame: int, spare: int = 0) -> Window | None:
        """Return the most urgent window for a playhead at ``frame``, or None when all are done.

        Args:
            frame: the playhead.
            spare: frames that play while a window is computed: windows before that come last.
        """
        for begin in (frame + spare, frame, 0):
            first = max(begin, 0) // PIECE
            waiting = np.flatnonzero(self._ready[first:] == 0)
            if len(waiting):
                piece = first + int(waiting[0])
                return min(
                    (window for window in self._open if window.first <= piece < window.last),
                    key=lambda window: window.first,
                )
        return None

    def finish(self, window: Window) -> list[tuple[int, int]]:
        """Mark a window as done; return the ranges of pieces, first and one past last, that are now complete."""
        self._open.remove(window)
        reached = slice(window.first, window.last)
        self._missing[reached] -= 1
        complete = (self._missing[reached] == 0) & (self._ready[reached] == 0)
        return [(window.first + begin, window.first + end) for begin, end in stretches(complete)]


def stretches(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the runs of set ``flags``, each as first index and one past last.

    >>> stretches(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _window(run: ShiftedPass, index: int, frames: int) -> Window:
    start = run.start + index * run.grid.stride
    end = min(start + run.grid.segment, frames)
    return Window(run, index, max(start, 0) // PIECE, -(-max(end, 0) // PIECE))
