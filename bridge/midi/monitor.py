"""What a MIDI device sends, as lines for people."""

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
        decoder: keeps what belongs together, such as both halves of 14 bits.

    Returns:
        A line without its end.

    >>> describe(b"\xb0\x10\x40", Decoder())
    'b0 10 40: cc:1:16 64, cc14:1:16 64'
    """
    try:
        message = parse_message(data)
    except ValueError as error:
        return str(error)
    said = ", ".join(f"{event.address} {event.value}" for event in decoder.decode(message))
    return f"{data.hex(' ')}: {said or message.type}"


def monitor(
    port: str,
    *,
    seconds: float | None = None,
    report: Callable[[str], None] = print,
    ports: Callable[[], MidiPorts] = system_ports,
) -> Iterator[str]:
    """Give a line for everything that a device sends.

    Args:
        port: part of the name of its port.
        seconds: when to end; None goes on until the caller stops asking.
        report: told in sentences when the device goes and comes.
        ports: makes the system's ports.

    Returns:
        Lines, as `describe` makes them.

    Raises:
        BridgeError: the port is not there, or taken.
    """
    line, decoder = MidiConnection(port, ports(), report), Decoder()
    try:
        line.connect()
        start = seek_at = time.monotonic()
        while seconds is None or time.monotonic() - start < seconds:
            for message in line.receive():
                yield describe(message, decoder)
            if time.monotonic() >= seek_at:
                seek_at = time.monotonic() + _SEEK_S
                line.poll_port()
    finally:
        line.close()
