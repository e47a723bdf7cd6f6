"""The progress of a song."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Stage: TypeAlias = Literal["read", "separate", "write"]

_MIN_SECONDS = 2.0
"""Seconds of work before the remaining time is estimated."""


@dataclass(frozen=True)
class Progress:
    """The progress of a song.

    Attributes:
        stage: the current one: the song is read once for its level, separated, and its files are finished.
        share: of the song, how much is separated, 0 to 1.
        frames_ready: frames of the stems that are in the files so far.
        frames: frames of the song; 0 until it was read.
        seconds_left: estimate of the remaining time, or None.
    """

    stage: Stage = "read"
    share: float = 0.0
    frames_ready: int = 0
    frames: int = 0
    seconds_left: float | None = None


Report: TypeAlias = "Callable[[Progress], None]"
"""Callback that receives progress, and cancels the work by raising `Cancelled`."""


class ProgressMeter:
    """Computes `Progress` from frame counts and elapsed time.

    Args:
        report: callback that receives it.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._frames, self._begun = 0, 0.0

    def read(self) -> None:
        """Report that the song is being read."""
        self._report(Progress())

    def begin(self, frames: int) -> None:
        """Report that the song was read, and separation starts."""
        self._frames, self._begun = frames, time.monotonic()
        self._report(Progress("separate", 0.0, 0, frames))

    def separate(self, ready: int) -> None:
        """Report how many frames of the stems are ready."""
        share = ready / self._frames
        seconds = time.monotonic() - self._begun
        left = seconds * (1 - share) / share if share and seconds > _MIN_SECONDS else None
        self._report(Progress("separate", share, ready, self._frames, left))

    def write(self) -> None:
        """Report that separation is complete, and the files are being finished."""
        self._report(Progress("write", 1.0, self._frames, self._frames, None))
