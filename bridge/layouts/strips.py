"""The strips that every layout shows: one per stem, and the master."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.osc.namespace import safe_name
from stream_sep.protocols import stem_color

if TYPE_CHECKING:
    from collections.abc import Sequence

IN_PORT = 9137
"""UDP port of the engine."""

UNITY = 0.75
"""Position of a fader at 0 dB."""

METER_BOTTOM, METER_TOP = -60.0, 0.0
"""The ends of a meter, in dBFS."""

_MASTER_COLOUR = "d0d0d0"


@dataclass(frozen=True)
class Strip:
    """One column of a layout.

    Attributes:
        title: for users.
        address: prefix of its addresses.
        colour: six hexadecimal digits.
        buttons: the last part of the address and the label of each button, from the top.
    """

    title: str
    address: str
    colour: str
    buttons: tuple[tuple[str, str], ...]


def strips_of(stems: Sequence[str]) -> tuple[Strip, ...]:
    """Return the columns of a layout.

    >>> [strip.address for strip in strips_of(["lead vocals", "other"])]
    ['/stem/lead_vocals', '/stem/other', '/master']
    """
    columns = [
        Strip(
            stem,
            f"/stem/{safe_name(stem)}",
            stem_color(stem, index).removeprefix("#"),
            (("mute", "M"), ("solo", "S")),
        )
        for index, stem in enumerate(stems)
    ]
    return (*columns, Strip("master", "/master", _MASTER_COLOUR, (("mute", "M"),)))
