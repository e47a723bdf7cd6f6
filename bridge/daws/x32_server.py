"""An X32 for its clients: replies to queries, applies values, and sends changes to clients with a lease.

Clients send nothing back that could be checked, so no address can be proved as in `bridge.osc.address_proof`, and a
forged one is sent what it asks for. The limits of one host bound that.
"""

from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING

from bridge.daws.echo_filter import EchoFilter, normalize
from bridge.daws.x32 import FIRMWARE, NAME_LENGTH, X32, colour_of, meters_packet
from bridge.network import is_loopback
from bridge.osc.codec import describe, read_packet, write_message
from bridge.rate_limit import KeyedBuckets
from bridge.unexpected import UnexpectedErrors
from stream_sep.errors import BridgeError, ParameterError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from bridge.daws.echo_filter import Setting
    from bridge.daws.profile import Outgoing
    from bridge.network import Address
    from bridge.osc.codec import Message
    from bridge.protocols import MixerControl

_log = logging.getLogger(__name__)

LEASE_SECONDS = 10.0
"""How long ``/xremote`` and ``/meters`` last."""

MAX_CLIENTS = 4
"""The limit of an X32."""

MAX_PER_HOST = 2
"""Most clients of another host, where an editor and a second program may run."""

_REPLIES = 512, 256.0  # to another host: at once, and a second; each has 28 to 64 bytes
_FLUSH_SECONDS = 1 / 30
_METER_SECONDS = 1 / 20
_CONFIG = re.compile(r"/ch/(\d{2})/config/(name|color|icon)")
_ICON = 1


class X32Client:
    """A client that receives changes."""

    def __init__(self) -> None:
        self.expires = 0.0
        self.echoes = EchoFilter(echo_seconds=-1.0)  # these programs send no echoes
        self.pending: set[str] = set()


