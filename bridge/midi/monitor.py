"""A MIDI monitor: a device's messages, as lines of text."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bridge.midi.apis import system_ports
from bridge.midi.connection import MidiConnection
from bridge.midi.messages import Decoder, parse_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.midi.ports import MidiPorts

_SEEK_S = 0.5


def describe(data: bytes, decoder: Decoder) -> str:
    r"""Return a message as a line: its bytes, and the addresses and values that a map may use.

    Args:
        data: the message.
        decoder: combines messages that belong together, such as both halves of 14 bits.

    Returns:
        A line without its end.

    >>> describe(b"\xb0\x10\x40", Decoder())
    'b0 10 40: cc:1:16 64, cc14:1:16 64'
    """
    try:
        message = parse_message(data)
    except ValueError as error:
        return str(error)
    events = ", ".join(f"{event.address} {event.value}" for event in decoder.decode(message))
    return f"{data.hex(' ')}: {events or message.type}"


def monitor(
    port: str,
    *,
    seconds: float | None = None,
    report: Callable[[str], None] = print,
    ports: Callable[[], MidiPorts] = system_ports,
) -> Iterator[str]:
    """Yield a line for every message that a device sends.

    Args:
        port: part of the name of its port.
        seconds: duration; None continues until the caller closes the iterator.
        report: callback that receives a message when the device is disconnected or is back.
        ports: makes the system's ports.

    Returns:
        Lines, as `describe` makes them.

    Raises:
        BridgeError: the port is not there, or taken.
    """
    connection, decoder = MidiConnection(port, ports(), report), Decoder()
    try:
        connection.connect()
        start = seek_at = time.monotonic()
        while seconds is None or time.monotonic() - start < seconds:
            for message in connection.receive():
                yield describe(message, decoder)
            if time.monotonic() >= seek_at:
                seek_at = time.monotonic() + _SEEK_S
                connection.poll_port()
    finally:
        connection.close()
