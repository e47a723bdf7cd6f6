"""What a control surface sees of the engine, and what the program sees of a control surface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.control.state import ControlState


class MixerControl(Protocol):
    """The mixing desk that surfaces move; `stream_sep.Engine` is one."""

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, in the separator's order."""
        ...

    @property
    def controls(self) -> ControlState:
        """Every value, by path; to be subscribed to for feedback."""
        ...

    def apply(self, values: Mapping[str, object], *, fade_ms: float | None = None, at: float | None = None) -> None:
        """Store values as one change.

        Args:
            values: by path.
            fade_ms: how long the gains take to get there; ``ramp_ms`` unless given.
            at: `time.monotonic` of the moment to begin, at most two seconds ahead; now unless given.

        Raises:
            ParameterError: a path there is not, or a value it cannot hold; nothing changes.
        """
        ...

    def peaks(self) -> dict[str, tuple[float, float]]:
        """Return the falling peak of ``mix``, of each stem and of ``input``, linear, left and right."""
        ...

    def presets(self) -> tuple[str, ...]:
        """Return the names of all presets."""
        ...

    def recall(self, preset: str, *, fade_ms: float | None = None) -> None:
        """Apply a preset.

        Args:
            preset: its name.
            fade_ms: how long the gains take to get there; the preset's own fade unless given.

        Raises:
            PresetError: there is none of that name, or it is broken.
        """
        ...

    def store(self, preset: str) -> None:
        """Keep the controls as they are as a preset of the user's.

        Raises:
            PresetError: the name will not do, or the file cannot be written.
        """
        ...


class Surface(Protocol):
    """An adapter: OSC, MIDI, OSCQuery, a DAW. It reads the desk when it sends and never holds values of its own."""

    def start(self) -> None:
        """Begin to listen and to give feedback, on threads of its own.

        Raises:
            BridgeError: a port that is taken, or not there.
        """
        ...

    def stop(self) -> None:
        """Release ports and end threads; harmless when stopped."""
        ...

    @property
    def last(self) -> str:
        """What was received last, for people to see, such as ``/stem/vocals/fader 0.75``."""
        ...

    @property
    def errors(self) -> int:
        """How many messages made no sense."""
        ...
