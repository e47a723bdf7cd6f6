"""MIDI ports: those of a system, and a connection to one device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class PortNames:
    """The names of the ports that exist.

    Attributes:
        inputs: names of ports that send to us.
        outputs: names of ports that we send to.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class MidiPort(Protocol):
    """An open connection to a device."""

    @property
    def input(self) -> str:
        """Name of the port that sends to us."""
        ...

    @property
    def output(self) -> str | None:
        """Name of the port that we send to, or None where the device has none."""
        ...

    @property
    def disconnected(self) -> bool:
        """Whether the port's MIDI system has ended."""
        ...

    def send(self, message: bytes) -> None:
        """Send one message.

        Raises:
            BridgeError: the port is gone.
        """
        ...

    def close(self) -> None:
        """Release the ports; harmless when closed."""
        ...


class MidiPorts(Protocol):
    """The ports of a system. Used by one thread only: Core MIDI reports changes on the first thread that used it."""

    def names(self) -> PortNames:
        """Return the ports that exist now, without our own.

        Raises:
            BridgeError: the system cannot list them, perhaps as a port is being removed.
        """
        ...

    def open(self, input_name: str, output_name: str | None, receive: Callable[[bytes], None]) -> MidiPort:
        """Connect to a device; ``receive`` is called with its messages, on any thread, and must not block.

        Args:
            input_name: of the port that sends to us.
            output_name: of the port that we send to; None for none.
            receive: callback for the messages.

        Returns:
            The connection.

        Raises:
            BridgeError: a port that is taken or gone.
        """
        ...

    def open_virtual(self, name: str, receive: Callable[[bytes], None]) -> MidiPort:
        """Make a port that other programs connect to.

        Args:
            name: its name for others.
            receive: callback for the messages, on any thread; it must not block.

        Returns:
            The connection.

        Raises:
            BridgeError: this system has none.
        """
        ...

    def close(self) -> None:
        """Release the system; harmless when closed."""
        ...


def find_port(pattern: str, names: Sequence[str]) -> str | None:
    """Return the name equal to ``pattern``, or else the first that contains it; case is ignored.

    Args:
        pattern: a name or a part of one.
        names: of the existing ports.

    Returns:
        The name; None if none matches.

    >>> find_port("nano", ("Midi Through:0", "nanoKONTROL2:nanoKONTROL2 MIDI 1 28:0"))
    'nanoKONTROL2:nanoKONTROL2 MIDI 1 28:0'
    """
    lowered = pattern.casefold()
    exact = (name for name in names if name.casefold() == lowered)
    return next(exact, None) or next((name for name in names if lowered in name.casefold()), None)
