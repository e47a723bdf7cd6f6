"""The ramps of the gains to the values of a change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Transition:
    """Length and first frame of the ramps of a change.

    Attributes:
        fade_ms: length of the ramps; the control ``ramp_ms`` unless given.
        begin_frame: their first frame in the stream; the next block where that has passed.
    """

    fade_ms: float | None = None
    begin_frame: int = 0


DEFAULT_TRANSITION = Transition()
"""From the next block on, with the length of the control ``ramp_ms``."""
