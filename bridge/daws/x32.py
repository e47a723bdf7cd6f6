"""The OSC dialect of a Behringer X32, so that controllers made for one control the stems."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, ClassVar

from pythonosc.osc_message_builder import OscMessageBuilder

from bridge.daws.profile import INVERTED, PAN, SWITCH, Profile, Row, ValueCodec
from stream_sep.control.levels import db_to_position, position_to_db

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANNELS = 32
NAME_LENGTH = 12
FIRMWARE = "4.06"
_COLOURS = (1, 3, 4, 2, 5, 6, 7)  # red, yellow, blue, green, magenta, cyan, white
_LOUD = 1.0


def _fader_to_db(position: float) -> float:
    # positions above the travel stay above it, so that their sender is corrected
    return position * 40 - 30 if position > 1 else position_to_db(position)


FADER = ValueCodec(_fader_to_db, db_to_position)


class X32(Profile):
    """The addresses of an X32: the stems are its first channels.

    >>> X32().write(1, "mute", True), X32().write(0, "gain_db", 0.0)
    ((('/ch/01/mix/on', (0,)),), (('/main/st/mix/fader', (0.75,)),))
    """

    title: str = "X32"
    listen: ClassVar[int] = 10023
    digits: ClassVar[int] = 2
    rows: tuple[Row, ...] = (
        Row("gain_db", "/ch/@/mix/fader", FADER),
        Row("mute", "/ch/@/mix/on", INVERTED),
        Row("pan", "/ch/@/mix/pan", PAN),
        Row("solo", "/-stat/solosw/@", SWITCH),
        Row("gain_db", "/main/st/mix/fader", FADER, master=True),
        Row("mute", "/main/st/mix/on", INVERTED, master=True),
    )

    def place_of(self, address: str) -> tuple[int, str] | None:
        """Return the track and the control of an address; None if it has none.

        >>> X32().place_of("/ch/03/mix/fader"), X32().place_of("/fx/1")
        ((3, 'gain_db'), None)
        """
        if address in self._plain:
            return 0, self._plain[address].control
        for pattern, row in self._numbered:
            found = pattern.fullmatch(address)
            if found:
                return int(found[1]), row.control
        return None


def colour_of(channel: int) -> int:
    """Return the colour of a channel's scribble strip, as the X32 counts them."""
    return _COLOURS[(channel - 1) % len(_COLOURS)]


def meters_packet(stems: tuple[str, ...], peaks: Mapping[str, tuple[float, float]]) -> bytes:
    """Return ``/meters/1``: the levels of 32 channels, then their gates' and their dynamics' gains.

    The blob holds a count and floats, all little-endian.

    Args:
        stems: in the order of the channels.
        peaks: linear, left and right, by stem.

    Returns:
        The packet.
    """
    levels = [max(peaks[stem]) for stem in stems[:CHANNELS]]
    values = [*levels, *[0.0] * (CHANNELS - len(levels)), *[_LOUD] * (2 * CHANNELS)]
    builder = OscMessageBuilder("/meters/1")
    builder.add_arg(struct.pack(f"<i{len(values)}f", len(values), *values), "b")
    return bytes(builder.build().dgram)
