"""A session between a DAW and the mixer: messages in, messages out, without sockets or threads."""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING

from bridge.daws.echo_filter import EchoFilter, normalize
from bridge.daws.events import ControlChanged, DawStarted, TrackList, TrackNamed, TrackRemoved
from bridge.daws.presence import DawPresence
from bridge.daws.profile import MASTER
from bridge.daws.tracks import Tracks
from bridge.osc.codec import describe, read_packet, write_message
from bridge.unexpected import UnexpectedErrors
from stream_sep.errors import StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.daws.echo_filter import Setting
    from bridge.daws.profile import Outgoing, Profile
    from bridge.network import Address
    from bridge.osc.codec import Message
    from bridge.protocols import MixerControl

SETTLE_SECONDS = 0.1
"""Tracks are matched with stems this long after the last name: names arrive one by one."""

INITIAL_SYNC_SECONDS = 0.5
"""The first value received within this time of matching is the current position, not a move."""

_log = logging.getLogger(__name__)

_CONTROLS = ("gain_db", "mute", "solo", "pan")


class DawSession:
    """Keeps a mixer and a DAW's tracks in sync, in both directions.

    On connect, the DAW's fader positions win, so that starting a separator loses no mix made in the DAW. With
    ``push_on_connect``, the mixer's do.

    Args:
        mixer: the mixer to control.
        profile: the DAW's OSC dialect.
        send: sends a packet to the DAW; returns False if it should be tried again.
        port: where the DAW sends its messages.
        push_on_connect: whether, on connect, the DAW's faders are set to the mixer's instead of the reverse.

    Attributes:
        last: the last received message, for users.
        errors: number of invalid messages.
    """

    def __init__(
        self,
        mixer: MixerControl,
        profile: Profile,
        send: Callable[[bytes], bool],
        port: int,
        *,
        push_on_connect: bool = False,
    ) -> None:
        self.last, self.errors = "", 0
        self._mixer, self._profile, self._send, self._port = mixer, profile, send, port
        self._push_on_connect = push_on_connect
        self._tracks, self._echoes = Tracks(mixer.stems), EchoFilter()
        self._places: dict[str, tuple[int, str]] = {}
        self._paths: dict[tuple[int, str], str] = {}
        self._values: dict[tuple[int, str], Setting] = {}
        self._batch: dict[str, Setting] = {}
        self._held: set[tuple[int, str]] = set()
        self._syncing_until: dict[str, float] = {}
        self._initialized = False
        self._pending: set[str] = set()
        self._lock = threading.Lock()
        self._settled: float | None = None
        self._next_flush = self._next_poll = 0.0
        self._presence = DawPresence()
        self._unexpected = UnexpectedErrors(_log, profile.title)

    @property
    def of_stem(self) -> dict[str, int]:
        """The number of each stem's track, from 1."""
        return dict(self._tracks.of_stem)

    @property
    def status(self) -> str:
        """Whether the DAW is connected, and the track of each stem."""
        if not self._presence.connected:
            return f"{self._profile.title} does not respond"
        tracks = self._tracks.of_stem
        found = ", ".join(f"{stem} {track}" for stem, track in tracks.items()) or "no track of a stem's name yet"
        missing = [stem for stem in self._mixer.stems if tracks and stem not in tracks]
        return f"{self._profile.title}: {found}" + (f"; no track for {', '.join(missing)}" if missing else "")

    def notice(self, now: float) -> str:
        """Return the text to report to the user now.

        Args:
            now: `time.monotonic`.

        Returns:
            `status`, with a hint if the DAW is absent; empty before that is certain.
        """
        if self._presence.connected:
            return self.status if self._settled is None else ""
        return f"{self.status}: {self._profile.setup_hint}" if self._presence.is_absent(now) else ""

    def initialize(self, now: float) -> None:
        """Request all values from the DAW.

        Args:
            now: `time.monotonic`.
        """
        self._presence.wait(now)
        self._next_poll = now + self._profile.poll_seconds
        self._settled = now + SETTLE_SECONDS
        self._initialized = True
        self._send_messages(self._profile.hello(self._port))

    def receive(self, packets: Iterable[tuple[bytes, Address]], now: float) -> None:
        """Apply packets: names first, and of several values for one control only the newest.

        Args:
            packets: each with its sender.
            now: `time.monotonic`.
        """
        moves: list[tuple[Message, ControlChanged]] = []
        for packet, _ in packets:
            decoded = read_packet(self._profile.repair_packet(packet))
            for problem in decoded.problems:
                self._refused(problem)
            if decoded.messages:
                self._presence.received()
            for message in decoded.messages:
                moves += self._dispatch(message, now)
        for message, moved in moves:
            self._on_control_change(message, moved, now)
        self._apply()

    def _dispatch(self, message: Message, now: float) -> list[tuple[Message, ControlChanged]]:
        moves: list[tuple[Message, ControlChanged]] = []
        try:
            for event in self._profile.read(message):
                if isinstance(event, ControlChanged):
                    moves.append((message, event))
                else:
                    self._on_track_event(event, now)
        except StreamSepError as error:
            self._refused(str(error))
        except Exception as error:  # noqa: BLE001 - an error in one message must not lose others
            self._unexpected.note(error)
            self._refused(f"{describe(message)}: unexpected {type(error).__name__}")
        return moves

    def _refused(self, why: str) -> None:
        self.errors += 1
        self.last = why

    def _on_track_event(self, event: TrackNamed | TrackRemoved | TrackList | DawStarted, now: float) -> None:
        if isinstance(event, DawStarted):
            self._reconnect(now)
            return
        if isinstance(event, TrackList):
            new = self._tracks.list(event.names)
        else:
            new = self._tracks.name(event.track, event.name if isinstance(event, TrackNamed) else None)
        if new:
            self._settled = now + SETTLE_SECONDS

    def _on_control_change(self, message: Message, event: ControlChanged, now: float) -> None:
        place = event.track, event.control
        self.last = describe(message)
        self._values[place] = event.value
        if self._settled is not None:
            self._held.add(place)
        elif self._accept_value(place, now):
            path = self._paths[place]
            self.last = f"{describe(message)}: {path} {self._batch[path]:g}"

    def _accept_value(self, place: tuple[int, str], now: float) -> bool:
        """Add the DAW's value of a control to the batch; return whether it is a change."""
        path = self._paths.get(place)
        if path is None or place not in self._values:
            return False
        value = normalize(path, self._values[place])
        if not self._echoes.on_received(path, value, now):
            return False
        if now <= self._syncing_until.pop(path, -math.inf):
            self.changed(path)
            return False
        self._batch[path] = value
        return True

    def _apply(self) -> None:
        batch, self._batch = self._batch, {}
        if not batch:
            return
        try:
            self._mixer.apply(batch)
        except StreamSepError as error:
            self._refused(str(error))
        self.changed(*batch)  # the mixer may have limited the values

    def changed(self, *paths: str) -> None:
        """Queue changed controls of the mixer; for any thread."""
        with self._lock:
            self._pending.update(paths)

    def due(self, now: float) -> float | None:
        """Return the seconds until `work` is due; None if nothing is scheduled."""
        moments = [self._settled] if self._settled is not None else []
        if self._pending and self._settled is None:
            moments.append(self._next_flush)
        if self._profile.poll_seconds:
            moments.append(self._next_poll)
        if (absent_at := self._presence.report_due(now)) is not None:
            moments.append(absent_at)
        return max(0.0, min(moments) - now) if moments else None

    def work(self, now: float) -> None:
        """Match tracks, send changes and poll the DAW, as due."""
        if self._settled is not None and now >= self._settled:
            self._settled = None
            self._match_tracks(now)
        if self._pending and self._settled is None and now >= self._next_flush:
            self._next_flush = now + self._profile.flush_seconds
            self._flush(now)
        if self._profile.poll_seconds and now >= self._next_poll:
            self._poll(now)

    def _match_tracks(self, now: float) -> None:
        new = self._tracks.bind()
        met = {*new, "master"} if self._initialized else {*new}
        self._places = {path: place for path in self._mixer.controls if (place := self._place(path)) is not None}
        self._paths = {place: path for path, place in self._places.items()}
        held, self._held, self._initialized = self._held, set(), False
        for path, place in self._places.items():
            if path.removeprefix("stem/").rpartition("/")[0] in met:
                self._initial_sync(path, place, now)
            elif place in held:
                self._accept_value(place, now)
        self._apply()
        self._send_messages(self._profile.subscribe([self._tracks.of_stem[stem] for stem in new]))

    def _initial_sync(self, path: str, place: tuple[int, str], now: float) -> None:
        self._echoes.discard(path)
        if self._push_on_connect:
            self._syncing_until[path] = now + INITIAL_SYNC_SECONDS
            self.changed(path)
        self._accept_value(place, now)

    def _place(self, path: str) -> tuple[int, str] | None:
        owner, _, control = path.rpartition("/")
        if control not in _CONTROLS:
            return None
        if owner == "master":
            return MASTER, control
        track = self._tracks.of_stem.get(owner.removeprefix("stem/"))
        return None if track is None else (track, control)

    def _flush(self, now: float) -> None:
        with self._lock:
            paths, self._pending = self._pending, set()
        for path in [path for path in self._mixer.controls if path in paths and path in self._places]:
            value = self._mixer.controls[path]
            if isinstance(value, str) or self._echoes.matches(path, value):
                continue
            track, control = self._places[path]
            messages = self._profile.write(track, control, value)
            if messages and self._send_messages(messages):
                self._echoes.on_sent(path, value, self._profile.quantize(track, control, value), now)
            elif messages:
                self.changed(path)

    def _poll(self, now: float) -> None:
        self._next_poll = now + self._profile.poll_seconds
        if self._presence.miss():
            self._reconnect(now)
        else:
            self._send_messages(self._profile.poll())

    def _reconnect(self, now: float) -> None:
        self._presence.lose()
        self._tracks.clear()
        self._values.clear()
        self.initialize(now)

    def shutdown(self) -> None:
        """End the subscriptions in the DAW."""
        self._send_messages(self._profile.goodbye(self._tracks.of_stem.values()))

    def _send_messages(self, messages: Iterable[Outgoing]) -> bool:
        written = [write_message(address, arguments) for address, arguments in messages]
        sent = [self._send(packet) for packet in written]  # all of them, even if one fails
        return all(sent)
