"""The interfaces of the terminal mixer to an engine, a surface and a message log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from stream_sep.audio.latency import LatencyReport
    from stream_sep.control.state import ControlState
    from stream_sep.engine.stats import EngineStats


class TuiEngine(Protocol):
    """The engine, as the page uses it."""

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems."""
        ...

    @property
    def controls(self) -> ControlState:
        """Every value, by path."""
        ...

    @property
    def latency(self) -> LatencyReport:
        """The terms of its latency."""
        ...

    def peaks(self) -> dict[str, tuple[float, float]]:
        """Return the decaying peak of ``mix`` and each stem, linear, left and right."""
        ...

    def stats(self) -> EngineStats:
        """Return its counters."""
        ...

    def presets(self) -> tuple[str, ...]:
        """Return the names of all presets."""
        ...

    def recall(self, preset: str) -> None:
        """Apply a preset."""
        ...

    def store(self, preset: str) -> None:
        """Save the current values of the controls as a preset."""
        ...


class TuiSurface(Protocol):
    """A control surface, as the page shows it."""

    @property
    def last(self) -> str:
        """The last received message."""
        ...

    @property
    def errors(self) -> int:
        """Number of invalid messages."""
        ...


class TuiMessages(Protocol):
    """The engine's messages, as the page shows them."""

    @property
    def lines(self) -> list[str]:
        """The last few messages."""
        ...
