"""A page for Open Stage Control, which draws it in any browser: its file is JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bridge.layouts.strips import IN_PORT, METER_BOTTOM, METER_TOP, strips_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.layouts.strips import Strip

_VERSION = "1.29.8"
_TARGET = f"127.0.0.1:{IN_PORT}"
# a subscription lasts ten seconds; replies go to the port of the request
_SUBSCRIBE = f"send('{_TARGET}', '/subscribe')"
_RENEW = f"{_SUBSCRIBE}; setInterval('lease', () => {{ {_SUBSCRIBE} }}, 4000)"
_LOUDER_SIDE = "set('{}', Math.max(value[0], value[1]))"

Widget = dict[str, Any]


def open_stage_control(stems: Sequence[str]) -> bytes:
    """Return a page of strips as a session file; the same stems give the same bytes.

    >>> json.loads(open_stage_control(["vocals"]))["type"]
    'session'
    """
    strips = [_strip(strip) for strip in strips_of(stems)]
    root = {**_widget("root", "root"), "layout": "horizontal", "onCreate": _RENEW, "widgets": strips, "tabs": []}
    session = {"createdWith": "Open Stage Control", "version": _VERSION, "type": "session", "content": root}
    return json.dumps(session, indent=1).encode()


def _strip(strip: Strip) -> Widget:
    name = strip.address.strip("/").replace("/", "_")
    colour = {"colorWidget": f"#{strip.colour}"}
    title = {**_widget("text", f"{name}_title"), "value": strip.title, "default": strip.title, "height": 40}
    buttons = [_button(strip, name, control, label) | colour for control, label in strip.buttons]
    levels = {
        **_widget("panel", f"{name}_levels"),
        "layout": "horizontal",
        "expand": True,
        "widgets": [_fader(strip, name) | colour, _meter(name) | colour, _meter_source(strip, name)],
    }
    return {**_widget("panel", name), "layout": "vertical", "expand": True, "widgets": [title, *buttons, levels]}


def _widget(kind: str, name: str) -> Widget:
    # widgets without an address of ours send nothing
    return {"type": kind, "id": name, "bypass": kind not in {"fader", "button", "variable"}}


def _osc_target(address: str, tags: str) -> Widget:
    # without a type, numbers go as floats; with two decimals, as is usual, a fader would have a hundred steps
    return {"address": address, "preArgs": "", "typeTags": tags, "decimals": 4, "target": _TARGET}


def _fader(strip: Strip, name: str) -> Widget:
    return {
        **_widget("fader", f"{name}_fader"),
        **_osc_target(f"{strip.address}/fader", "f"),
        "range": {"min": 0, "max": 1},
        "default": "",  # a page that is opened must not move anything
        "expand": True,
    }


def _button(strip: Strip, name: str, control: str, label: str) -> Widget:
    target = _osc_target(f"{strip.address}/{control}", "i")
    return {
        **_widget("button", f"{name}_{control}"),
        **target,
        "label": label,
        "mode": "toggle",
        "on": 1,
        "off": 0,
        "height": 60,
    }


def _meter(name: str) -> Widget:
    return {
        **_widget("fader", f"{name}_meter"),
        "bypass": True,
        "interaction": False,
        "design": "compact",
        "range": {"min": METER_BOTTOM, "max": METER_TOP},
        "width": 40,
    }


def _meter_source(strip: Strip, name: str) -> Widget:
    # left and right come in one message, which no fader takes
    return {
        **_widget("variable", f"{name}_meter_source"),
        "address": f"{strip.address}/meter",
        "preArgs": "",
        "target": "",
        "onValue": _LOUDER_SIDE.format(f"{name}_meter"),
    }
