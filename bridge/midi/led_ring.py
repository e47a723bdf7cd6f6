"""The LED rings around the knobs of Mackie Control."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.midi.targets import Target

_CENTRE = 0x40
_MODES = {"linear": 0, "fader": 2, "decibels": 2, "switch": 2}


def ring(target: Target, position: float) -> int:
    """Return the value of Mackie Control's LED ring for a travel of 0 to 1.

    One of eleven lights for a pan, as many as needed for a level; the light below the knob for the middle of a pan.

    Args:
        target: of the knob.
        position: its travel, 0 to 1.

    Returns:
        The value of the ring's control change, 0 to 127.

    >>> from bridge.midi.targets import Target
    >>> ring(Target("stem/vocals/pan", "linear", -1, 1), 0.5)
    70
    """
    lights = 1 + round(position * 10)
    middle = _CENTRE if target.centred and abs(position - 0.5) < 0.01 else 0
    return middle | _MODES[target.law] << 4 | lights
