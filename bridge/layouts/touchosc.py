"""A page for TouchOSC: its file is compressed XML."""

from __future__ import annotations

import uuid
import zlib
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from bridge.layouts.strips import METER_BOTTOM, METER_TOP, UNITY, strips_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.layouts.strips import Strip

_WIDTH, _HEIGHT = 1024, 768
_EDGE, _TITLE, _BUTTON = 8, 48, 72
_CONNECTION = "00001"  # the first one
_TOGGLES_WHEN_PRESSED = 2
_SPACE = uuid.UUID("6f1d3c0a-6a4e-4c53-9a7b-3d5e6f708192")


def touchosc(stems: Sequence[str]) -> bytes:
    """Return a page of strips as a ``.tosc`` file; the same stems give the same bytes.

    >>> zlib.decompress(touchosc(["vocals"])).startswith(b"<?xml")
    True
    """
    strips = strips_of(stems)
    root = ET.Element("lexml", version="3")
    page = _node(root, "GROUP", "stream_sep", (0, 0, _WIDTH, _HEIGHT), "202020")
    children = ET.SubElement(page, "children")
    width = _WIDTH // len(strips)
    for column, strip in enumerate(strips):
        _strip(children, strip, column * width, width)
    return zlib.compress(ET.tostring(root, encoding="UTF-8", xml_declaration=True))


def _strip(parent: ET.Element, strip: Strip, left: int, width: int) -> None:
    x, wide = left + _EDGE, width - 2 * _EDGE
    title = _node(parent, "LABEL", f"{strip.title} title", (x, _EDGE, wide, _TITLE), strip.colour)
    _value(title, "text", strip.title)
    top = 2 * _EDGE + _TITLE
    for control, label in strip.buttons:
        button = _node(parent, "BUTTON", f"{strip.title} {label}", (x, top, wide, _BUTTON), strip.colour)
        _property(button, "i", "buttonType", str(_TOGGLES_WHEN_PRESSED))
        _value(button, "x", "0")
        _message(button, f"{strip.address}/{control}", "INTEGER")
        top += _BUTTON + _EDGE
    top = 2 * _EDGE + _TITLE + 2 * (_BUTTON + _EDGE)  # all faders begin at the same height
    height, narrow = _HEIGHT - top - _EDGE, wide // 4
    fader = _node(parent, "FADER", strip.title, (x, top, wide - narrow - _EDGE, height), strip.colour)
    _value(fader, "x", str(UNITY))
    _message(fader, f"{strip.address}/fader", "FLOAT")
    meter = _node(parent, "FADER", f"{strip.title} meter", (x + wide - narrow, top, narrow, height), strip.colour)
    _property(meter, "b", "interactive", "0")
    _value(meter, "x", "0")
    _message(meter, f"{strip.address}/meter", "FLOAT", send=False, low=METER_BOTTOM, high=METER_TOP)


def _node(parent: ET.Element, kind: str, name: str, frame: tuple[int, int, int, int], colour: str) -> ET.Element:
    node = ET.SubElement(parent, "node", ID=str(uuid.uuid5(_SPACE, name)), type=kind)
    for part in ("properties", "values", "messages"):
        ET.SubElement(node, part)
    _property(node, "s", "name", name)
    _property(node, "r", "frame", "", list(zip("xywh", map(str, frame), strict=True)))
    channels = (str(int(colour[start : start + 2], 16) / 255) for start in (0, 2, 4))
    _property(node, "c", "color", "", list(zip("rgba", (*channels, "1"), strict=True)))
    return node


def _property(node: ET.Element, kind: str, key: str, text: str, parts: Sequence[tuple[str, str]] = ()) -> None:
    item = ET.SubElement(_part(node, "properties"), "property", type=kind)
    ET.SubElement(item, "key").text = key
    value = ET.SubElement(item, "value")
    value.text = text or None
    _texts(value, parts)


def _value(node: ET.Element, key: str, default: str) -> None:
    item = ET.SubElement(_part(node, "values"), "value")
    _texts(
        item,
        [("key", key), ("locked", "0"), ("lockedDefaultCurrent", "0"), ("default", default), ("defaultPull", "0")],
    )


def _message(
    node: ET.Element, address: str, conversion: str, *, send: bool = True, low: float = 0.0, high: float = 1.0
) -> None:
    osc = ET.SubElement(_part(node, "messages"), "osc")
    # feedback 0: received values are not sent again
    flags = [("enabled", "1"), ("send", str(int(send))), ("receive", "1"), ("feedback", "0")]
    _texts(osc, [*flags, ("connections", _CONNECTION)])
    trigger = ET.SubElement(ET.SubElement(osc, "triggers"), "trigger")
    _texts(trigger, [("var", "x"), ("condition", "ANY")])
    _partial(ET.SubElement(osc, "path"), "CONSTANT", "STRING", address)
    _partial(ET.SubElement(osc, "arguments"), "VALUE", conversion, "x", (low, high))


def _partial(
    parent: ET.Element, kind: str, conversion: str, value: str, scale: tuple[float, float] = (0.0, 1.0)
) -> None:
    ends = [("scaleMin", f"{scale[0]:g}"), ("scaleMax", f"{scale[1]:g}")]
    _texts(ET.SubElement(parent, "partial"), [("type", kind), ("conversion", conversion), ("value", value), *ends])


def _texts(parent: ET.Element, texts: Sequence[tuple[str, str]]) -> None:
    for key, text in texts:
        ET.SubElement(parent, key).text = text


def _part(node: ET.Element, name: str) -> ET.Element:
    part = node.find(name)
    assert part is not None
    return part
