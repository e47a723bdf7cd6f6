"""RtMidi's ports on a real MIDI system: JACK's, which needs no device."""

import contextlib
import subprocess
import sys
import threading
import time

import pytest
from waiting import until

from bridge.midi.apis import list_midi_ports, system_ports
from bridge.midi.learn import learn
from bridge.midi.monitor import monitor
from bridge.midi.surface import MidiSurface
from stream_sep import Engine, EngineConfig
from stream_sep.backends.jack import JackBackend
from stream_sep.errors import BridgeError

pytestmark = pytest.mark.usefixtures("jackd")
JACK_PERIOD = 1024  # clients written in Python are seldom late then, and what a late one sends is lost


def press(box, messages, done):
    """Send messages until something is done; a server that is late loses some, which then changed nothing."""
    for _ in range(10):
        box.send(*messages)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            if done():
                return
            time.sleep(0.01)
    pytest.fail("it was sent ten times and did nothing")


def on_jack():
    return system_ports("jack")


DEVICE = """
import queue, sys
import jack
client = jack.Client(sys.argv[1], no_start_server=True)
out, taken = client.midi_outports.register("out"), client.midi_inports.register("in")
to_send, received = queue.SimpleQueue(), queue.SimpleQueue()

@client.set_process_callback
def process(frames):
    out.clear_buffer()
    for frame in range(min(to_send.qsize(), frames)):
        out.write_midi_event(frame, to_send.get())
    for _, data in taken.incoming_midi_events():
        received.put(bytes(data).hex(" "))

client.activate()
print("ready", flush=True)
for line in sys.stdin:
    verb, *words = line.split()
    if verb == "send":
        to_send.put(bytes.fromhex("".join(words)))
    elif verb == "join":
        for port in client.get_ports("stream_sep midi:(in|out)$", is_midi=True):
            client.connect(*((out, port) if port.is_input else (port, taken)))
    else:
        print(*[received.get() for _ in range(received.qsize())], sep=",", flush=True)
client.close()
"""


class Box:
    """A device as a JACK client, one port out, one in.

    It has its own process: RtMidi keeps Python waiting while the server waits for all its clients.
    """

    def __init__(self, name="nanoKONTROL2"):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen([sys.executable, "-c", DEVICE, name], text=True, **pipes)
        self.got = []
        assert self._process.stdout.readline() == "ready\n"

    def _write(self, *lines):
        self._process.stdin.writelines(f"{line}\n" for line in lines)
        self._process.stdin.flush()

    def send(self, *messages):
        self._write(*(f"send {message}" for message in messages))

    def join(self):
        """Connect to the virtual port."""
        self._write("join")

    def count(self, message):
        """Count a message among all that came since the device was plugged in."""
        self._write("report")
        self.got += self._process.stdout.readline().strip().split(",")
        return self.got.count(message)

    def close(self):
        with self._process:
            self._process.stdin.close()
            self._process.wait(5)


@pytest.fixture
def plug():
    """Plugs a device in; all are pulled at the end."""
    made = []

    def plugged(*name):
        made.append(Box(*name))
        return made[-1]

    yield plugged
    for box in made:
        box.close()


@pytest.fixture
def start(mixer):
    made = []

    def started(port, map=None, ports=on_jack):  # noqa: A002 - as the surface's own
        reports = []
        surface = MidiSurface(mixer, port, map, report=reports.append, ports=ports)
        made.append(surface)
        surface.start()
        return surface, reports

    yield started
    for surface in made:
        surface.stop()


def test_ports_are_listed(plug):
    plug()
    names = list_midi_ports("jack")
    assert names.inputs == ("nanoKONTROL2:out",)
    assert names.outputs == ("nanoKONTROL2:in",)


def test_a_device_moves_the_mixer_and_the_mixer_its_lights(mixer, plug, start):
    box = plug()
    surface, _ = start("nanoKONTROL2")
    until(lambda: box.count("b0 30 00"))
    press(box, ["b0 30 7f"], lambda: mixer.controls["stem/vocals/mute"])
    until(lambda: box.count("b0 30 7f"))
    press(box, ["b0 00 5f", "b0 00 7f"], lambda: mixer.controls["stem/vocals/gain_db"] == 10.0)
    assert surface.errors == 0
    surface.stop()
    until(lambda: box.count("b0 30 00") == 2)


def test_after_a_storm_the_newest_move_counts(mixer, plug, start):
    box = plug("Keys")
    surface, _ = start("keys", "generic")
    box.send(*(f"b1 07 {step % 128:02x}" for step in range(2000)))

    def newest():
        box.send("b1 07 7f")  # again and again: a server that is late loses what it should have carried
        return mixer.controls["stem/drums/gain_db"] == 10.0

    until(newest)
    assert surface.errors == 0


def test_a_pulled_plug_and_back(mixer, plug, start):
    box = Box()
    _, reports = start("nano")
    box.close()
    until(lambda: reports)
    assert "'nanoKONTROL2:out' is gone" in reports[0]
    mixer.controls.update({"stem/bass/solo": True})
    box = plug()
    until(lambda: len(reports) == 2)
    assert "'nanoKONTROL2:out' is back" in reports[1]
    until(lambda: box.count("b0 22 7f"))
    press(box, ["b0 32 7f"], lambda: mixer.controls["stem/bass/mute"])


