"""Ableton Live with AbletonOSC, a remote script that replies from its own port."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, ClassVar

from bridge.daws.events import DawStarted, TrackList, TrackNamed
from bridge.daws.profile import SIGNED_PAN, SWITCH, Profile, Row, ValueCodec, text
from stream_sep.control.levels import SILENCE_DB
from stream_sep.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.daws.events import Event
    from bridge.daws.profile import Outgoing
    from bridge.osc.codec import Message

# below -18 dB the law of Live's volume is known from measurements only
_MEASURED = (
    (0.0, SILENCE_DB),
    (0.0001, -70.0),
    (0.0213, -63.0),
    (0.0346, -60.0),
    (0.0510, -57.0),
    (0.0678, -54.0),
    (0.0852, -51.0),
    (0.1035, -48.0),
    (0.1227, -45.0),
    (0.1429, -42.0),
    (0.1642, -39.0),
    (0.1870, -36.0),
    (0.2116, -33.0),
    (0.2384, -30.0),
    (0.2683, -27.0),
    (0.3024, -24.0),
    (0.3437, -21.0),
    (0.4, -18.0),
    (1.0, 6.0),
)
_VOLUMES, _LEVELS = zip(*_MEASURED, strict=True)
_LISTENED = ("volume", "mute", "solo", "panning")
_NAMES = "/live/song/get/track_names"


def volume_to_db(volume: float) -> float:
    """Turn Live's volume, 0 to 1, into decibels; 0 is silent.

    >>> round(volume_to_db(0.85), 6), round(volume_to_db(1.0), 6), volume_to_db(0.2384), volume_to_db(0.0)
    (0.0, 6.0, -30.0, -90.0)
    """
    return _interpolate(_VOLUMES, _LEVELS, volume)


def db_to_volume(gain_db: float) -> float:
    """Turn decibels into Live's volume, 0 to 1.

    >>> round(db_to_volume(0.0), 6), db_to_volume(10.0), db_to_volume(-90.0)
    (0.85, 1.0, 0.0)
    """
    return _interpolate(_LEVELS, _VOLUMES, gain_db)


def _interpolate(xs: tuple[float, ...], ys: tuple[float, ...], value: float) -> float:
    inside = min(max(value, xs[0]), xs[-1])
    upper = max(1, bisect.bisect_left(xs, inside))
    fraction = (inside - xs[upper - 1]) / (xs[upper] - xs[upper - 1])
    return ys[upper - 1] + fraction * (ys[upper] - ys[upper - 1])


VOLUME = ValueCodec(volume_to_db, db_to_volume)


class Live(Profile):
    """AbletonOSC sends changes of subscribed tracks, and counts tracks from 0.

    >>> Live().write(1, "mute", True)
    (('/live/track/set/mute', (0, 1)),)
    """

    title: str = "Ableton Live"
    setup_hint: ClassVar[str] = "choose AbletonOSC as a control surface in its settings"
    listen: ClassVar[int] = 11001
    send: ClassVar[int] = 11000
    first: ClassVar[int] = 0
    flush_seconds: ClassVar[float] = 0.1  # it polls its socket ten times a second; messages must not queue up
    poll_seconds: ClassVar[float] = 2.0
    rows: tuple[Row, ...] = tuple(
        Row(control, f"/live/track/get/{theirs}", unit, f"/live/track/set/{theirs}")
        for control, theirs, unit in (
            ("gain_db", "volume", VOLUME),
            ("mute", "mute", SWITCH),
            ("solo", "solo", SWITCH),
            ("pan", "panning", SIGNED_PAN),
        )
    )

    def hello(self, port: int) -> Iterable[Outgoing]:
        """Return the query for the tracks' names."""
        del port
        return self.poll()

    def poll(self) -> Iterable[Outgoing]:
        """Return the query for the tracks' names: no message reports that tracks are added, moved or renamed."""
        return ((_NAMES, ()),)

    def subscribe(self, tracks: Iterable[int]) -> Iterable[Outgoing]:
        """Return the subscriptions to the tracks; Live replies with their current values."""
        return self._each("start_listen", tracks)

    def goodbye(self, tracks: Iterable[int]) -> Iterable[Outgoing]:
        """Return the messages that unsubscribe from the tracks."""
        return self._each("stop_listen", tracks)

    def _each(self, verb: str, tracks: Iterable[int]) -> Iterable[Outgoing]:
        return [(f"/live/track/{verb}/{one}", (track - 1,)) for track in tracks for one in _LISTENED]

    def read(self, message: Message) -> Iterator[Event]:
        """Yield the events of a message.

        Raises:
            ParameterError: the wrong arguments, or an error that Live reports.
        """
        if message.address == "/live/startup":
            yield DawStarted()
        elif message.address == "/live/error":
            raise ParameterError(f"error from Live: {text(message, 0):.200}")
        elif message.address == _NAMES:
            yield TrackList(tuple(text(message, index) for index in range(len(message.arguments))))
        elif message.address == "/live/track/get/name":
            yield TrackNamed(self._track(message.address, (*message.arguments, "")[0]), text(message, 1))
        else:
            yield from super().read(message)
