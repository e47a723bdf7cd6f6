"""The transport on the terminal page: a status line, and the actions of its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from stream_sep.control.parameters import Value
    from stream_sep.control.state import ControlState

_SPEED_STEP, _PITCH_STEP = 0.05, 1.0


def has_transport(values: Collection[str]) -> bool:
    """Return whether the engine plays songs, rather than a live input."""
    return "transport/play" in values


def transport_line(values: Mapping[str, Value]) -> str:
    """Return the status of the transport, in one line.

    >>> transport_line({"transport/play": False, "transport/title": "a.wav", "transport/position": 61.5,
    ...     "transport/length": 240, "transport/track": 1, "transport/tracks": 1, "transport/loop/on": False,
    ...     "transport/speed": 1, "transport/pitch": -2, "transport/refined": 0.5})
    '‖ a.wav   1:01 / 4:00   pitch -2   refined 50 %'
    """
    found = {name.removeprefix("transport/"): value for name, value in values.items()}
    loop = f"loop {clock(found['loop/start'])} - {clock(found['loop/end'])}" if found["loop/on"] else ""
    parts = [
        f"{'▶' if found['play'] else '‖'} {found['title']}",
        f"{clock(found['position'])} / {clock(found['length'])}",
        f"song {found['track']:.0f} of {found['tracks']:.0f}" if float(found["tracks"]) > 1 else "",
        loop,
        f"speed {found['speed']:.2f}" if found["speed"] != 1 else "",
        f"pitch {float(found['pitch']):+.0f}" if found["pitch"] else "",
        f"refined {100 * float(found['refined']):.0f} %" if found["refined"] else "",
    ]
    return "   ".join(part for part in parts if part)


def clock(seconds: Value) -> str:
    """Format a time as minutes and seconds.

    >>> clock(61.9), clock(3661.0)
    ('1:01', '1:01:01')
    """
    minutes, rest = divmod(int(float(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def handle_action(controls: ControlState, action: str, amount: float = 0.0) -> None:
    """Perform the action of a key.

    Args:
        controls: of an engine that plays songs.
        action: ``play``, ``jump``, ``next``, ``previous``, ``loop``, ``mark`` (set the start of the loop, or its end
            if ``amount`` is 1), ``speed`` or ``pitch``.
        amount: seconds to jump, or the direction.
    """
    now = float(controls["transport/position"])
    changes: dict[str, dict[str, object]] = {
        "play": {"transport/play": not controls["transport/play"]},
        "jump": {"transport/seek": max(0.0, now + amount)},
        "next": {"transport/next": True},
        "previous": {"transport/previous": True},
        "loop": {"transport/loop/on": not controls["transport/loop/on"]},
        "mark": {"transport/loop/end": now, "transport/loop/on": True} if amount else {"transport/loop/start": now},
        "speed": {"transport/speed": round(float(controls["transport/speed"]) + amount * _SPEED_STEP, 2)},
        "pitch": {"transport/pitch": float(controls["transport/pitch"]) + amount * _PITCH_STEP},
    }
    controls.update(changes[action])
