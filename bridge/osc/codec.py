"""OSC as bytes: packets taken apart into messages, messages put together into packets."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from bridge.osc.type_tags import MAX_DEPTH, plain_types, restore_types
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Iterable

Arguments: TypeAlias = tuple[float | int | str, ...]
"""Arguments of a message to a client: floats, integers and strings, the types that every OSC program reads."""

LARGEST_PACKET = 1400
"""Largest packet in bytes; one that no network fragments."""

MAX_LOOKAHEAD_SECONDS = 2.0
"""Seconds that a time tag may be ahead."""

_BUNDLE = b"#bundle\0"
_IMMEDIATELY = 1
_BUNDLE_HEAD = 16
_NTP_EPOCH = 2_208_988_800  # seconds from 1900, where time tags count from, to 1970
_MAX_PROBLEMS = 4
_TAGS = {float: "f", int: "i", str: "s"}


@dataclass(frozen=True)
class Message:
    """One received message.

    Attributes:
        address: or an address pattern.
        arguments: of any OSC type.
        at: `time.monotonic` of the moment that its bundle names; None is now.
        far: its bundle names a moment too far ahead to wait for.
        size: its bytes.
    """

    address: str
    arguments: tuple[object, ...] = ()
    at: float | None = None
    far: bool = False
    size: int = 0


@dataclass(frozen=True)
class Packet:
    """The content of a packet: its valid messages, and an error message for each invalid part.

    Attributes:
        messages: in the order of their time tags.
        problems: the error messages.
    """

    messages: tuple[Message, ...] = ()
    problems: tuple[str, ...] = ()


def read_packet(packet: bytes) -> Packet:
    """Parse a packet; messages of one bundle share one ``at``, and an invalid message leaves the others valid.

    Args:
        packet: the bytes of a datagram.

    Returns:
        Its messages and problems.

    >>> read_packet(write_message("/stem/vocals/fader", (0.5,))).messages
    (Message(address='/stem/vocals/fader', arguments=(0.5,), at=None, far=False, size=28),)
    >>> read_packet(b"stem").problems
    ("an OSC packet begins with / or #bundle, not with b'stem'",)
    """
    reader = _Reader()
    reader.read(packet, _IMMEDIATELY, 0)
    reader.found.sort(key=lambda timed: timed[0])
    return Packet(tuple(message for _, message in reader.found), tuple(reader.problems))


class _Reader:
    """Walks through a packet, however it is nested."""

    def __init__(self) -> None:
        self.found: list[tuple[float, Message]] = []
        self.problems: list[str] = []
        self._wall, self._monotonic = time.time(), time.monotonic()

    def read(self, element: bytes, tag: int, depth: int) -> None:
        try:
            if element.startswith(_BUNDLE):
                self._bundle(element, depth)
            else:
                self._message(element, tag)
        except BridgeError as error:
            if len(self.problems) < _MAX_PROBLEMS:
                self.problems.append(str(error))

    def _bundle(self, bundle: bytes, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise BridgeError(f"bundles are nested more than {MAX_DEPTH} deep")
        if len(bundle) < _BUNDLE_HEAD:
            raise BridgeError(f"a bundle of {len(bundle)} bytes is cut short")
        (tag,) = struct.unpack_from(">Q", bundle, len(_BUNDLE))
        index = _BUNDLE_HEAD
        while index < len(bundle):
            size = struct.unpack_from(">i", bundle, index)[0] if index + 4 <= len(bundle) else -1
            if not 0 < size <= len(bundle) - index - 4:
                raise BridgeError(f"a bundle of {len(bundle)} bytes has an element of {size} bytes")
            self.read(bundle[index + 4 : index + 4 + size], tag, depth + 1)
            index += 4 + size

    def _message(self, data: bytes, tag: int) -> None:
        ahead = 0.0 if tag == _IMMEDIATELY else tag / 2**32 - _NTP_EPOCH - self._wall
        at = self._monotonic + ahead if 0 < ahead <= MAX_LOOKAHEAD_SECONDS else None
        address, arguments = _read_message(data)
        message = Message(address, arguments, at, ahead > MAX_LOOKAHEAD_SECONDS, len(data))
        self.found.append((max(ahead, 0.0), message))


def _read_message(data: bytes) -> tuple[str, tuple[object, ...]]:
    if not data.startswith(b"/"):
        raise BridgeError(f"an OSC packet begins with / or #bundle, not with {data[:8]!r}")
    if len(data) % 4:
        raise BridgeError(f"a message of {len(data)} bytes is cut short: its length is not a multiple of four")
    plain = plain_types(data)
    try:
        message = OscMessage(plain)
        arguments = tuple(restore_types(data, message.params))
    except Exception as error:  # any error of the parser: the data are not OSC
        raise BridgeError(f"a message of {len(data)} bytes is not OSC: {error}") from error
    return message.address, arguments


def describe(message: Message) -> str:
    """Return a message as text, shortened if it is long.

    Args:
        message: as received.

    Returns:
        Its address and its arguments, such as ``/stem/vocals/fader 0.75``.

    >>> describe(Message("/stem/vocals/fader", (0.75,)))
    '/stem/vocals/fader 0.75'
    """
    return " ".join([message.address[:200], *map(_short, message.arguments[:8])])


def _short(argument: object) -> str:
    return f"{argument:g}" if isinstance(argument, float) else f"{argument!s:.60}"


def write_message(address: str, arguments: Arguments = ()) -> bytes:
    """Build a message; floats are sent as ``f``, integers as ``i``, texts as ``s``.

    Args:
        address: with the prefix.
        arguments: of the message.

    Returns:
        The bytes of a packet.
    """
    builder = OscMessageBuilder(address)
    for argument in arguments:
        value = _clean(argument) if isinstance(argument, str) else argument
        builder.add_arg(value, _TAGS[type(value)])
    return builder.build().dgram


def _clean(text: str) -> str:
    """Return a text without the characters that OSC cannot carry, such as surrogates of file names."""
    return text.encode(errors="replace").decode().replace("\0", "")


def write_packets(messages: Iterable[bytes]) -> list[bytes]:
    """Pack messages into bundles of at most `LARGEST_PACKET` bytes; a single message needs no bundle.

    Args:
        messages: as `write_message` returns them.

    Returns:
        Packets, in order.

    >>> [len(packet) for packet in write_packets([bytes(400)] * 5 + [bytes(4000)])]
    [1228, 824, 4000]
    """
    groups: list[list[bytes]] = []
    room = 0
    for message in messages:
        if not groups or len(message) + 4 > room:
            groups.append([])
            room = LARGEST_PACKET - 16
        groups[-1].append(message)
        room -= len(message) + 4
    return [group[0] if len(group) == 1 else _bundle(group) for group in groups]


def _bundle(messages: list[bytes]) -> bytes:
    return b"".join(
        (
            _BUNDLE,
            struct.pack(">Q", _IMMEDIATELY),
            *(struct.pack(">i", len(message)) + message for message in messages),
        )
    )
