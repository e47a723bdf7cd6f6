"""The host beside the plug-in: its replies and refusals, the client that it follows, and its end."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import waiting

from bridge.plugin import host, listener, session
from bridge.plugin.host import PluginHost
from bridge.plugin.listener import listen
from bridge.plugin.mixer import PluginMixer
from bridge.plugin.session import Hello, PluginSession, ring_layout
from stream_sep.audio.ring_layout import MAGIC, OFFLINE
from stream_sep.audio.shared_rings import SharedRings
from stream_sep.errors import BridgeError, ConfigError, ParameterError
from stream_sep.protocols import STEMS

until = waiting.until
HELLO = {"hello": 1, "model": "passthrough", "rate": 44100, "block": 512, "latency": 2048, "controls": {}}


class Client:
    """A plug-in by hand."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(address)
        self.socket.settimeout(60)
        self._file = self.socket.makefile("r")

    def send(self, message):
        text = message if isinstance(message, str) else json.dumps(message)
        self.socket.sendall(text.encode() + b"\n")

    def receive(self):
        line = self._file.readline()
        return json.loads(line) if line else None

    def close(self):
        self._file.close()
        self.socket.close()


class Running:
    def __init__(self, address, **options):
        self.reports, self.address, self._stopped = [], address, threading.Event()
        self.host = PluginHost(self.reports.append, address=address, **options)
        self.thread = threading.Thread(target=self.host.serve, args=(self._stopped,))
        self.thread.start()
        self._clients = []

    def client(self, **changes):
        made = Client(self.address)
        self._clients.append(made)
        if changes is not None:
            made.send({**HELLO, **changes})
        return made

    def silent_client(self):
        self._clients.append(Client(self.address))
        return self._clients[-1]

    def close(self):
        for client in self._clients:
            client.close()
        self._stopped.set()
        self.thread.join()
        self.host.close()


@pytest.fixture
def address(tmp_path_factory):
    return str(tmp_path_factory.mktemp("h") / "sub" / "s")


@pytest.fixture
def running(address):
    made = Running(address, linger=0)
    yield made
    made.close()


def workers():
    found = subprocess.run(
        ["pgrep", "-P", str(os.getpid()), "-f", "process_main"], capture_output=True, text=True, check=False
    )
    return found.stdout.split()


def test_reply_describes_rings_that_can_be_mapped(running):
    reply = running.client().receive()
    assert reply["separator"] == 0
    assert reply["hop"] == 256
    rings = SharedRings.attach({key: value for key, value in reply.items() if key != "separator"})
    assert rings.header[0] == MAGIC
    rings.begin_stream()
    rings.positions[OFFLINE] = 1
    rings.close()


@pytest.mark.parametrize("latency", [2048, 44100, 30 * 44100])
@pytest.mark.parametrize("block", [512, 1 << 17])
def test_rings_hold_at_once_what_a_bounce_captures_before_its_first_stem(latency, block):
    info = SimpleNamespace(channels=2, stems=STEMS, hop=512, latency=448)
    layout = ring_layout(info, Hello("live", 44100, block, 1472, {}, room=latency))
    assert layout.slots * layout.hop >= latency - info.latency + block
    assert layout.capacity // 2 >= layout.slots * layout.hop  # of which a worker reads half at most


def test_socket_belongs_to_the_user_alone(running, address):
    assert running.thread.is_alive()
    assert Path(address).stat().st_mode & 0o077 == 0
    assert Path(address).parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("garbage", "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ("[" * 50000, "not JSON"),
        ({**HELLO, "block": 10**400}, "block 1000"),
        ({**HELLO, "hello": 99}, "version 99"),
        ({**HELLO, "model": "os:system"}, "unknown plug-in model 'os:system'"),
        ({**HELLO, "model": 7}, "unknown plug-in model 7"),
        ({**HELLO, "rate": 0}, "rate 0"),
        ({**HELLO, "rate": "44100"}, "rate '44100'"),
        ({**HELLO, "rate": 1e300}, "rate"),
        ({**HELLO, "block": 2.5}, "block 2.5"),
        ({**HELLO, "block": -1}, "block -1"),
        ({**HELLO, "latency": 10**12}, "latency"),
        ({**HELLO, "latency": 100}, "needs at least 256 frames"),
        ({**HELLO, "latency": 100, "room": 100000}, "needs at least 256 frames"),
        ({**HELLO, "room": 2047}, "room 2047"),
    ],
)  # fmt: skip
def test_invalid_hello_is_rejected_with_a_message(running, line, text):
    client = running.silent_client()
    client.send(line)
    assert text in client.receive()["error"]
    assert client.receive() is None
    assert running.client().receive()["name"]  # and the next one is served


