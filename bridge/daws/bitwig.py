"""Bitwig Studio (and REAPER) with the OSC controller of DrivenByMoss: eight tracks, and whole numbers only."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, ClassVar

from bridge.daws.events import TrackNamed, TrackRemoved
from bridge.daws.profile import MAX_TRACKS, SWITCH, Profile, Row, ValueCodec, text
from bridge.osc.node import number
from stream_sep.control.levels import gain_to_db
from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.daws.events import Event
    from bridge.daws.profile import Outgoing
    from bridge.osc.codec import Message

_ABOUT = re.compile(r"/track/(\d{1,4})/(name|exists)")
RESOLUTIONS = (128, 1024, 16384)
"""Steps of a value, as DrivenByMoss's settings call them: low, medium, high."""


def volume_to_db(volume: float) -> float:
    """Turn Bitwig's volume, 0 to 1, into decibels.

    >>> round(volume_to_db(0.5 ** (1 / 3)), 6), round(volume_to_db(1.0), 2)
    (0.0, 6.02)
    """
    return gain_to_db(2 * max(volume, 0.0) ** 3)


def db_to_volume(gain_db: float) -> float:
    """Turn decibels into Bitwig's volume, 0 to 1.

    >>> round(db_to_volume(0.0), 4), db_to_volume(10.0)
    (0.7937, 1.0)
    """
    return min(1.0, math.pow(math.pow(10.0, gain_db / 20) / 2, 1 / 3)) if gain_db > -90 else 0.0


class Bitwig(Profile):
    """DrivenByMoss sends changes, and all values on a request to refresh.

    Args:
        resolution: steps of a value, the same as in its settings.

    Raises:
        ConfigError: it has no such resolution.

    >>> Bitwig().write(1, "gain_db", 10.0)
    (('/track/1/volume', (127,)),)
    """

    title: str = "Bitwig"
    setup_hint: ClassVar[str] = "add the OSC controller of DrivenByMoss in its settings"
    listen: ClassVar[int] = 9000
    send: ClassVar[int] = 8000

    def __init__(self, resolution: int = 128) -> None:
        if resolution not in RESOLUTIONS:
            raise ConfigError(f"Bitwig's OSC has a resolution of 128, 1024 or 16384 steps, not {resolution}")
        self.rows = _rows(resolution - 1)
        super().__init__()

    def hello(self, port: int) -> Iterable[Outgoing]:
        """Return the request for all values."""
        del port
        return (("/refresh", ()),)

    def read(self, message: Message) -> Iterator[Event]:
        """Yield the events of a message."""
        about = _ABOUT.fullmatch(message.address)
        if not about or not 0 < int(about[1]) < MAX_TRACKS:
            yield from super().read(message)
        elif about[2] == "name":
            yield TrackNamed(int(about[1]), text(message, 0))
        elif number(message.address, (*message.arguments, None)[0]) <= 0:
            yield TrackRemoved(int(about[1]))


def _rows(highest: int) -> tuple[Row, ...]:
    volume = ValueCodec(lambda value: volume_to_db(value / highest), lambda gain: round(db_to_volume(gain) * highest))
    pan = ValueCodec(lambda value: min(2 * value / (highest + 1) - 1, 1.0), lambda pan: _centred(pan, highest))
    return (
        Row("gain_db", "/track/@/volume", volume),
        Row("mute", "/track/@/mute", SWITCH),
        Row("solo", "/track/@/solo", SWITCH),
        Row("pan", "/track/@/pan", pan),
        Row("gain_db", "/master/volume", volume, master=True),
        Row("mute", "/master/mute", SWITCH, master=True),
    )


def _centred(pan: float, highest: int) -> int:
    # an even number of steps has no middle; the centre is the upper one of the two, 64 of 128
    return min(round((pan + 1) / 2 * (highest + 1)), highest)
