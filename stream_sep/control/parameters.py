"""The controls of an engine: the path, range, unit and default of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from stream_sep.control.levels import LOUDEST_DB, SILENCE_DB
from stream_sep.errors import ParameterError

KARAOKE_STEM = "vocals"
"""The stem that the control ``karaoke`` removes."""

UNLIMITED = 2.0**53
"""The default bound of a number: every whole number up to here is exact in float32."""

Value: TypeAlias = float | bool | str
"""Value of a control: a number, a switch, or a text."""


@dataclass(frozen=True)
class Parameter:
    """One control.

    Attributes:
        path: its address, such as ``stem/vocals/gain_db``.
        default: its initial value; a bool makes it a switch, a str a text.
        low: least value of a number.
        high: greatest value of a number.
        unit: for display, such as ``dB``.
        readonly: whether only the engine writes it, to report its status.
    """

    path: str
    default: Value
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    readonly: bool = False

    def __post_init__(self) -> None:
        """Check that the bounds and the default are finite."""
        for number in (self.low, self.high, self.default):
            if isinstance(number, float) and not math.isfinite(number):
                raise ParameterError(f"{self.path} has a default or bound of {number}; use a finite number")

    def coerce(self, value: object) -> Value:
        """Return ``value`` as this parameter stores it: clamped to its range, or as a bool for a switch.

        Args:
            value: a number, a switch or a text; for levels in dB, and read-only values, infinity is an end of the
                range.

        Returns:
            The stored value: a text, a bool or a finite float.

        Raises:
            ParameterError: not a number, NaN, or infinity where that is not a level; for a text, not a text.

        >>> Parameter("x", 0.0, -90, 10).coerce(99)
        10.0
        """
        if isinstance(self.default, str):
            if not isinstance(value, str):
                raise ParameterError(f"{self.path} takes a text, not {value!r:.60}")
            return value
        if not isinstance(value, bool | int | float) or value != value:  # noqa: PLR0124 - NaN alone is not itself
            raise ParameterError(f"{self.path} takes a number, not {value!r:.60}")
        if isinstance(self.default, bool):
            return bool(value)
        if abs(value) == math.inf and self.unit != "dB" and not self.readonly:
            raise ParameterError(f"{self.path} takes a finite number, not {value}")
        return float(min(max(value, self.low), self.high))


def parameters_for(stems: tuple[str, ...]) -> tuple[Parameter, ...]:
    """Return the controls of an engine with these stems."""
    of_stems = [
        parameter
        for stem in stems
        for parameter in (
            Parameter(f"stem/{stem}/gain_db", 0.0, SILENCE_DB, LOUDEST_DB, "dB"),
            Parameter(f"stem/{stem}/mute", default=False),
            Parameter(f"stem/{stem}/solo", default=False),
            Parameter(f"stem/{stem}/pan", 0.0, -1.0, 1.0),
            Parameter(f"stem/{stem}/chain/bypass", default=False),
        )
    ]
    return (
        *of_stems,
        Parameter("master/gain_db", 0.0, SILENCE_DB, LOUDEST_DB, "dB"),
        Parameter("master/mute", default=False),
        Parameter("master/limiter", default=False),
        Parameter("bypass", default=False),
        *([Parameter("karaoke", 0.0, 0.0, 1.0)] if KARAOKE_STEM in stems else []),
        Parameter("ramp_ms", 10.0, 1.0, 10000.0, "ms"),
        Parameter("preset", "", readonly=True),
        Parameter("engine/model", "", readonly=True),
        Parameter("engine/device", "", readonly=True),
        Parameter("engine/state", "stopped", readonly=True),
        Parameter("engine/latency_frames", 0.0, 0.0, UNLIMITED, "frames", readonly=True),
        Parameter("engine/latency_ms", 0.0, 0.0, UNLIMITED, "ms", readonly=True),
        Parameter("engine/load", 0.0, 0.0, UNLIMITED, readonly=True),
        Parameter("engine/late_hops", 0.0, 0.0, UNLIMITED, readonly=True),
        Parameter("engine/xruns", 0.0, 0.0, UNLIMITED, readonly=True),
        Parameter("engine/dry_frames", 0.0, 0.0, UNLIMITED, "frames", readonly=True),
        Parameter("engine/restarts", 0.0, 0.0, UNLIMITED, readonly=True),
    )