@pytest.mark.parametrize("junk", [b"\xff" * 100000, b"{" * 70000, b"\n\n\n", b""])
def test_bytes_without_sense_or_end_harm_no_client(running, junk):
    client = running.silent_client()
    client.socket.sendall(junk)
    client.socket.shutdown(socket.SHUT_WR)
    with contextlib.suppress(ConnectionResetError):  # it was closed before all was read
        while client.receive():
            pass
    assert running.client().receive()["name"]


def test_nonsense_on_a_running_connection_is_passed_over(running):
    client = running.client()
    assert client.receive()["name"]
    client.send("nonsense")
    client.send({"set": {"no/such": 1, "bypass": "x", "stem/vocals/gain_db": 1e999}})
    client.send("[" * 50000)
    client.send({"set": {"stem/drums/gain_db": 10**400}, "status": {"late_hops": 10**400}})
    client.send({"status": {"late_hops": "many", "peaks": ["a", None, 0.5]}})
    client.send({"set": {"stem/bass/gain_db": -7.0}})
    until(lambda: running.host.mixer.controls["stem/bass/gain_db"] == -7.0)


def test_worker_whose_client_went_while_it_loaded_ends(running):
    before = set(workers())
    client = running.client()
    until(lambda: set(workers()) - before)
    client.close()
    until(lambda: not set(workers()) - before)


def test_failure_that_nobody_foresaw_is_reported_and_the_host_goes_on(running, monkeypatch):
    def fail(*_):
        raise MemoryError("no memory is left")

    with monkeypatch.context() as patch:
        patch.setattr(session, "ring_layout", fail)
        assert "MemoryError: no memory is left" in running.client().receive()["error"]
    assert any("Traceback" in text for text in running.reports)
    assert running.client().receive()["name"]


def test_worker_ends_with_its_client(running):
    before = set(workers())
    client = running.client()
    assert client.receive()["name"]
    assert set(workers()) - before
    client.close()
    until(lambda: not set(workers()) - before)


def test_second_host_is_refused_and_the_first_goes_on(running, address):
    with pytest.raises(BridgeError, match="another host is running"):
        listen(address)
    assert running.client().receive()["name"]


def test_host_that_starts_while_another_one_does_is_refused(address, monkeypatch):
    bind, bound, go_on, made = listener._bound, threading.Event(), threading.Event(), []

    def bind_slowly(path):
        found = bind(path)
        bound.set()
        assert go_on.wait(60)
        return found

    monkeypatch.setattr(listener, "_bound", bind_slowly)
    first = threading.Thread(target=lambda: made.append(listen(address)))
    first.start()
    assert bound.wait(60)
    monkeypatch.setattr(listener, "_bound", bind)
    try:
        with pytest.raises(BridgeError, match="another host is running"):
            listen(address)
    finally:
        go_on.set()
        first.join()
    client = socket.socket(socket.AF_UNIX)
    client.connect(address)
    accepted = made[0].accept()
    assert accepted is not None
    accepted.close()
    client.close()
    made[0].close()
    listen(address).close()


def test_socket_that_a_killed_host_left_is_taken_over(tmp_path):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "s"))
    left.close()
    listen(str(tmp_path / "s")).close()
    assert not (tmp_path / "s").exists()


def test_host_ends_a_while_after_its_last_client(address):
    made = Running(address, linger=0.5)
    client = made.client()
    assert client.receive()["name"]
    time.sleep(1.5)
    assert made.thread.is_alive()
    client.close()
    made.thread.join(30)
    assert not made.thread.is_alive()
    made.close()


def test_session_that_does_not_end_does_not_keep_the_host(address, monkeypatch):
    ends = threading.Event()
    monkeypatch.setattr(PluginSession, "serve", lambda _: ends.wait())
    monkeypatch.setattr(host, "_CLOSE_SECONDS", 0.2)
    made = Running(address, linger=0)
    made.client()
    until(lambda: made.host._threads)
    closing = threading.Thread(target=made.close, daemon=True)
    closing.start()
    closing.join(30)
    assert not closing.is_alive()
    ends.set()


def test_control_moved_in_the_daw_moves_the_tree_and_is_not_echoed(running):
    client = running.client()
    client.receive()
    controls = running.host.mixer.controls
    client.send({"set": {"stem/vocals/gain_db": -12.5, "stem/drums/mute": 1}})
    until(lambda: controls["stem/drums/mute"] is True)
    assert controls["stem/vocals/gain_db"] == -12.5
    running.host.mixer.apply({"karaoke": 0.5})
    assert client.receive() == {"set": {"karaoke": 0.5}}  # the first that comes: no echo before it


def test_control_moved_elsewhere_is_sent_to_the_daw_once(running):
    client = running.client()
    client.receive()
    mixer = running.host.mixer
    until(lambda: mixer.sessions)
    for value in (-3.0, -3.0, -4.0):
        mixer.apply({"stem/bass/gain_db": value})
    mixer.apply({"stem/other/solo": True})
    assert [client.receive() for _ in range(3)] == [
        {"set": {"stem/bass/gain_db": -3.0}},
        {"set": {"stem/bass/gain_db": -4.0}},
        {"set": {"stem/other/solo": 1.0}},
    ]


