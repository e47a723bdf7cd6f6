"""DAWs as clients: each sends, in its own dialect and types, the messages of the real one.

Every one has four tracks in an order of its own, replies to queries, and echoes what it receives, as all of
them do.
"""

import contextlib
import socket
import time
from typing import ClassVar

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import build_msg
from pythonosc.osc_packet import OscPacket
from surface_group import SurfaceGroup
from waiting import PATIENCE

from bridge.daws import bitwig, live
from bridge.daws.surface import DawSurface

GAIN, MUTE = "stem/vocals/gain_db", "stem/drums/mute"
TRACKS = ("drums", "bass", "vocals", "other")
VOCALS, DRUMS = TRACKS.index("vocals") + 1, TRACKS.index("drums") + 1


class DawDesk(SurfaceGroup):
    """A mixer with several DAWs, one `DawSurface` each, where it leads; the first is followed from the start."""

    def __init__(self, mixer, port, name):
        super().__init__()
        self._mixer, self._name = mixer, name
        self.follow(9, port)

    def follow(self, send, listen=0):
        self._surfaces.append(DawSurface(self._mixer, self._name, listen=listen, send=send, push_on_connect=True))
        return self._surfaces[-1]

    @property
    def port(self):
        return self._surfaces[0].port


class DawClient:
    """The part common to all; `handle`, `send_value` and `parse_value` are the dialect."""

    def __init__(self, surface):
        self._moves = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._surface = surface.follow(self._socket.getsockname()[1])
        self._surface.start()
        self._socket.connect(("127.0.0.1", self._surface.port))
        self._socket.settimeout(0)
        deadline = time.monotonic() + PATIENCE
        while self._surface.tracks.get("vocals") != VOCALS:
            assert time.monotonic() < deadline, "it never found the tracks"
            self.listen()
            time.sleep(0.005)

    def write(self, path, value):
        track = {GAIN: VOCALS, MUTE: DRUMS}.get(path, 9999)
        self.send_value(track, "gain_db" if path == GAIN else "mute", value)

    def send(self, address, *values):
        self.write_raw(build_msg(address, values).dgram)

    def write_raw(self, packet):
        self._socket.send(packet)

    def listen(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                for timed in OscPacket(self._socket.recv(65535)).messages:
                    self.handle(timed.message)

    def handle(self, message):
        """Record the value of a moved control and echo it."""
        moved = self.parse_value(message.address, *message.params)
        if moved is not None:
            track, control, value = moved
            self.send_value(track, control, value)
            path = {(VOCALS, "gain_db"): GAIN, (DRUMS, "mute"): MUTE}.get((track, control))
            self._moves.append((path, round(value, 3)))

    def received(self, path):
        self.listen()
        received = [value for at, value in self._moves if at == path]
        self._moves = [(at, value) for at, value in self._moves if at != path]
        return received

    def close(self):
        self._surface.stop()
        self._socket.close()


class ReaperClient(DawClient):
    """REAPER with our pattern file: floats only, a track's number in the address."""

    addresses: ClassVar = {"gain_db": "volume/db", "mute": "mute"}

    def handle(self, message):
        if message.address == "/action/41743":
            for track, name in enumerate(TRACKS, 1):
                self.send(f"/track/{track}/name", name)
                self.send_value(track, "mute", 0)
                self.send_value(track, "gain_db", -1.0)
        super().handle(message)

    def send_value(self, track, control, value):
        self.send(f"/track/{track}/{self.addresses[control]}", float(value))

    def parse_value(self, address, value=None, *_):
        controls = {theirs: ours for ours, theirs in self.addresses.items()}
        track, _, control = address.removeprefix("/track/").partition("/")
        return (int(track), controls[control], value) if control in controls else None


class ArdourClient(DawClient):
    """Ardour 7: the strip number first, as an integer, and feedback as a surface requests it, on whole strips."""

    addresses: ClassVar = {"gain_db": "/strip/gain", "mute": "/strip/mute"}

    def handle(self, message):
        if message.address == "/set_surface":
            assert message.params == [0, 159, 16411, 0, 0, 0, 0]
            for track, name in enumerate(TRACKS, 1):
                self.send("/strip/name", track, name)
                self.send_value(track, "mute", 0)
                self.send_value(track, "gain_db", -1.0)
        elif message.address == "/strip/list":
            for track, name in enumerate(TRACKS, 1):
                self.send("/reply", "AT", name, 2, 2, 0, 0, track, 0)
            self.send("/reply", "end_route_list", 44100, 0, 0)
        super().handle(message)

    def send_value(self, track, control, value):
        self.send(self.addresses[control], track, float(value))

    def parse_value(self, address, track=0, value=None, *_):
        controls = {theirs: ours for ours, theirs in self.addresses.items()}
        return (track, controls[address], value) if address in controls else None

    def received(self, path):
        self.send("/heartbeat", 1.0)  # else it counts as gone
        return super().received(path)


class LiveClient(DawClient):
    """Live with AbletonOSC: tracks from 0; sends changes of subscribed tracks; switches are OSC's true and false."""

    names: ClassVar = {"gain_db": "volume", "mute": "mute"}

    def __init__(self, surface):
        self._values = {(track, control): 0.0 for track in range(1, 5) for control in self.names}
        super().__init__(surface)

    def handle(self, message):
        address, (*arguments,) = message.address, message.params
        if address == "/live/song/get/track_names":
            self.send(address, *(name.title() for name in TRACKS))
        elif address.startswith("/live/track/start_listen/"):
            controls = [ours for ours, theirs in self.names.items() if address.endswith(f"/{theirs}")]
            for control in controls:
                self.send_value(arguments[0] + 1, control, self._values[arguments[0] + 1, control])
        super().handle(message)

    def send_value(self, track, control, value):
        theirs = live.db_to_volume(value) if control == "gain_db" else bool(value)
        self._values[track, control] = value
        self.send(f"/live/track/get/{self.names[control]}", track - 1, theirs)

    def parse_value(self, address, track=0, value=None, *_):
        if address == "/live/track/set/volume":
            return track + 1, "gain_db", live.volume_to_db(value)
        return (track + 1, "mute", int(value)) if address == "/live/track/set/mute" else None


class BitwigClient(DawClient):
    """Bitwig with DrivenByMoss: whole numbers of 128 steps, in bundles between two updates."""

    addresses: ClassVar = {"gain_db": "volume", "mute": "mute"}

    def handle(self, message):
        if message.address == "/refresh":
            named = [(f"/track/{track}/name", name) for track, name in enumerate(TRACKS, 1)]
            stands = [self._moved(track, *at) for track in range(1, 5) for at in (("gain_db", -1.0), ("mute", 0))]
            self.flush(*named, *stands)
            self.flush(*((f"/track/{track}/exists", int(track <= len(TRACKS))) for track in range(1, 9)))
        super().handle(message)

    def flush(self, *messages):
        bundle = OscBundleBuilder(IMMEDIATELY)
        for address, value in (("/update", 1), *messages, ("/update", 0)):
            bundle.add_content(build_msg(address, [value]))
        self.write_raw(bundle.build().dgram)

    def send_value(self, track, control, value):
        self.flush(self._moved(track, control, value))

    def _moved(self, track, control, value):
        steps = round(127 * bitwig.db_to_volume(value)) if control == "gain_db" else int(value)
        return f"/track/{track}/{self.addresses[control]}", steps

    def parse_value(self, address, value=None, *_):
        track, _, control = address.removeprefix("/track/").partition("/")
        if control == "volume":
            assert isinstance(value, int)
            return int(track), "gain_db", bitwig.volume_to_db(value / 127)
        return (int(track), "mute", value) if control == "mute" else None


class Daw:
    """How the laws are held to a DAW.

    Args:
        name: as `DawSurface` has it.
        client: the other end.
        address: of a level, to send nonsense to.
        step_db: how far apart two levels may be that are the same to it.
        loudest: the highest level that it can send, in dB.
        shown: the level that it shows for our loudest, in dB.
    """

    def __init__(self, name, client, address, *, step_db=0.0, loudest=99.0, shown=10.0):
        self.connect, self._name = client, name
        self.step_db, self.loudest, self.shown = step_db, loudest, shown
        nonsense = build_msg(address, ["up"] if "3" in address else [VOCALS, "up"]).dgram
        self.garbage = (b"\xff" * 40, nonsense, b"#bundle\0" + b"\x7f" * 40, b"")

    def surface(self, mixer, port=0):
        return DawDesk(mixer, port, self._name)


DAWS = {
    "reaper": Daw("reaper", ReaperClient, "/track/3/volume/db"),
    "ardour": Daw("ardour", ArdourClient, "/strip/gain", shown=6.0),
    "live": Daw("live", LiveClient, "/live/track/get/volume", loudest=6.0, shown=6.0),
    "bitwig": Daw("bitwig", BitwigClient, "/track/3/volume", step_db=0.5, loudest=6.02, shown=6.02),
}
