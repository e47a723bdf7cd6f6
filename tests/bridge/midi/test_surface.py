"""The surface: its thread, its port, and plugs that are pulled."""

import time

import pytest
from waiting import until

from bridge.midi.address import Address
from bridge.midi.learn import Learner, learn
from bridge.midi.map import Control
from bridge.midi.messages import encode
from bridge.midi.monitor import monitor
from bridge.midi.ports import PortNames, find_port
from bridge.midi.session import MidiSession
from bridge.midi.surface import MidiSurface
from stream_sep.control.levels import db_to_position
from stream_sep.errors import BridgeError, ConfigError


class Cable:
    """A connection to a device that the test plays."""

    def __init__(self, system, names, receive):
        self.system, self.receive, self.disconnected = system, receive, False
        self.input, self.output = names
        self.sent, self.closed = [], False

    def send(self, message):
        if self.system.broken:
            raise BridgeError(f"cannot send to MIDI port {self.output!r}: broken")
        self.sent.append(message.hex(" "))

    def close(self):
        self.closed = True


class System:
    """Ports that come and go as the test likes."""

    def __init__(self, *inputs, outputs=None):
        self.inputs, self.outputs = inputs, inputs if outputs is None else outputs
        self.cables, self.closed = [], 0
        self.broken = self.taken = self.stumbles = False

    def names(self):
        if self.stumbles:
            raise BridgeError("cannot list MIDI ports")
        return PortNames(self.inputs, self.outputs)

    def open(self, input_name, output_name, receive):
        if self.taken:
            raise BridgeError(f"cannot open MIDI port {input_name!r}; another program may have it")
        self.cables.append(Cable(self, (input_name, output_name), receive))
        return self.cables[-1]

    def open_virtual(self, name, receive):
        return self.open(name, name, receive)

    def close(self):
        self.closed += 1

    def plays(self, *messages):
        until(lambda: self.cables)
        for message in messages:
            self.cables[-1].receive(bytes.fromhex(message))


NANO = "nanoKONTROL2:nanoKONTROL2 MIDI 1 28:0"


@pytest.fixture
def start(mixer):
    """Starts a surface on a system; returns it and its reports."""
    made = []

    def started(system, port="nano", **options):
        reports = []
        surface = MidiSurface(mixer, port, report=reports.append, ports=lambda: system, **options)
        made.append(surface)
        surface.start()
        return surface, reports

    yield started
    for surface in made:
        surface.stop()


def test_a_device_is_found_by_a_part_of_its_name_and_gets_its_map(mixer, start):
    system = System("Midi Through:0", NANO)
    surface, _ = start(system)
    system.plays("b0 30 7f")
    until(lambda: mixer.controls["stem/vocals/mute"])
    until(lambda: "b0 30 7f" in system.cables[0].sent)
    assert surface.last == "cc:1:48 127: stem/vocals/mute True"
    assert system.cables[0].input == NANO


def test_missing_port_is_reported_and_used_when_it_appears(mixer, start):
    system = System("Midi Through:0")
    surface, reports = start(system)
    assert reports == [
        "no MIDI port's name contains 'nano'; the ports are: Midi Through:0; it is used once it is connected"
    ]
    assert surface.last == "no MIDI port 'nano' yet"
    system.inputs = system.outputs = ("Midi Through:0", NANO)
    system.plays("b0 30 7f")
    until(lambda: mixer.controls["stem/vocals/mute"])
    assert reports[1:] == [f"MIDI port {NANO!r} is there"]


def test_port_system_that_does_not_run_yet_is_reported_and_waited_for(start):
    system = System(NANO)
    system.stumbles = True
    surface, reports = start(system)
    assert "cannot list MIDI ports; it is used once it is connected" in reports[0]
    system.stumbles = False
    until(lambda: system.cables)
    surface.stop()


def test_an_unexpected_error_costs_only_its_message(mixer, start, monkeypatch, caplog):
    system = System(NANO)
    surface, _ = start(system)
    plain = MidiSession.receive

    def receive(self, data, now):
        if data[0] == 0x91:
            raise ZeroDivisionError
        plain(self, data, now)

    monkeypatch.setattr(MidiSession, "receive", receive)
    system.plays("91 00 7f", "91 00 7f", "b0 30 7f")
    until(lambda: mixer.controls["stem/vocals/mute"])
    assert surface.errors == 2
    assert caplog.text.count("Traceback") == 1


def test_a_port_that_is_taken_is_named(start):
    system = System(NANO)
    system.taken = True
    with pytest.raises(BridgeError, match="nanoKONTROL2 MIDI 1"):
        start(system)


