"""MIDI on the wire: messages decoded to events with an address, and encoded from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import mido

from bridge.midi.address import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_NRPN = {"msb": 99, "lsb": 98}
_RPN = (101, 100)
_DATA_MSB, _DATA_LSB = 6, 38


@dataclass(frozen=True)
class Event:
    """One control has moved.

    Attributes:
        address: which.
        value: where to; a note's velocity, 0 when released.
        bits: resolution of ``value``: 7 or 14 bits.
    """

    address: Address
    value: int
    bits: int = 7

    @property
    def pressed(self) -> bool:
        """Whether this is a button press: a note of any velocity, a controller value of at least 64."""
        return self.value > 0 if self.address.kind == "note" else self.value >= 1 << (self.bits - 1)


def parse_message(data: bytes) -> mido.Message:
    """Parse the bytes of one message.

    Raises:
        ValueError: they are not exactly one message.
    """
    try:
        return mido.Message.from_bytes(data)
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{data.hex(' ') or 'nothing'} is not a MIDI message: {error}") from error


class Decoder:
    """Turns messages into events; keeps halves of 14-bit values and selected parameters.

    A controller below 64 gives two events: itself, with 7 bits, and the pair it may be half of. The halves may come
    in any order. Until the lower half has been received, a pair counts as the 7 bits of its upper half, so that a
    device that never sends the lower half still reaches the top.

    >>> decoder = Decoder()
    >>> [str(event.address) for event in decoder.decode(mido.Message("control_change", control=7, value=64))]
    ['cc:1:7', 'cc14:1:7']
    """

    def __init__(self) -> None:
        self._halves: dict[Address, tuple[int, int | None]] = {}
        self._selected: dict[int, tuple[int, int] | None] = {}

    def decode(self, message: mido.Message) -> list[Event]:
        """Return the events of a message; none for messages that are not of a control."""
        return _DECODERS[message.type](self, message) if message.type in _DECODERS else []

    def _note(self, message: mido.Message) -> list[Event]:
        velocity = message.velocity if message.type == "note_on" else 0
        return [Event(Address("note", message.channel + 1, message.note), velocity)]

    def _bend(self, message: mido.Message) -> list[Event]:
        return [Event(Address("bend", message.channel + 1), message.pitch + 8192, 14)]

    def _program(self, message: mido.Message) -> list[Event]:
        return [Event(Address("program", message.channel + 1, message.program), 127)]

    def _controller(self, message: mido.Message) -> list[Event]:
        channel, number, value = message.channel + 1, message.control, message.value
        events = [Event(Address("cc", channel, number), value)]
        if number < 64:
            events.append(self._combined(Address("cc14", channel, number % 32), value, upper=number < 32))
        self._select(channel, number, value)
        selected = self._selected.get(channel)
        if number in {_DATA_MSB, _DATA_LSB} and selected is not None:
            parameter = Address("nrpn", channel, selected[0] << 7 | selected[1])
            events.append(self._combined(parameter, value, upper=number == _DATA_MSB))
        return events

    def _combined(self, address: Address, value: int, *, upper: bool) -> Event:
        high, low = self._halves.get(address, (0, None))
        high, low = (value, low) if upper else (high, value)
        self._halves[address] = (high, low)
        return Event(address, high, 7) if low is None else Event(address, high << 7 | low, 14)

    def _select(self, channel: int, number: int, value: int) -> None:
        if number in _RPN:
            self._selected[channel] = None  # data that follows is for a registered parameter, which is not ours
        elif number in _NRPN.values():
            msb, lsb = self._selected.get(channel) or (0, 0)
            chosen = (value, lsb) if number == _NRPN["msb"] else (msb, value)
            self._selected[channel] = None if chosen == (127, 127) else chosen


_DECODERS: Mapping[str, Callable[[Decoder, mido.Message], list[Event]]] = {
    "note_on": Decoder._note,  # noqa: SLF001 - its own
    "note_off": Decoder._note,  # noqa: SLF001
    "pitchwheel": Decoder._bend,  # noqa: SLF001
    "program_change": Decoder._program,  # noqa: SLF001
    "control_change": Decoder._controller,  # noqa: SLF001
}


def encode(address: Address, value: int) -> list[bytes]:
    """Return the messages that put a control, LED, ring or motor fader at a value of the address's own bits.

    Args:
        address: of the control, LED, ring or motor fader.
        value: 0 to the greatest of the address's bits.

    Returns:
        Messages as bytes.

    >>> [message.hex(" ") for message in encode(Address("bend", 9), 16383)]
    ['e8 7f 7f']
    >>> [message.hex(" ") for message in encode(Address("cc14", 1, 7), 8193)]
    ['b0 07 40', 'b0 27 01']
    """
    channel, high, low = address.channel - 1, value >> 7, value & 127
    if address.kind == "bend":
        return [bytes((0xE0 | channel, low, high))]
    if address.kind == "note":
        return [bytes((0x90 | channel, address.number, value))]
    if address.kind == "program":
        return [bytes((0xC0 | channel, address.number))]
    pairs = {
        "cc": [(address.number, value)],
        "cc14": [(address.number, high), (address.number + 32, low)],
        "nrpn": [
            (_NRPN["msb"], address.number >> 7),
            (_NRPN["lsb"], address.number & 127),
            (_DATA_MSB, high),
            (_DATA_LSB, low),
        ],
    }
    return [bytes((0xB0 | channel, number, data)) for number, data in pairs[address.kind]]


RELATIVE: Mapping[str, Callable[[int], int]] = {
    "relative-2s": lambda value: value - 128 if value >= 64 else value,
    "relative-offset": lambda value: value - 64,
    "relative-sign": lambda value: -(value & 63) if value & 64 else value,
    "relative-sign-inverted": lambda value: value & 63 if value & 64 else -value,
}
"""How endless encoders encode steps, by mode: two's complement (127 is one left), offset (63 is one left), a sign bit
that means left (65 is one left, as Mackie Control has it) or right (1 is one left)."""


def to_position(value: int, bits: int, *, centred: bool = False) -> float:
    """Turn a value into travel, 0 to 1; ``centred`` puts the middle value at exactly a half.

    Args:
        value: 0 to ``2 ** bits - 1``.
        bits: 7 or 14.
        centred: whether the middle value is exactly a half.

    Returns:
        Travel, 0 to 1.

    >>> to_position(127, 7), to_position(64, 7, centred=True)
    (1.0, 0.5)
    """
    top, middle = (1 << bits) - 1, 1 << (bits - 1)
    if not centred:
        return value / top
    return value / middle / 2 if value <= middle else 0.5 + (value - middle) / (top - middle) / 2


def from_position(position: float, bits: int, *, centred: bool = False) -> int:
    """Turn travel, 0 to 1, into the nearest value: the reverse of `to_position`.

    Args:
        position: travel, 0 to 1.
        bits: 7 or 14.
        centred: as for `to_position`.

    Returns:
        0 to ``2 ** bits - 1``.

    >>> from_position(0.75, 14), from_position(0.5, 7, centred=True)
    (12287, 64)
    """
    top, middle = (1 << bits) - 1, 1 << (bits - 1)
    if not centred:
        return round(position * top)
    return round(position * 2 * middle) if position <= 0.5 else round(middle + (position * 2 - 1) * (top - middle))
