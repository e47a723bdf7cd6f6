"""Types of OSC arguments that the parser of python-osc does not read, or reads past the end of a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 8
"""Deepest nesting of bundles, and of arrays."""

_MIN_BYTES = dict.fromkeys("ifrmcsSb", 4) | dict.fromkeys("hdt", 8) | dict.fromkeys("TFNI[]", 0)
_PLAIN_TYPES = str.maketrans({"S": "s", "c": "m", "I": "T", "r": "m"})


def _types_of(data: bytes) -> tuple[int, int]:
    """Return where a message's types begin, after the comma, and where they end."""
    start = (data.find(b"\0") // 4 + 1) * 4
    return start + 1, data.find(b"\0", start)


def plain_types(data: bytes) -> bytes:
    """Return a message with types that the parser reads, after a check that it does not read past the end.

    A symbol is read as the text it is, a character as four bytes, an impulse as true; a colour as four bytes, because
    it is not a number.

    Raises:
        BridgeError: the message is cut short, or has types that OSC does not.
    """
    if b"\0" not in data:
        raise BridgeError(f"a message of {len(data)} bytes is cut short: its address does not end")
    start, end = _types_of(data)
    if start > len(data):
        return data
    address = data[: data.find(b"\0")].decode(errors="replace")
    if data[start - 1 : start] != b"," or end < 0:
        raise BridgeError(f"{address:.60} has values without type tags")
    tags = data[start:end].decode("latin-1")
    if unknown := sorted(set(tags) - set(_MIN_BYTES)):
        raise BridgeError(f"{address:.60} has values of unknown types: {' '.join(unknown)}")
    if sum(_MIN_BYTES[tag] for tag in tags) > len(data) - (end // 4 + 1) * 4:
        raise BridgeError(f"{address:.60} is cut short: its types are {tags[:16]!r}")
    _check_arrays(address, tags)
    return data[:start] + tags.translate(_PLAIN_TYPES).encode("latin-1") + data[end:]


def _check_arrays(address: str, tags: str) -> None:
    depth = 0
    for tag in tags:
        depth += (tag == "[") - (tag == "]")
        if depth > MAX_DEPTH:
            raise BridgeError(f"{address:.60} has arrays nested more than {MAX_DEPTH} deep")


def restore_types(data: bytes, values: list[object]) -> Iterator[object]:
    """Yield values with their original types: a character is a text.

    Args:
        data: the received message.
        values: that the parser read from its `plain_types`.
    """
    start, end = _types_of(data)
    tags = data[start:end].decode("latin-1")
    if "c" not in tags or "[" in tags:
        yield from values
        return
    for tag, value in zip(tags, values, strict=True):
        yield chr(value[3]) if tag == "c" and isinstance(value, tuple) else value