def test_instance_that_reads_nothing_stops_no_other(running):
    frozen, other = running.client(), running.client()
    mixer = running.host.mixer
    assert other.receive()["name"]
    until(lambda: len(mixer.sessions) == 2)
    shown = mixer.sessions[0]

    def move():
        for number in range(20000):  # many times what the buffers of a socket hold
            mixer.apply({"stem/bass/gain_db": -1.0 - number % 80})
            if mixer.sessions[0] is not shown:
                return

    moving = threading.Thread(target=move, daemon=True)
    moving.start()
    moving.join(60)
    assert not moving.is_alive()
    until(lambda: len(mixer.sessions) == 1)
    mixer.apply({"karaoke": 0.5})
    assert mixer.controls["karaoke"] == 0.5
    assert frozen.socket.fileno() >= 0


def test_value_out_of_range_is_corrected_for_its_author(running):
    client = running.client()
    client.receive()
    client.send({"set": {"stem/bass/gain_db": -300.0}})
    assert client.receive() == {"set": {"stem/bass/gain_db": -90.0}}


def test_tree_begins_where_the_project_left_the_faders(running):
    client = running.client(controls={"stem/vocals/gain_db": -20.0, "bypass": 1.0})
    client.receive()
    controls = running.host.mixer.controls
    until(lambda: controls["stem/vocals/gain_db"] == -20.0)
    assert controls["bypass"] is True
    assert controls["engine/latency_frames"] == 2048
    assert controls["engine/model"] == "passthrough"


def test_tree_shows_the_first_instance_and_then_the_next(running):
    first = running.client(controls={"stem/bass/gain_db": -1.0})
    first.receive()
    second = running.client(controls={"stem/bass/gain_db": -2.0})
    second.receive()
    mixer = running.host.mixer
    until(lambda: len(mixer.sessions) == 2)
    second.send({"set": {"stem/bass/gain_db": -2.5}})
    mixer.apply({"stem/drums/gain_db": -9.0})
    assert first.receive() == {"set": {"stem/drums/gain_db": -9.0}}
    assert mixer.controls["stem/bass/gain_db"] == -1.0
    first.close()
    until(lambda: mixer.controls["stem/bass/gain_db"] == -2.5)
    assert mixer.controls["stem/drums/gain_db"] == -9.0 or mixer.controls["stem/drums/gain_db"] == 0.0


def test_preset_sets_what_the_plugin_has(running):
    client = running.client()
    client.receive()
    mixer = running.host.mixer
    until(lambda: mixer.sessions)
    mixer.recall("karaoke")
    assert client.receive()["set"]
    assert mixer.controls["preset"] == "karaoke"


def test_peaks_are_those_of_the_instance(running):
    client = running.client()
    client.receive()
    client.send({"status": {"late_hops": 3, "peaks": [0.5, 0.25, 0.125, 0, 0, 0, 0, 0, 0, 0.75]}})
    mixer = running.host.mixer
    until(lambda: mixer.peaks()["mix"] == (0.5, 0.25))
    assert mixer.peaks()["vocals"] == (0.125, 0.0)
    assert mixer.peaks()["other"] == (0.0, 0.75)
    until(lambda: mixer.controls["engine/late_hops"] == 3)


def test_mixer_without_an_instance_takes_controls_and_has_no_others():
    mixer = PluginMixer()
    mixer.apply({"stem/vocals/mute": True})
    assert mixer.peaks()["mix"] == (0.0, 0.0)
    with pytest.raises(ParameterError):
        mixer.apply({"stem/vocals/pan": 0.5})


def test_hello_keeps_numbers_alone():
    hello = Hello.from_line(json.dumps({**HELLO, "controls": {"a": 1, "b": "x", "c": None}}))
    assert hello.controls == {"a": 1.0}
    with pytest.raises(ConfigError):
        Hello.from_line("{}")


def test_host_command_serves_osc_on_the_same_tree(meeting, free_port):
    process = subprocess.Popen(
        [*meeting.arguments("--linger", "0")[:-4], "--osc-port", str(free_port), "--linger", "0"],
        stdout=subprocess.DEVNULL,
    )
    try:
        until(meeting.is_host_running)
        client = Client(str(meeting.socket))
        client.send(HELLO)
        assert client.receive()["name"]
        send = f"from pythonosc.udp_client import SimpleUDPClient as C; C('127.0.0.1', {free_port}).send_message"
        subprocess.run([sys.executable, "-c", f"{send}('/stem/vocals/mute', 1)"], check=True)
        assert client.receive() == {"set": {"stem/vocals/mute": 1.0}}
        client.close()
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
