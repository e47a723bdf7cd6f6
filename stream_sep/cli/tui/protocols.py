"""What the terminal mixer reads from an engine, a surface and a message log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from stream_sep.audio.latency import LatencyReport
    from stream_sep.control.state import ControlState
    from stream_sep.engine.stats import EngineStats


class TuiEngine(Protocol):
    """What the page sees of an engine."""

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
        """Where its delay comes from."""
        ...

    def peaks(self) -> dict[str, tuple[float, float]]:
        """Return the falling peak of ``mix`` and each stem, linear, left and right."""
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
        """Save the controls as they are as a preset."""
        ...


class TuiSurface(Protocol):
    """What the page sees of a control surface."""

    @property
    def last(self) -> str:
        """What was received last."""
        ...

    @property
    def errors(self) -> int:
        """How many messages made no sense."""
        ...


class TuiMessages(Protocol):
    """What the page sees of the sentences an engine says."""

    @property
    def lines(self) -> list[str]:
        """The last few."""
        ...