def test_other_programs_connect_to_a_virtual_port(mixer, plug, start):
    start("stream_sep", "mackie-control")
    daw = plug("DAW")
    daw.join()

    def replied():
        daw.send("f0 00 00 66 14 01 31 32 33 34 35 36 37 01 02 03 04 f7")  # a new connection loses the first messages
        return daw.count("f0 00 00 66 14 02 31 32 33 34 35 36 37 05 05 7b 2f f7")

    until(replied)
    until(lambda: daw.count("e8 7f 5f"))
    press(daw, ["e0 00 20"], lambda: mixer.controls["stem/vocals/gain_db"] == pytest.approx(-30, abs=0.01))


def test_learning_and_watching_a_real_port(plug):
    box = plug()
    moves = [f"b0 02 {value:02x}" for value in (1, 2, 3)]
    learned = learn("stem/1/fader", "nano", report=lambda _: box.send(*moves), ports=on_jack)
    assert str(learned.control.source) == "cc:1:2"
    lines = monitor("nano", seconds=10, report=lambda _: None, ports=on_jack)
    box.send("90 10 7f")  # before the port is open: not ours to see
    watched = _first(lines, box)
    lines.close()
    assert watched == "b0 10 40: cc:1:16 64, cc14:1:16 64"


def _first(lines, box):
    stop = threading.Event()

    def keep_saying():
        while not stop.wait(0.05):
            box.send("b0 10 40")

    sender = threading.Thread(target=keep_saying)
    sender.start()
    try:
        return next(lines)
    finally:
        stop.set()
        sender.join()


def test_a_port_opens_while_the_engine_is_on_jack_too(plug, start):
    box = plug()
    with Engine(JackBackend(), EngineConfig(model="passthrough", worker="thread", slack=2048)):
        surface, _ = start("nano")  # in one process they would wait for each other until JACK gives up
        until(lambda: box.count("b0 30 00"))
        surface.stop()


def test_a_server_that_comes_back_has_its_ports_again(mixer, start_jackd, monkeypatch, start):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name := "stream_sep_short_lived")
    with start_jackd(name):
        box = Box()
        _, reports = start("nano")
        until(lambda: box.count("b0 30 00"))
    box.close()
    with start_jackd(name), contextlib.closing(Box()) as box:
        until(lambda: len(reports) == 2)
        assert "is gone" in reports[0]
        assert "is back" in reports[1]
        press(box, ["b0 30 7f"], lambda: mixer.controls["stem/vocals/mute"])


def test_a_server_that_comes_back_has_our_own_port_again(mixer, start_jackd, monkeypatch, start):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name := "stream_sep_short_lived")
    with start_jackd(name):
        _, reports = start("stream_sep", "generic")
    with start_jackd(name), contextlib.closing(Box("Keys")) as box:
        until(lambda: len(reports) == 2)
        assert reports == [
            "MIDI port 'stream_sep' is gone; it is used again as soon as it is back",
            "MIDI port 'stream_sep' is back",
        ]
        box.join()
        press(box, ["b0 07 5f", "b0 07 7f"], lambda: mixer.controls["stem/vocals/gain_db"] == 10.0)


def test_long_and_spurious_messages_are_left_out_and_the_rest_arrives_whole(plug):
    box, came = plug(), []
    ports = on_jack()
    with contextlib.closing(ports), contextlib.closing(ports.open("nanoKONTROL2:out", None, came.append)):
        whole, note = "f0 " + "01 " * 510 + "f7", "90 10 7f"
        expected = {bytes.fromhex(whole), bytes.fromhex(note)}
        press(box, ["f8", "fe", "f0 " + "01 " * 511 + "f7", whole, note], lambda: set(came) >= expected)
        assert set(came) == expected


def test_messages_leave_in_the_order_they_were_sent_many_at_once(plug):
    box = plug()
    ports = on_jack()
    sent = [f"b0 {number >> 7:02x} {number & 127:02x}" for number in range(500)]
    with (
        contextlib.closing(ports),
        contextlib.closing(ports.open("nanoKONTROL2:out", "nanoKONTROL2:in", print)) as to,
    ):
        for message in sent:
            to.send(bytes.fromhex(message))
        until(lambda: box.count(sent[-1]))
    received = [message for message in box.got if message]
    places = [sent.index(message) for message in received]
    assert places == sorted(places)
    assert len(received) > 250  # a server that is late loses what it should have carried


def test_a_system_that_does_not_run_is_refused_and_leaves_nothing(monkeypatch):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "stream_sep_nobody")
    threads = threading.active_count()
    with pytest.raises(BridgeError, match="no JACK server"):
        system_ports("jack")
    assert threading.active_count() == threads


def test_a_system_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(BridgeError, match=r"unknown MIDI system 'kazoo'; choose from .*jack"):
        system_ports("kazoo")


def test_a_port_that_has_gone_cannot_be_opened_and_leaves_nothing():
    threads = threading.active_count()
    with contextlib.closing(on_jack()) as ports, pytest.raises(BridgeError, match="cannot open MIDI port 'kazoo'"):
        ports.open("kazoo", None, print)
    assert threading.active_count() == threads


def test_all_systems_that_run_are_listed_and_the_pad_on_jack_among_them(jackd):  # noqa: ARG001 - it has to run
    with contextlib.closing(on_jack()) as jack:
        port = jack.open_virtual("pad", print)
        try:
            assert set(jack.names().inputs) <= set(list_midi_ports().inputs)
        finally:
            port.close()
