"""Ardour and Mixbus: strips by number, levels in decibels, sent to surfaces that register with ``/set_surface``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bridge.daws.events import TrackNamed, TrackRemoved
from bridge.daws.profile import DECIBELS, PAN, SWITCH, Profile, Row, ValueCodec, text
from stream_sep.control.levels import SILENCE_DB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.daws.events import Event
    from bridge.daws.profile import Outgoing
    from bridge.osc.codec import Message

_ALL_STRIPS = 0
_TRACKS_BUSSES_VCAS = 159
_BUTTONS, _VARIABLES, _HEARTBEAT, _MASTER, _SLASHED_REPLY = 1, 2, 8, 16, 16384
_FEEDBACK = _BUTTONS | _VARIABLES | _HEARTBEAT | _MASTER | _SLASHED_REPLY
_GAIN_IN_DECIBELS = 0
_TO_THE_SENDER = 0  # a port number would replace those of other controllers on this host
_SILENT = -193.0
_LOUDEST = 6.0

GAIN = ValueCodec(
    DECIBELS.decode,
    lambda gain_db: _SILENT if gain_db <= SILENCE_DB else min(float(gain_db), _LOUDEST),
)


class Ardour(Profile):
    """Ardour sends changes, automation among them, to registered surfaces.

    >>> Ardour().write(1, "gain_db", -90.0)
    (('/strip/gain', (1, -193.0)),)
    """

    title: str = "Ardour"
    setup_hint: ClassVar[str] = "turn OSC on in Edit, Preferences, Control Surfaces"
    send: ClassVar[int] = 3819
    poll_seconds: ClassVar[float] = 2.0
    batch_seconds: ClassVar[float] = 0.01
    rows: tuple[Row, ...] = (
        Row("gain_db", "/strip/gain", GAIN),
        Row("mute", "/strip/mute", SWITCH),
        Row("solo", "/strip/solo", SWITCH),
        Row("pan", "/strip/pan_stereo_position", PAN),
        Row("gain_db", "/master/gain", GAIN, master=True),
        Row("mute", "/master/mute", SWITCH, master=True),
    )

    def repair_packet(self, packet: bytes) -> bytes:
        """Return a packet with a slash in place of the number sign of versions before 7, which is not OSC."""
        return packet.replace(b"#", b"/", 1) if packet.startswith(b"#reply\0\0") else packet

    def hello(self, port: int) -> Iterable[Outgoing]:
        """Return ``/set_surface``, with feedback to its sender, and the query for all strips."""
        del port
        surface = (_ALL_STRIPS, _TRACKS_BUSSES_VCAS, _FEEDBACK, _GAIN_IN_DECIBELS, 0, 0, _TO_THE_SENDER)
        return ("/set_surface", surface), ("/strip/list", ())

    def goodbye(self, tracks: Iterable[int]) -> Iterable[Outgoing]:
        """Return the message that ends the feedback."""
        del tracks
        return (("/set_surface/feedback", (0,)),)

    def read(self, message: Message) -> Iterator[Event]:
        """Yield the events of a message."""
        if message.address == "/reply":
            yield from self._listed(message)
        elif message.address == "/strip/name":
            yield self._named(self._track(message.address, (*message.arguments, 0)[0]), text(message, 1))
        else:
            yield from super().read(message)

    def _listed(self, message: Message) -> Iterator[Event]:
        """Read a line of ``/strip/list``: type, name, ins, outs, muted, soloed, number, and more for tracks."""
        if len(message.arguments) > 6:
            yield self._named(self._track(message.address, message.arguments[6]), text(message, 1))

    @staticmethod
    def _named(track: int, name: str) -> Event:
        # a removed strip is named " ", and its controls are reset, which must not move a stem
        return TrackNamed(track, name) if name.strip() else TrackRemoved(track)


class Mixbus(Ardour):
    """Mixbus: the same OSC as Ardour."""

    title: str = "Mixbus"
