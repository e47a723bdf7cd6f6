"""OSC as bytes: packets taken apart into messages, messages put together into packets."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Arguments: TypeAlias = tuple[float | int | str, ...]
"""What a message to a client carries: floats, integers and texts, which is what every OSC program reads."""

LARGEST_PACKET = 1400
"""Bytes of a packet that pass through any network in one piece."""

FARTHEST_SECONDS = 2.0
"""How far ahead a time tag may be."""

_BUNDLE = b"#bundle\0"
_IMMEDIATELY = struct.pack(">Q", 1)
_DEEPEST = 8
_LEAST_BYTES = {"i": 4, "f": 4, "r": 4, "m": 4, "h": 8, "d": 8, "t": 8, "s": 4, "b": 4} | dict.fromkeys("TFN[]", 0)
_TAGS = {float: "f", int: "i", str: "s"}


@dataclass(frozen=True)
class Message:
    """One message as it came.

    Attributes:
        address: or an address pattern.
        arguments: what it carries, of any OSC type.
        at: `time.monotonic` of the moment that its bundle names; None is now.
        far: its bundle names a moment too far ahead to wait for.
    """

    address: str
    arguments: tuple[object, ...] = ()
    at: float | None = None
    far: bool = False


def read_packet(packet: bytes) -> tuple[Message, ...]:
    """Take a packet apart, in the order of its time tags; messages of one bundle share one ``at``.

    Raises:
        BridgeError: the bytes are no OSC.

    >>> read_packet(write_message("/stem/vocals/fader", (0.5,)))
    (Message(address='/stem/vocals/fader', arguments=(0.5,), at=None, far=False),)
    """
    _check(packet, 0)
    try:
        timed = OscPacket(packet).messages
    except Exception as error:  # whatever the parser trips over, it is not OSC
        raise BridgeError(f"a packet of {len(packet)} bytes is no OSC: {error}") from error
    wall, monotonic = time.time(), time.monotonic()
    return tuple(
        Message(message.address, tuple(message.params), *_moment(moment, wall, monotonic))
        for moment, message in timed
    )


def _moment(moment: float, wall: float, monotonic: float) -> tuple[float | None, bool]:
    ahead = moment - wall
    if 0 < ahead <= FARTHEST_SECONDS:
        return monotonic + ahead, False
    return None, ahead > 0


def _check(packet: bytes, depth: int) -> None:
    """Refuse what the parser would read past the end of, turn round in, or take for zeros."""
    if len(packet) % 4:
        raise BridgeError(f"a packet of {len(packet)} bytes is no OSC: its length is no multiple of four")
    if packet.startswith(_BUNDLE):
        for element in _elements(packet, depth):
            _check(element, depth + 1)
    elif packet.startswith(b"/"):
        _check_message(packet)
    else:
        raise BridgeError(f"a packet of {len(packet)} bytes is no OSC: it begins with {packet[:8]!r}")


def _elements(bundle: bytes, depth: int) -> Iterator[bytes]:
    if depth > _DEEPEST or len(bundle) < 16:
        raise BridgeError(f"a bundle of {len(bundle)} bytes is cut short or nested more than {_DEEPEST} deep")
    index = 16
    while index < len(bundle):
        (size,) = struct.unpack_from(">i", bundle, index)
        if not 0 < size <= len(bundle) - index - 4:
            raise BridgeError(f"a bundle of {len(bundle)} bytes has an element of {size}")
        yield bundle[index + 4 : index + 4 + size]
        index += 4 + size


def _check_message(message: bytes) -> None:
    start = (message.find(b"\0") // 4 + 1) * 4
    end = message.find(b"\0", start)
    if start >= len(message):
        return
    tags = message[start + 1 : end].decode("latin-1")
    unknown = set(tags) - set(_LEAST_BYTES)
    if message[start : start + 1] != b"," or end < 0 or unknown:
        raise BridgeError(f"a message of {len(message)} bytes has no readable types: {sorted(unknown)}")
    if sum(_LEAST_BYTES[tag] for tag in tags) > len(message) - (end // 4 + 1) * 4:
        raise BridgeError(f"a message of {len(message)} bytes is cut short: its types are {tags[:16]!r}")


def write_message(address: str, arguments: Arguments = ()) -> bytes:
    """Put a message together; floats go as ``f``, integers as ``i``, texts as ``s``."""
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument, _TAGS[type(argument)])
    return builder.build().dgram


def write_packets(messages: Iterable[bytes], largest: int = LARGEST_PACKET) -> list[bytes]:
    """Gather messages into bundles of at most ``largest`` bytes; a message alone goes as it is.

    >>> [len(packet) for packet in write_packets([bytes(400)] * 5 + [bytes(4000)])]
    [1228, 824, 4000]
    """
    groups: list[list[bytes]] = []
    room = 0
    for message in messages:
        if not groups or len(message) + 4 > room:
            groups.append([])
            room = largest - 16
        groups[-1].append(message)
        room -= len(message) + 4
    return [group[0] if len(group) == 1 else _bundle(group) for group in groups]


def _bundle(messages: list[bytes]) -> bytes:
    return b"".join((_BUNDLE, _IMMEDIATELY, *(struct.pack(">i", len(message)) + message for message in messages)))
