"""A DAW's OSC messages as events of a mixer: tracks, their names, and the values of their controls."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from bridge.daws.events import ControlChanged, Event
from bridge.osc.node import number
from stream_sep.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bridge.osc.codec import Arguments, Message

    Outgoing: TypeAlias = tuple[str, Arguments]

MASTER = 0
"""The number of the master track; the others count from 1."""

_DIGITS = 5

MAX_TRACKS = 4096
"""Track numbers from this on are invalid."""


@dataclass(frozen=True)
class ValueCodec:
    """Converts between a DAW's values of a control and the mixer's.

    Attributes:
        decode: from the DAW's number to the mixer's value.
        encode: from the mixer's value to the DAW's number; an int is sent as an integer, a float as a float.
    """

    decode: Callable[[float], float | bool]
    encode: Callable[[float], float | int]


def _same(value: float) -> float:
    return value


DECIBELS = ValueCodec(_same, float)
SWITCH = ValueCodec(lambda value: value > 0, int)
INVERTED = ValueCodec(lambda value: value <= 0, lambda value: int(not value))
PAN = ValueCodec(lambda value: 2 * value - 1, lambda pan: (pan + 1) / 2)
SIGNED_PAN = ValueCodec(_same, float)


@dataclass(frozen=True)
class Row:
    """One control of every track.

    Attributes:
        control: the last part of the mixer's path, such as ``gain_db``.
        address: of received messages; ``@`` stands for the track's number, which else is the first argument.
        unit: of the value.
        send_address: of sent messages, where it differs.
        master: whether it is the master's, which has no number.
    """

    control: str
    address: str
    unit: ValueCodec
    send_address: str = ""
    master: bool = False


class Profile:
    """A DAW's OSC dialect, as a table of addresses.

    Attributes:
        title: the DAW's name, for users.
        setup_hint: for a DAW that does not reply.
        listen: UDP port that it sends to; 0 is any.
        send: UDP port where it listens.
        rows: its addresses.
        digits: least number of digits of a track's number.
        first: its number of the first track.
        flush_seconds: least time between two updates sent to it.
        poll_seconds: interval of polls; 0 is none.
        batch_seconds: how long to wait for related messages before any is applied.
    """

    title: str = "the DAW"
    setup_hint: ClassVar[str] = "is its OSC on?"
    listen: ClassVar[int] = 0
    send: ClassVar[int] = 0
    rows: tuple[Row, ...] = ()
    digits: ClassVar[int] = 1
    first: ClassVar[int] = 1
    flush_seconds: ClassVar[float] = 1 / 30
    poll_seconds: ClassVar[float] = 0.0
    batch_seconds: ClassVar[float] = 0.0

    def __init__(self) -> None:
        self._by_control = {(row.control, row.master): row for row in self.rows}
        self._plain = {row.address: row for row in self.rows if "@" not in row.address}
        self._numbered = [(_pattern(row.address), row) for row in self.rows if "@" in row.address]

    def repair_packet(self, packet: bytes) -> bytes:
        """Return a packet as valid OSC, if the DAW's are not."""
        return packet

    def hello(self, port: int) -> Iterable[Outgoing]:
        """Return the request for all values, to be sent to our ``port``."""
        del port
        return ()

    def poll(self) -> Iterable[Outgoing]:
        """Return messages that a connected DAW replies to."""
        return ()

    def subscribe(self, tracks: Iterable[int]) -> Iterable[Outgoing]:
        """Return the subscriptions to these tracks, and to as little else as possible."""
        del tracks
        return ()

    def goodbye(self, tracks: Iterable[int]) -> Iterable[Outgoing]:
        """Return the messages that end the subscriptions."""
        del tracks
        return ()

    def read(self, message: Message) -> Iterator[Event]:
        """Yield the events of a message; none, if it is not about our controls.

        Raises:
            ParameterError: it is about our controls, but has the wrong arguments.
        """
        moved = self.moved(message)
        if moved is not None:
            yield moved

    def moved(self, message: Message) -> ControlChanged | None:
        """Return the control change of a message, if it has one.

        Raises:
            ParameterError: it has the wrong arguments.
        """
        row, arguments = self._find(message)
        if row is None or not arguments:
            return None
        track = MASTER if row.master else self._track(message.address, arguments[0])
        value = number(message.address, _last(message, arguments[0 if row.master else 1 :]))
        decoded = row.unit.decode(value)
        if math.isinf(decoded) and row.control != "gain_db":  # which would make the whole batch invalid
            raise ParameterError(f"{message.address} takes a finite number, not {value}")
        # a single's last digits are noise, and would show in every preset
        return ControlChanged(track, row.control, decoded if isinstance(decoded, bool) else round(decoded, _DIGITS))

    def write(self, track: int, control: str, value: float) -> tuple[Outgoing, ...]:
        """Return the messages that set a track's control to ``value``.

        Args:
            track: `MASTER`, or its number from 1.
            control: the last part of the path, such as ``gain_db``.
            value: in the control's own unit.

        Returns:
            Addresses and arguments; none if the DAW has no such control.
        """
        row = self._by_control.get((control, track == MASTER))
        if row is None:
            return ()
        address, ours = row.send_address or row.address, track - 1 + self.first
        encoded = row.unit.encode(value)
        if track == MASTER:
            return ((address, (encoded,)),)
        if "@" in address:
            return ((address.replace("@", f"{ours:0{self.digits}}"), (encoded,)),)
        return ((address, (ours, encoded)),)

    def quantize(self, track: int, control: str, value: float) -> float:
        """Return ``value`` as the DAW holds it: in its own steps, within its own range.

        Args:
            track: `MASTER`, or its number from 1.
            control: the last part of the path.
            value: in the control's own unit.

        Returns:
            The value that the DAW will send back.
        """
        row = self._by_control[control, track == MASTER]
        return float(row.unit.decode(row.unit.encode(value)))

    def _find(self, message: Message) -> tuple[Row | None, tuple[object, ...]]:
        if message.address in self._plain:
            return self._plain[message.address], message.arguments
        for pattern, row in self._numbered:
            found = pattern.fullmatch(message.address)
            if found:
                return row, (int(found[1]), *message.arguments)
        return None, ()

    def _track(self, address: str, argument: object) -> int:
        track = number(address, argument) - self.first + 1
        if not 0 < track < MAX_TRACKS:
            raise ParameterError(f"{address} is about a track {argument!r:.40} that cannot be")
        return int(track)


def _pattern(address: str) -> re.Pattern[str]:
    return re.compile(re.escape(address).replace("@", r"(\d{1,4})"))


def _last(message: Message, values: tuple[object, ...]) -> object:
    if len(values) != 1:
        raise ParameterError(f"{message.address} takes one value, not {len(values)}")
    return values[0]


def text(message: Message, index: int) -> str:
    """Return an argument that has to be a text.

    Args:
        message: the received message.
        index: of the argument, from 0.

    Returns:
        The text.

    Raises:
        ParameterError: it is missing, or not a text.
    """
    value = message.arguments[index] if len(message.arguments) > index else None
    if not isinstance(value, str):
        raise ParameterError(f"{message.address} has a text at place {index + 1}, not {value!r:.40}")
    return value