def test_a_port_of_our_own_that_cannot_be_made_is_refused(start):
    system = System()
    system.taken = True
    with pytest.raises(BridgeError, match="stream_sep"):
        start(system, port="stream_sep")


def test_a_map_that_is_not_there_is_refused_before_anything_starts(mixer):
    with pytest.raises(ConfigError, match="kazoo"):
        MidiSurface(mixer, "nano", "kazoo", ports=System)


def test_unplugged_device_is_reported_and_updated_when_it_is_back(mixer, start):
    system = System(NANO)
    _, reports = start(system)
    system.inputs = system.outputs = ()
    until(lambda: reports)
    assert reports == [f"MIDI port {NANO!r} is gone; it is used again as soon as it is back"]
    assert system.cables[0].closed
    mixer.controls.update({"stem/bass/mute": True})
    back = NANO.replace("28:0", "32:0")
    system.inputs = system.outputs = (back,)
    until(lambda: len(reports) == 2)
    assert reports[1] == f"MIDI port {back!r} is back"
    until(lambda: "b0 32 7f" in system.cables[1].sent)
    system.plays("b0 33 7f")
    until(lambda: mixer.controls["stem/other/mute"])


def test_a_device_that_comes_back_while_it_cannot_be_opened_is_tried_again(start):
    system = System(NANO)
    _, reports = start(system)
    system.taken, system.inputs, system.outputs = True, (), ()
    until(lambda: reports)
    system.inputs = system.outputs = (NANO,)
    time.sleep(0.6)
    assert len(reports) == 1
    system.taken = False
    until(lambda: len(reports) == 2)


def test_a_system_that_stumbles_over_its_ports_keeps_the_device(mixer, start):
    system = System(NANO)
    _, reports = start(system)
    system.stumbles = True
    time.sleep(0.6)  # one look
    system.plays("b0 30 7f")
    until(lambda: mixer.controls["stem/vocals/mute"])
    assert reports == []
    assert not system.cables[0].closed


def test_a_port_that_fails_is_opened_again(mixer, start):
    system = System(NANO)
    _, reports = start(system)
    system.broken = True
    mixer.controls.update({"stem/bass/mute": True})
    until(lambda: reports)
    assert "broken" in reports[0]
    system.broken = False
    until(lambda: "b0 32 7f" in system.cables[-1].sent)


def test_device_without_an_output_works_and_is_reported(mixer, start):
    system = System(NANO, outputs=())
    _, reports = start(system)
    assert "cannot be sent to" in reports[0]
    system.plays("b0 30 7f")
    until(lambda: mixer.controls["stem/vocals/mute"])


def test_what_makes_no_sense_is_counted_and_kept_over_a_pulled_plug(start):
    system = System(NANO)
    surface, reports = start(system)
    system.plays("b0 ff", "ff ff", "")
    until(lambda: surface.errors == 3)
    system.inputs = system.outputs = ()
    until(lambda: reports)
    system.inputs = system.outputs = (NANO,)
    until(lambda: len(reports) == 2)
    assert surface.errors == 3


def test_a_virtual_port_is_made_by_its_name(mixer, start):
    system = System()
    start(system, "stream_sep", map="mackie-control")
    assert system.cables[0].input == "stream_sep"
    system.plays("90 10 7f")
    until(lambda: mixer.controls["stem/vocals/mute"])


def test_stopping_leaves_lights_dark_and_the_port_free(mixer, start):
    mixer.controls.update({"stem/vocals/mute": True})
    system = System(NANO)
    surface, _ = start(system)
    assert "b0 30 7f" in system.cables[0].sent
    surface.stop()
    surface.stop()
    assert system.cables[0].sent[-1].endswith(" 00")
    assert "b0 30 00" in system.cables[0].sent
    assert system.cables[0].closed
    surface.start()
    assert len(system.cables) == 2


def test_many_changes_at_once_end_on_the_newest_without_a_flood(mixer, start):
    system = System("Mackie")
    start(system, "Mackie")
    system.cables[0].sent.clear()
    for step in range(1000):
        mixer.controls.set("stem/vocals/gain_db", -step / 100)
    newest = encode(Address("bend", 1), round(db_to_position(-9.99) * 16383))[0].hex(" ")
    until(lambda: newest in system.cables[0].sent)
    assert sum(message.startswith("e0") for message in system.cables[0].sent) < 50


def test_an_exact_name_goes_before_a_part():
    assert find_port("box", ("big box", "BOX")) == "BOX"
    assert find_port("kazoo", ("big box",)) is None


