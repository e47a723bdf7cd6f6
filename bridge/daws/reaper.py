"""REAPER, with the pattern file ``StreamSep.ReaperOSC``: levels in decibels, for any range of its faders."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from bridge.daws.events import TrackNamed
from bridge.daws.profile import DECIBELS, MAX_TRACKS, PAN, SWITCH, Profile, Row, ValueCodec, text
from stream_sep.control.levels import SILENCE_DB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.daws.events import Event
    from bridge.daws.profile import Outgoing
    from bridge.osc.codec import Message

_NAME = re.compile(r"/track/(\d{1,4})/name")
_REFRESH_ALL_SURFACES = 41743
_SILENT = -150.0

VOLUME = ValueCodec(DECIBELS.decode, lambda gain_db: _SILENT if gain_db <= SILENCE_DB else float(gain_db))


class Reaper(Profile):
    """REAPER sends the changes of its tracks, automation among them, once it has opened the surface.

    >>> Reaper().write(2, "gain_db", -6.0)
    (('/track/2/volume/db', (-6.0,)),)
    """

    title: str = "REAPER"
    setup_hint: ClassVar[str] = "add the OSC surface of `stream-sep layout reaper` in Preferences, Control/OSC/web"
    listen: ClassVar[int] = 9000
    send: ClassVar[int] = 8000
    rows: tuple[Row, ...] = (
        Row("gain_db", "/track/@/volume/db", VOLUME),
        Row("mute", "/track/@/mute", SWITCH),
        Row("solo", "/track/@/solo", SWITCH),
        Row("pan", "/track/@/pan", PAN),
    )

    def hello(self, port: int) -> Iterable[Outgoing]:
        """Return the action that makes it send everything again."""
        del port
        return ((f"/action/{_REFRESH_ALL_SURFACES}", ()),)

    def read(self, message: Message) -> Iterator[Event]:
        """Yield the events of a message."""
        named = _NAME.fullmatch(message.address)
        if named and 0 < int(named[1]) < MAX_TRACKS:
            yield TrackNamed(int(named[1]), text(message, 0))
        elif not message.address.startswith("/track/0/"):
            yield from super().read(message)
