"""The interface of the engine to control surfaces, and that of control surfaces to the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.control.state import ControlState


class MixerControl(Protocol):
    """The mixer that surfaces move; `stream_sep.Engine` is one."""

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, in the separator's order."""
        ...

    @property
    def controls(self) -> ControlState:
        """Every value, by path; subscribe to it for feedback."""
        ...

    def apply(self, values: Mapping[str, object], *, fade_ms: float | None = None, at: float | None = None) -> None:
        """Apply values as one change.

        Args:
            values: by path.
            fade_ms: fade length of the gains; ``ramp_ms`` unless given.
            at: `time.monotonic` of the moment to begin, at most two seconds ahead; now unless given.

        Raises:
            ParameterError: an unknown path or an invalid value; nothing changes.
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
            fade_ms: fade length of the gains; the preset's own unless given.

        Raises:
            PresetError: there is none of that name, or it is broken.
        """
        ...

    def store(self, preset: str) -> None:
        """Save the controls as a preset of the user's.

        Raises:
            PresetError: the name is invalid, or the file cannot be written.
        """
        ...


class Surface(Protocol):
    """An adapter: OSC, MIDI, OSCQuery, a DAW. It reads the mixer when it sends, and stores no values."""

    def start(self) -> None:
        """Start listening and sending feedback, on its own threads.

        Raises:
            BridgeError: a port is taken, or does not exist.
        """
        ...

    def stop(self) -> None:
        """Release ports and end threads; harmless when stopped."""
        ...

    @property
    def last(self) -> str:
        """The last message, for users, such as ``/stem/vocals/fader 0.75``."""
        ...

    @property
    def errors(self) -> int:
        """Count of invalid messages."""
        ...
