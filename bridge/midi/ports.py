"""MIDI ports: what a system has to offer, and a connection to one device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class PortNames:
    """What ports there are.

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
        """Whether the system that the port was of has ended."""
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
    """The ports of a system. Used by one thread only: Core MIDI tells of changes on the thread that asked first."""

    def names(self) -> PortNames:
        """Return what ports there are now, without our own.

        Raises:
            BridgeError: the system cannot say, perhaps because a port goes this very moment.
        """
        ...

    def open(self, input_name: str, output_name: str | None, receive: Callable[[bytes], None]) -> MidiPort:
        """Connect to a device; ``receive`` gets its messages, on any thread, and must not block.

        Args:
            input_name: of the port that sends to us.
            output_name: of the port that we send to; None for none.
            receive: gets the messages.

        Returns:
            The connection.

        Raises:
            BridgeError: a port that is taken or gone.
        """
        ...

    def open_virtual(self, name: str, receive: Callable[[bytes], None]) -> MidiPort:
        """Make a port that other programs connect to.

        Args:
            name: what others see.
            receive: gets the messages, on any thread, and must not block.

        Returns:
            The connection.

        Raises:
            BridgeError: this system has none.
        """
        ...

    def close(self) -> None:
        """Release the system; harmless when closed."""
        ...


def find_port(wanted: str, names: Sequence[str]) -> str | None:
    """Return the name that is ``wanted``, or else the first that has it as a part; case does not matter.

    Args:
        wanted: a name or a part of one.
        names: of the ports there are.

    Returns:
        The name; None if none fits.

    >>> find_port("nano", ("Midi Through:0", "nanoKONTROL2:nanoKONTROL2 MIDI 1 28:0"))
    'nanoKONTROL2:nanoKONTROL2 MIDI 1 28:0'
    """
    lowered = wanted.casefold()
    exact = (name for name in names if name.casefold() == lowered)
    return next(exact, None) or next((name for name in names if lowered in name.casefold()), None)
