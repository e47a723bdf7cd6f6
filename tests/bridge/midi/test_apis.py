"""All MIDI systems together: what runs, what does not yet, and which has the port."""

import sys

import pytest

from bridge.midi import apis, rtmidi
from bridge.midi.apis import AllPorts, list_midi_ports
from bridge.midi.ports import PortNames
from stream_sep.errors import BridgeError


class Port:
    disconnected = False

    def __init__(self, name, sent):
        self.input = self.output = name
        self.send, self.closed = sent.append, False

    def close(self):
        self.closed = True


class System:
    """A MIDI system, which may not run."""

    def __init__(self, *names, runs=True, virtual=True):
        self.inputs, self.runs, self.virtual = names, runs, virtual
        self.tries, self.queries, self.closed, self.sent = 0, 0, 0, []

    def __call__(self):
        self.tries += 1
        if not self.runs:
            raise BridgeError("it does not run")
        return self

    def names(self):
        self.queries += 1
        return PortNames(self.inputs, self.inputs)

    def open(self, input_name, output_name, receive):  # noqa: ARG002 - as the protocol has it
        return Port(input_name, self.sent)

    def open_virtual(self, name, receive):  # noqa: ARG002 - as the protocol has it
        if not self.virtual:
            raise BridgeError("it makes no virtual ports")
        return Port(name, self.sent)

    def close(self):
        self.closed += 1


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def alsa():
    return System("nano", "both")


@pytest.fixture
def jack():
    return System("pad", "both")


@pytest.fixture
def ports(alsa, jack, now):
    return AllPorts({"alsa": alsa, "jack": jack}, lambda: now[0])


def test_the_ports_of_all_systems_are_listed_once(ports):
    assert ports.names() == PortNames(("nano", "both", "pad"), ("nano", "both", "pad"))


@pytest.mark.parametrize(("name", "of"), [("nano", "alsa"), ("pad", "jack"), ("both", "alsa")])
def test_a_port_is_opened_where_it_is_the_first_system_winning(ports, alsa, jack, name, of):
    ports.open(name, name, print).send(b"note")
    assert {"alsa": alsa, "jack": jack}[of].sent == [b"note"]


def test_a_port_that_no_system_has_is_refused(ports):
    with pytest.raises(BridgeError, match="'kazoo' has gone"):
        ports.open("kazoo", None, print)


def test_a_system_that_does_not_run_costs_no_other_and_is_tried_again_now_and_then(ports, jack, now):
    jack.runs = False
    for step in range(100):
        now[0] = 0.5 * step
        assert ports.names().inputs == ("nano", "both")
    assert jack.tries < 6
    jack.runs = True
    now[0] = 200.0
    assert "pad" in ports.names().inputs


def test_while_a_port_is_open_only_its_system_is_queried(ports, alsa, jack, now):
    jack.runs = False
    port = ports.open("nano", None, print)
    tries, now[0] = jack.tries, 1000.0
    ports.names()
    assert jack.tries == tries
    port.close()
    ports.names()
    assert jack.tries == tries + 1
    assert alsa.tries == 1


def test_none_that_runs_gives_an_error_message_with_all_reasons(ports, alsa, jack):
    alsa.runs = jack.runs = False
    with pytest.raises(BridgeError, match="no MIDI system runs here: it does not run; it does not run"):
        ports.names()


def test_a_port_of_our_own_is_made_on_the_first_system_that_can(ports, alsa, jack):
    alsa.virtual = False
    ports.open_virtual("stream_sep", print).send(b"note")
    assert jack.sent == [b"note"]
    jack.virtual = False
    with pytest.raises(BridgeError, match="it makes no virtual ports; it makes no virtual ports"):
        ports.open_virtual("stream_sep", print)


def test_closing_lets_go_of_all(ports, alsa, jack):
    ports.names()
    ports.close()
    assert (alsa.closed, jack.closed) == (1, 1)


# without RtMidi


@pytest.fixture
def without_rtmidi(monkeypatch):
    monkeypatch.setitem(sys.modules, "rtmidi", None)


@pytest.mark.usefixtures("without_rtmidi")
def test_jack_needs_no_rtmidi(jack, monkeypatch):
    monkeypatch.setattr(apis, "JackMidiClient", jack)
    assert list_midi_ports().inputs == ("pad", "both")


@pytest.mark.usefixtures("without_rtmidi")
def test_without_rtmidi_and_jack_the_message_names_both(monkeypatch):
    monkeypatch.setattr(apis, "JackMidiClient", System(runs=False))
    with pytest.raises(BridgeError, match=r"MIDI needs python-rtmidi.*midi.*; it does not run"):
        list_midi_ports()


@pytest.mark.usefixtures("without_rtmidi")
@pytest.mark.parametrize(("version", "named"), [((3, 12, 7), False), ((3, 13, 0), True), ((3, 14, 1), True)])
def test_a_python_without_a_package_of_rtmidi_is_named_with_those_that_have_one(monkeypatch, version, named):
    monkeypatch.setattr(rtmidi.sys, "version_info", version)
    with pytest.raises(BridgeError) as raised:
        list_midi_ports("alsa")
    assert (f"Python 3.{version[1]}: install stream_sep with Python 3.12" in str(raised.value)) == named
    assert "pip install" in str(raised.value)