class X32Server:
    """Emulates an X32: its addresses control a mixer.

    Args:
        mixer: the mixer to control.
        send: sends a packet to a client; returns False if it should be tried again.
        host: the address of this machine that clients receive.

    Attributes:
        last: the last received message, for users.
        errors: number of invalid messages.
    """

    def __init__(self, mixer: MixerControl, send: Callable[[bytes, Address], bool], host: str) -> None:
        self.last, self.errors = "", 0
        self._mixer, self._send, self._profile = mixer, send, X32()
        self._host, self._name = host, "stream_sep"
        self._paths = {**_stem_paths(mixer.stems), (0, "gain_db"): "master/gain_db", (0, "mute"): "master/mute"}
        self._places = {path: place for place, path in self._paths.items()}
        self._clients: dict[Address, X32Client] = {}
        self._meter_clients: dict[Address, float] = {}
        self._changed: set[str] = set()
        self._lock = threading.Lock()
        self._batch: dict[str, Setting] = {}
        self._now = self._next_flush = self._next_meters = 0.0
        self._replies: KeyedBuckets[str] = KeyedBuckets(*_REPLIES, clock=lambda: self._now)
        self._unexpected = UnexpectedErrors(_log, "X32")

    @property
    def status(self) -> str:
        """How many clients receive changes."""
        count = len(self._clients)
        return f"X32: {count} client{'s' if count != 1 else ''}" if count else "X32: no client yet"

    def notice(self, now: float) -> str:
        """Return the text to report to the user now: none, as clients connect and leave all the time."""
        del now
        return ""

    def initialize(self, now: float) -> None:
        """Do nothing: clients subscribe by themselves."""

    def shutdown(self) -> None:
        """Do nothing: clients detect it by themselves."""

    def receive(self, packets: Iterable[tuple[bytes, Address]], now: float) -> None:
        """Apply packets; of several values for one control, only the newest is applied.

        Args:
            packets: each with its sender.
            now: `time.monotonic`.
        """
        self._now = now
        for packet, sender in packets:
            decoded = read_packet(packet)
            for problem in decoded.problems:
                self._refused(problem)
            for message in decoded.messages:
                self.last = describe(message)
                self._handle(message, sender, now)
        self._apply()

    def _handle(self, message: Message, sender: Address, now: float) -> None:
        try:
            if message.address == "/xremote":
                self._renew(sender, now)
            elif message.address == "/unsubscribe":
                self._clients.pop(sender, None)
                self._meter_clients.pop(sender, None)
            elif message.address == "/meters":
                self._renew_meters(sender, now)
            elif message.arguments:
                self._move(message, sender, now)
            else:
                self._apply()
                self._reply(message.address, sender, now)
        except StreamSepError as error:
            self._refused(str(error))
        except Exception as error:  # noqa: BLE001 - an error in one message must not lose others
            self._unexpected.note(error)
            self._refused(f"{describe(message)}: unexpected {type(error).__name__}")

    def _refused(self, why: str) -> None:
        self.errors += 1
        self.last = why

    def _renew(self, sender: Address, now: float) -> None:
        self._remove_expired(now)
        _check_room(self._clients, sender, "changes")
        self._clients.setdefault(sender, X32Client()).expires = now + LEASE_SECONDS

    def _renew_meters(self, sender: Address, now: float) -> None:
        self._remove_expired(now)
        _check_room(self._meter_clients, sender, "meters")
        self._meter_clients[sender] = now + LEASE_SECONDS

    def _remove_expired(self, now: float) -> None:
        self._clients = {address: remote for address, remote in self._clients.items() if remote.expires > now}
        self._meter_clients = {address: expires for address, expires in self._meter_clients.items() if expires > now}

    def _move(self, message: Message, sender: Address, now: float) -> None:
        self._path(message.address)
        moved = self._profile.moved(message)
        if moved is not None:
            path = self._paths[moved.track, moved.control]
            value = self._batch[path] = normalize(path, moved.value)
            self.last += f": {path} {value:g}"
            if sender in self._clients:
                self._clients[sender].echoes.on_received(path, value, now)

    def _apply(self) -> None:
        batch, self._batch = self._batch, {}
        if batch:
            self._mixer.apply(batch)
            self.changed(*batch)  # the mixer may have limited the values

    def _reply(self, address: str, sender: Address, now: float) -> None:
        if not is_loopback(sender[0]) and not self._replies[sender[0]].take():
            raise BridgeError(f"{sender[0]} sends more than {_REPLIES[1]:g} queries a second; some had no reply")
        about = self._about(address)
        if about is not None:
            self._send(write_message(*about), sender)
            return
        path = self._path(address)
        if self._send_messages(path, sender) and sender in self._clients:
            self._clients[sender].echoes.on_sent(path, self._value(path), self._value(path), now)

    def _about(self, address: str) -> Outgoing | None:
        config = _CONFIG.fullmatch(address)
        if config and 0 < int(config[1]) <= len(self._mixer.stems):
            return address, (self._strip(int(config[1]), config[2]),)
        return {
            "/info": ("/info", ("V2.07", self._name, "X32", FIRMWARE)),
            "/xinfo": ("/xinfo", (self._host, self._name, "X32", FIRMWARE)),
            "/status": ("/status", ("active", self._host, self._name)),
        }.get(address)

    def _strip(self, channel: int, what: str) -> str | int:
        if what == "name":
            return self._mixer.stems[channel - 1][:NAME_LENGTH]
        return colour_of(channel) if what == "color" else _ICON

    def _path(self, address: str) -> str:
        place = self._profile.place_of(address)
        if place is None or place not in self._paths:
            raise ParameterError(
                f"there is no {address:.60} here: the stems are channels 1 to {len(self._mixer.stems)}"
            )
        return self._paths[place]

    def _value(self, path: str) -> Setting:
        value = self._mixer.controls[path]
        assert not isinstance(value, str)
        return value

    def _send_messages(self, path: str, client: Address) -> bool:
        messages = self._profile.write(*self._places[path], self._value(path))
        return all(self._send(write_message(*message), client) for message in messages)

    def changed(self, *paths: str) -> None:
        """Queue changed controls of the mixer; for any thread."""
        with self._lock:
            self._changed.update(paths)

    def due(self, now: float) -> float | None:
        """Return the seconds until `work` is due; None if nothing is scheduled."""
        moments = [self._next_meters] if self._meter_clients else []
        if self._changed or any(remote.pending for remote in self._clients.values()):
            moments.append(self._next_flush)
        return max(0.0, min(moments) - now) if moments else None

    def work(self, now: float) -> None:
        """Send the changes and meters that are due."""
        if now >= self._next_flush:
            self._next_flush = now + _FLUSH_SECONDS
            self._remove_expired(now)
            self._flush(now)
        if self._meter_clients and now >= self._next_meters:
            self._next_meters = now + _METER_SECONDS
            packet = meters_packet(self._mixer.stems, self._mixer.peaks())
            for client in self._meter_clients:
                self._send(packet, client)

    def _flush(self, now: float) -> None:
        with self._lock:
            changed, self._changed = self._changed, set()
        for address, remote in self._clients.items():
            pending, remote.pending = (remote.pending | changed) & self._places.keys(), set()
            for path in sorted(pending):
                value = self._value(path)
                if not remote.echoes.matches(path, value):
                    if self._send_messages(path, address):
                        remote.echoes.on_sent(path, value, value, now)
                    else:
                        remote.pending.add(path)


def _check_room(clients: Collection[Address], sender: Address, what: str) -> None:
    if sender in clients:
        return
    if len(clients) >= MAX_CLIENTS:
        raise BridgeError(f"{sender[0]} is one more than the {MAX_CLIENTS} clients that an X32 sends {what} to")
    if not is_loopback(sender[0]) and sum(client[0] == sender[0] for client in clients) >= MAX_PER_HOST:
        raise BridgeError(f"{sender[0]} has the {MAX_PER_HOST} clients already that one host may have for {what}")


def _stem_paths(stems: tuple[str, ...]) -> dict[tuple[int, str], str]:
    return {
        (channel, control): f"stem/{stem}/{control}"
        for channel, stem in enumerate(stems, 1)
        for control in ("gain_db", "mute", "solo", "pan")
    }