# Learning


def learned(to, *messages, rest=3.0):
    learner = Learner(to)
    for message in messages:
        if found := learner.feed(bytes.fromhex(message), 0.0):
            return found
    return learner.poll(rest)


def test_a_button_is_known_at_its_press():
    pad = Address("note", 1, 64)
    assert learned("stem/1/mute", "90 40 7f") == Control(pad, "stem/1/mute", "toggle", led=pad)
    assert learned("stem/1/mute", "b0 30 7f").source == Address("cc", 1, 48)
    assert learned("preset/karaoke", "c0 07") == Control(Address("program", 1, 7), "preset/karaoke", "press")
    assert learned("stem/1/fader", "90 40 7f").mode == "reset"


def test_a_fader_is_known_when_it_has_moved_and_rests():
    moves = [f"b0 02 {value:02x}" for value in (10, 12, 13)]
    assert learned("stem/1/fader", *moves) == Control(Address("cc", 1, 2), "stem/1/fader", "absolute")
    assert learned("stem/1/fader", *moves, rest=0.1) is None
    assert learned("stem/1/fader", *moves[:2]) is None
    assert learned("stem/1/fader", "e3 00 10", "e3 00 20", "e3 00 30").source == Address("bend", 4)


def test_the_control_that_moved_most_is_meant():
    noise = ["b0 05 01", "b0 05 02", "b0 05 03"]
    moves = [f"b0 02 {value:02x}" for value in range(10, 20)]
    assert learned("stem/1/fader", *noise, *moves).source == Address("cc", 1, 2)


@pytest.mark.parametrize("order", [1, -1])
def test_two_halves_are_one_fine_fader(order):
    moves = [pair for value in range(9) for pair in (f"b0 07 {value:02x}", f"b0 27 {9 * value:02x}")[::order]]
    assert learned("master/fader", *moves).source == Address("cc14", 1, 7)


def test_a_parameter_is_known_by_its_number():
    moves = [pair for value in range(5) for pair in ("b0 63 02", "b0 62 2c", f"b0 06 {value:02x}", "b0 26 00")]
    assert learned("master/fader", *moves).source == Address("nrpn", 1, 300)


@pytest.mark.parametrize(
    ("mode", "right", "left"),
    [
        ("relative-2s", (1, 1, 2, 1), (127, 127, 126)),
        ("relative-sign", (1, 1, 2, 1), (65, 65, 66)),
        ("relative-sign-inverted", (65, 65, 66, 65), (1, 1, 2)),
        ("relative-offset", (65, 65, 66, 65), (63, 63, 62)),
    ],
)
def test_endless_knobs_are_detected_by_turning_right_then_left(mode, right, left):
    moves = [f"b0 10 {value:02x}" for value in (*right, *left)]
    assert learned("stem/1/pan", *moves, rest=0.5) == Control(Address("cc", 1, 16), "stem/1/pan", mode)
    assert learned("stem/1/pan", *moves[:4], rest=0.5) is None


def test_learning_prints_instructions_and_the_port():
    system, reports = System(NANO), []

    def report(message):
        reports.append(message)
        system.plays("b0 02 01", "b0 02 02", "b0 02 03")

    learned = learn("stem/1/fader", "nano", report=report, ports=lambda: system)
    assert learned.control.source == Address("cc", 1, 2)
    assert learned.port == NANO
    assert "right, then left" in reports[0]
    assert system.closed == 1


def test_learning_ends_when_nothing_moves():
    with pytest.raises(BridgeError, match=r"nothing was moved on 'nano' in 0.1 s"):
        learn("stem/1/fader", "nano", timeout_s=0.1, report=lambda _: None, ports=lambda: System(NANO))


def test_a_target_that_is_not_there_cannot_be_learnt():
    with pytest.raises(ConfigError, match="did you mean 'stem/1/fader'"):
        learn("stem/1/fadder", "nano", ports=System)


def test_watching_gives_a_line_a_message_until_the_time_is_over():
    system = System(NANO)
    opened = system.open

    def open_and_play(*arguments):
        cable = opened(*arguments)
        system.plays("b0 10 40", "f8", "b0")
        return cable

    system.open = open_and_play
    assert list(monitor("nano", seconds=0.1, ports=lambda: system)) == [
        "b0 10 40: cc:1:16 64, cc14:1:16 64",
        "f8: clock",
        "b0 is not a MIDI message: wrong number of bytes for control_change message",
    ]
    assert system.closed == 1
