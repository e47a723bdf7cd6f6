"""What every control surface owes the mixer and its clients.

A surface joins with a class that has its protocol: how a client is connected, writes and receives.

    surface(mixer): the surface, not started, on a free port
    connect(surface): a client that receives everything from now on
    client.write(path, value): move a control, in the control's own unit
    client.received(path): the values received for that control since the last call, oldest first
    client.close()
    garbage: what a client of its kind may send that makes no sense, for client.write_raw; empty if nothing can be

and, where it is not exact or cannot go as far as the mixer: step_db, loudest, shown, as in daw_clients.py.
"""

import contextlib
import itertools
import json
import queue
import socket
import time
from typing import ClassVar

import pytest
import websockets.sync.client
from daw_clients import DAWS, GAIN, MUTE
from pythonosc.osc_message_builder import build_msg
from pythonosc.osc_packet import OscPacket
from surface_group import SurfaceGroup
from waiting import QUIET, until

from bridge.daws.surface import DawSurface
from bridge.midi.map import parse_map
from bridge.midi.ports import PortNames
from bridge.midi.surface import MidiSurface
from bridge.osc.server import OscServer
from bridge.oscquery.server import OscQueryServer
from bridge.web.live.surface import LivePage
from stream_sep.control.levels import db_to_position, position_to_db
from stream_sep.errors import BridgeError


class OscAddresses:
    """OSC's names for controls."""

    garbage = (b"\xff" * 40, b"/stem/vocals/gain\0\0\0,f\0\0", b"#bundle\0" + b"\x7f" * 40, b"")

    @staticmethod
    def address(path):
        return f"/{path}".replace("gain_db", "gain")

    @staticmethod
    def message(path, *values):
        return build_msg(OscAddresses.address(path), values).dgram

    def __init__(self):
        self._messages = []

    def take(self, packet):
        self._messages += [timed.message for timed in OscPacket(packet).messages]

    def received(self, path):
        self.listen()
        received = [message for message in self._messages if message.address == self.address(path)]
        self._messages = [message for message in self._messages if message not in received]
        return [message.params[0] for message in received]


class OscClient(OscAddresses):
    """A controller on the network."""

    def __init__(self, surface):
        super().__init__()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", surface.port))
        self._socket.settimeout(0)
        self.write_raw(build_msg("/subscribe", [0, 63]).dgram)

    def write(self, path, *values):
        self.write_raw(self.message(path, *values))

    def write_raw(self, packet):
        self._socket.send(packet)

    def listen(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.take(self._socket.recv(65535))

    def close(self):
        self._socket.close()


class Osc:
    garbage = OscAddresses.garbage
    connect = OscClient

    @staticmethod
    def surface(mixer, port=0):
        return OscServer(mixer, port=port)


class OscQueryClient(OscAddresses):
    """A program that listens over a WebSocket."""

    def __init__(self, surface):
        super().__init__()
        self._open = contextlib.ExitStack()
        url = f"ws://127.0.0.1:{surface.port}"
        self._socket = self._open.enter_context(websockets.sync.client.connect(url, proxy=None, close_timeout=1))
        for path in ("/stem", "/master", "/preset"):
            self.write_raw(json.dumps({"COMMAND": "LISTEN", "DATA": path}))

    def write(self, path, *values):
        self.write_raw(self.message(path, *values))

    def write_raw(self, message):
        self._socket.send(message)

    def listen(self):
        with contextlib.suppress(TimeoutError):
            while True:
                self.take(self._socket.recv(timeout=0))

    def close(self):
        self._open.close()


class OscQuery:
    garbage = (*OscAddresses.garbage, "{", "[]", '{"COMMAND": "LISTEN"}', '{"COMMAND": "LISTEN", "DATA": "/nothing"}')
    connect = OscQueryClient

    @staticmethod
    def surface(mixer, port=0):
        return OscQueryServer(mixer, port=port, announce=False)


class LivePageClient(OscAddresses):
    """A browser at the live page."""

    def __init__(self, surface):
        super().__init__()
        self._open = contextlib.ExitStack()
        url = f"ws://127.0.0.1:{surface.port}/ws"
        connect = websockets.sync.client.connect(url, subprotocols=["osc"], proxy=None, close_timeout=1)
        self._socket = self._open.enter_context(connect)
        assert json.loads(self._socket.recv())["hello"] == 1

    def write(self, path, *values):
        self.write_raw(self.message(path, *values))

    def write_raw(self, message):
        self._socket.send(message)

    def listen(self):
        with contextlib.suppress(TimeoutError):
            while True:
                message = self._socket.recv(timeout=0)
                if isinstance(message, bytes):
                    self.take(message)

    def close(self):
        self._open.close()


class Live:
    garbage = (*OscAddresses.garbage, "{", "[]", '{"meters": 1}', '{"tree": []}')
    connect = LivePageClient

    @staticmethod
    def surface(mixer, port=0):
        return LivePage(mixer, port=port)


MIDI_MAP = """
schema = 1
name = "laws"
[[control]] # a hundredth of a decibel a step
in = "bend:1"
to = "stem/vocals/gain"
low = -90
high = 73.83
motor = true
[[control]]
in = "note:1:16"
to = "stem/drums/mute"
mode = "latch"
led = "note:1:16"
[[control]]
in = "note:1:99"
to = "preset/nobody"
"""


class MidiCable:
    """A port of a system of one, and the only connection there can be to it."""

    taken: ClassVar = set()
    disconnected = False

    def __init__(self, name):
        self.input = self.output = name
        self.receive, self.sent = None, queue.SimpleQueue()

    def names(self):
        return PortNames((self.input,), (self.output,))

    def open(self, input_name, _, receive):
        if input_name in self.taken:
            raise BridgeError(f"cannot open MIDI port {input_name!r}; another program may have it")
        self.taken.add(input_name)
        self.receive = receive
        return self

    def send(self, message):
        self.sent.put(message)

    def close(self):
        if self.receive is not None:
            self.taken.discard(self.input)


class MidiDesk(SurfaceGroup):
    """A mixer with several devices, one `MidiSurface` each; the first is there from the start."""

    numbers = itertools.count(1)

    def __init__(self, mixer, port):
        super().__init__()
        self.port, self._mixer = port or next(self.numbers), mixer
        self.plug(MidiCable(f"box {self.port}"))

    def plug(self, cable):
        self._surfaces.append(MidiSurface(self._mixer, cable.input, parse_map(MIDI_MAP), ports=lambda: cable))
        return self._surfaces[-1]


class MidiClient:
    """A device with a motor fader, a lit button and one for a preset that is gone."""

    def __init__(self, surface):
        self._cable = MidiCable(f"box of its own {next(MidiDesk.numbers)}")
        self._surface, self._messages = surface.plug(self._cable), []
        self._surface.start()

    def write(self, path, value):
        step = min(round((value + 90) * 100), 16383)
        messages = {GAIN: bytes((0xE0, step & 127, step >> 7)), MUTE: bytes((0x90, 16, 127 * bool(value)))}
        self.write_raw(messages.get(path, bytes((0x90, 99, 127))))

    def write_raw(self, message):
        self._cable.receive(message)

    def received(self, path):
        self._messages += [self._cable.sent.get() for _ in range(self._cable.sent.qsize())]
        received = [message for message in self._messages if message[0] == (0xE0 if path == GAIN else 0x90)]
        self._messages = [message for message in self._messages if message not in received]
        if path == MUTE:
            return [message[2] // 127 for message in received]
        return [round((message[2] << 7 | message[1]) / 100 - 90, 2) for message in received]

    def close(self):
        self._surface.stop()


class Midi:
    garbage = (b"\xff" * 3, b"\xb0\x10", b"\x90\x10\xff", b"")
    connect = MidiClient

    @staticmethod
    def surface(mixer, port=0):
        return MidiDesk(mixer, port)


class X32Client:
    """An app that is made for an X32."""

    places: ClassVar = {GAIN: "/ch/01/mix/fader", MUTE: "/ch/02/mix/on"}

    def __init__(self, surface):
        self._messages = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", surface.port))
        self._socket.settimeout(0)
        for address in ("/xremote", *self.places.values()):
            self.write_raw(build_msg(address).dgram)

    def write(self, path, value):
        # the law of its faders, which goes on above their travel
        position = (value + 30) / 40 if value > -10 else db_to_position(value)
        values = {GAIN: float(position), MUTE: int(not value)}
        self.write_raw(build_msg(self.places.get(path, "/ch/99/mix/on"), [values.get(path, 1)]).dgram)

    def write_raw(self, packet):
        self._socket.send(packet)

    def received(self, path):
        with contextlib.suppress(BlockingIOError):
            while True:
                self._messages += [timed.message for timed in OscPacket(self._socket.recv(65535)).messages]
        received = [message.params[0] for message in self._messages if message.address == self.places[path]]
        self._messages = [message for message in self._messages if message.address != self.places[path]]
        return [int(not value) if path == MUTE else round(position_to_db(value), 3) for value in received]

    def close(self):
        self._socket.close()


class X32:
    garbage = (b"\xff" * 40, build_msg("/ch/01/mix/fader", ["up"]).dgram, b"#bundle\0" + b"\x7f" * 40, b"")
    connect = X32Client

    @staticmethod
    def surface(mixer, port=0):
        return DawSurface(mixer, "x32", listen=port)


SURFACES = {"osc": Osc, "oscquery": OscQuery, "live-page": Live, "midi": Midi, "x32": X32, **DAWS}


@pytest.fixture(params=SURFACES)
def kind(request):
    return SURFACES[request.param]


@pytest.fixture
def surface(kind, mixer):
    made = kind.surface(mixer)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def connect(kind, surface):
    """Connects a client; all are let go of at the end."""
    made = []

    def connected():
        made.append(kind.connect(surface))
        return made[-1]

    yield connected
    for client in made:
        client.close()


@pytest.fixture
def clients(connect):
    """Two clients that received everything."""
    made = [connect(), connect()]
    for client in made:
        receive(client, GAIN)
    return made


def receive(client, path, count=1):
    received = []
    until(lambda: received.extend(client.received(path)) or len(received) >= count)
    return received


@pytest.fixture
def level(kind):
    """What equals a level as exactly as this kind of client can send it."""
    return lambda value: pytest.approx(value, rel=0, abs=getattr(kind, "step_db", 0.0))


def test_a_write_is_seen_in_the_state(mixer, clients, level):
    clients[0].write(GAIN, -12.5)
    until(lambda: mixer.controls[GAIN] == level(-12.5))
    clients[0].write(MUTE, 1)
    until(lambda: mixer.controls[MUTE] is True)


def test_new_client_receives_everything(connect, mixer, level):
    mixer.apply({GAIN: -7.5, MUTE: True})
    client = connect()
    assert receive(client, GAIN) == level([-7.5])
    assert receive(client, MUTE) == [1]


def test_change_elsewhere_is_sent_to_every_client_once(mixer, clients, level):
    mixer.apply({GAIN: -20.0})
    for client in clients:
        assert receive(client, GAIN) == level([-20.0])
    time.sleep(QUIET)
    assert [client.received(GAIN) for client in clients] == [[], []]


def test_move_of_one_client_is_sent_to_the_others_only(clients, level):
    clients[0].write(GAIN, -3.0)
    assert receive(clients[1], GAIN) == level([-3.0])
    time.sleep(QUIET)
    assert clients[0].received(GAIN) == []


@pytest.mark.parametrize("start", [0.0, 10.0])
def test_a_value_beyond_the_range_is_corrected_at_its_sender(kind, mixer, clients, start, level):
    mixer.apply({GAIN: start})
    if start:
        for client in clients:  # a DAW echoes what it received, and only then sends moves
            receive(client, GAIN)
    clients[0].write(GAIN, 99.0)
    if (loudest := getattr(kind, "loudest", 99.0)) < 10:  # it cannot exceed the range: its value is kept
        until(lambda: mixer.controls[GAIN] == level(loudest))
        assert receive(clients[1], GAIN)[-1] == level(loudest)
        return
    assert receive(clients[0], GAIN)[-1] == getattr(kind, "shown", 10.0)
    assert mixer.controls[GAIN] == 10.0


def test_change_that_is_corrected_is_sent_to_its_sender(mixer, clients, level):
    clients[0].write(GAIN, -3.0)
    until(lambda: mixer.controls[GAIN] == level(-3.0))
    mixer.apply({GAIN: -6.0})
    assert receive(clients[0], GAIN) == level([-6.0])


def test_many_changes_at_once_end_on_the_newest(mixer, clients, level):
    for step in range(1000):
        mixer.apply({GAIN: -step / 100})
    received = []
    newest = level(-9.99)
    newest.abs = max(newest.abs, 0.001)  # a single's last digits
    until(lambda: received.extend(clients[0].received(GAIN)) or (received and received[-1] == newest))
    assert len(received) < 100


def test_what_makes_no_sense_changes_nothing_and_is_counted(kind, surface, mixer, clients, level):
    before = mixer.controls.snapshot()
    for count, garbage in enumerate(kind.garbage, 1):
        clients[0].write_raw(garbage)
        until(lambda count=count: surface.errors >= count)
    clients[0].write("stem/nobody/gain_db", 1.0)
    until(lambda: surface.errors == len(kind.garbage) + 1)
    assert mixer.controls.snapshot() == before
    clients[0].write(GAIN, -1.5)
    until(lambda: mixer.controls[GAIN] == level(-1.5))


def test_what_came_last_can_be_seen(surface, mixer, clients):
    before = mixer.controls[GAIN]
    clients[0].write(GAIN, -12.5)
    until(lambda: mixer.controls[GAIN] != before)
    until(lambda: f"{mixer.controls[GAIN]:g}" in surface.last)
    assert "vocals" in surface.last


def test_a_taken_port_is_named(kind, surface, mixer):
    second = kind.surface(mixer, port=surface.port)
    with pytest.raises(BridgeError, match=str(surface.port)):
        second.start()
    second.stop()


def test_stopping_twice_is_harmless_and_it_can_start_again(connect, surface, mixer, level):
    surface.stop()
    surface.stop()
    mixer.apply({GAIN: -30.0})
    surface.start()
    client = connect()
    assert receive(client, GAIN) == level([-30.0])


def test_starting_twice_is_harmless(surface):
    surface.start()
    surface.start()
