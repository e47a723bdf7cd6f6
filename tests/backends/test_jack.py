"""The JACK backend against a real server, with other clients to send to it and to listen."""

import contextlib
import queue
import re
import time

import numpy as np
import pytest
import waiting
from waiting import until

from stream_sep import ConfigError, DeviceError, Engine, EngineConfig
from stream_sep.backends.devices import list_jack_ports
from stream_sep.backends.jack import JackBackend
from stream_sep.backends.jack_callbacks import xrun_callback
from stream_sep.backends.jack_latency import CAPTURE, PLAYBACK, PortLatencies
from stream_sep.backends.jack_session import xrun_counter
from stream_sep.engine.latency_plan import extra_delay
from stream_sep.lowlevel.thread_priority import thread_ids

pytestmark = pytest.mark.usefixtures("jackd")
PERIOD, RATE = 128, 44100  # of the server in conftest.py
STEMS = ("vocals", "drums", "bass", "other")


def engine_on(backend, **settings):
    source = settings.pop("source", None)
    return Engine(backend, EngineConfig(model="passthrough", worker="thread", slack=2048, **settings), source=source)


class Probe:
    """A client that plays one impulse and notes, by the server's clock, when it left and when one came in."""

    def __init__(self, name):
        import jack  # noqa: PLC0415 - needs libjack

        self.client = jack.Client(name, no_start_server=True)
        self.send = self.client.outports.register("send")
        self.receive = self.client.inports.register("receive")
        self.armed = False
        self.sent, self.received = queue.SimpleQueue(), queue.SimpleQueue()
        self.client.set_process_callback(self._process)
        self.client.activate()

    def _process(self, _frames):
        out = self.send.get_array()
        out[:] = 0
        if self.armed:
            self.armed = False
            out[7] = 1
            self.sent.put(self.client.last_frame_time + 7)
        for frame in np.flatnonzero(self.receive.get_array()):
            self.received.put(self.client.last_frame_time + int(frame))

    def close(self):
        self.client.deactivate()
        self.client.close()


@pytest.fixture
def probes():
    made = Probe("sender"), Probe("receiver")
    yield made
    for probe in made:
        probe.close()


def measured_delay(backend, sender, receiver):
    sender.client.connect(sender.send, f"{backend.client_name}:in_L")
    receiver.client.connect(f"{backend.client_name}:mix_L", receiver.receive)
    for _ in range(20):  # a loaded machine loses cycles, and with them frames of one client and not the other
        time.sleep(0.2)
        lost = backend.xruns
        sender.armed = True
        try:
            delay = receiver.received.get(timeout=waiting.PATIENCE) - sender.sent.get(timeout=waiting.PATIENCE)
        except queue.Empty:  # the impulse was in a lost cycle
            assert backend.xruns != lost, "the impulse was lost, and no cycle was"
            continue
        if backend.xruns == lost:
            return delay
    return pytest.fail("every single time the server lost a cycle")


def test_an_impulse_arrives_after_exactly_the_engine_latency(probes):
    # the server runs sender, stream_sep, receiver in this order within one cycle: the graph adds nothing
    with engine_on(backend := JackBackend()) as engine:
        assert measured_delay(backend, *probes) == engine.latency.engine


def test_client_that_sends_and_receives_has_one_period_more(probes):
    # a loop has no order, so the server hands the sound over in the next cycle
    with engine_on(backend := JackBackend()) as engine:
        assert measured_delay(backend, probes[0], probes[0]) == engine.latency.engine + PERIOD


def test_every_frame_of_a_stem_reaches_its_port(probes):
    with engine_on(backend := JackBackend(), source=np.ones((2, RATE), np.float32)) as engine:
        receiver = probes[1]
        receiver.client.connect(f"{backend.client_name}:other_R", receiver.receive)
        receiver.client.connect(f"{backend.client_name}:vocals_R", receiver.receive)  # silent: adds nothing
        while not engine.source_ended:
            time.sleep(0.05)
        time.sleep(0.2)
    received = [receiver.received.get() for _ in range(receiver.received.qsize())]
    assert len(received) > RATE // 2
    lost = np.diff(received) - 1
    assert not np.any(lost % PERIOD)  # a loaded machine loses whole cycles, and the server reports them
    assert lost.sum() // PERIOD <= engine.stats().xruns


def test_rate_and_block_size_are_those_of_the_server():
    backend = JackBackend()
    assert (backend.sample_rate, backend.block_size) == (RATE, PERIOD)
    backend.stop()


def test_ports_carry_the_names_of_the_stems():
    with engine_on(backend := JackBackend(name="split")):
        ports = [port for port in list_jack_ports() if port.name.startswith("split:")]
    assert backend.client_name == "split"
    assert {port.name for port in ports if port.direction == "input"} == {"split:in_L", "split:in_R"}
    assert [port.name.removeprefix("split:") for port in ports if port.direction == "output"] == [
        f"{bus}_{side}" for bus in ("mix", *STEMS) for side in "LR"
    ]


def test_only_the_requested_buses_get_ports():
    with engine_on(JackBackend(name="split", outputs=["drums", "main"])):
        names = [p.name for p in list_jack_ports() if p.name.startswith("split:") and p.direction == "output"]
    assert names == ["split:drums_L", "split:drums_R", "split:mix_L", "split:mix_R"]


def test_a_stem_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"no stem 'kazoo'.*main, vocals"):
        engine_on(JackBackend(outputs=["kazoo"]))


def test_connecting_reaches_the_sound_card_and_counts_its_latency():
    with engine_on(backend := JackBackend(name="wired", connect=True)) as engine:
        connected = {
            port.shortname: [other.name for other in backend._session.client.get_all_connections(port)]
            for port in (*backend._session.client.inports, *backend._session.client.outports)
        }
        assert engine.latency.device >= PERIOD
    assert connected["in_L"] == ["system:capture_1"]
    assert connected["in_R"] == ["system:capture_2"]
    assert connected["mix_R"] == ["system:playback_2"]
    assert connected["vocals_L"] == []


def test_unconnected_ports_add_no_latency():
    with engine_on(JackBackend()) as engine:
        assert engine.latency.device == 0


def test_graph_has_the_engine_latency_in_both_directions(probes):
    import jack  # noqa: PLC0415 - needs libjack

    with engine_on(backend := JackBackend(connect=True)) as engine:
        sender, receiver = probes
        sender.client.connect(sender.send, f"{backend.client_name}:in_L")
        receiver.client.connect(f"{backend.client_name}:vocals_L", receiver.receive)
        card = PortLatencies(jack, receiver.client)
        waiting.until(lambda: card.longest([receiver.receive], CAPTURE) != 0)
        before = PortLatencies(jack, backend._session.client).longest(backend._session.client.inports, CAPTURE)
        assert card.longest([receiver.receive], CAPTURE) == before + engine.latency.engine
        after = PortLatencies(jack, backend._session.client).longest(backend._session.client.outports, PLAYBACK)
        assert PortLatencies(jack, sender.client).longest([sender.send], PLAYBACK) == after + engine.latency.engine


def test_lost_cycles_are_counted_with_the_others():
    with engine_on(backend := JackBackend()) as engine:
        before = engine.stats().xruns
        lost = backend.xruns
        for _ in range(1000):  # more than a loaded machine loses of itself meanwhile
            xrun_callback().ctypes(xrun_counter(engine._state))
        assert 1000 <= engine.stats().xruns - before < 2000
        assert 1000 <= backend.xruns - lost < 2000


def test_nothing_that_the_server_waits_for_needs_python():
    with engine_on(backend := JackBackend()):
        python_callbacks = backend._session.client._keepalive
        assert len(python_callbacks) == 1  # the one that is called when there is no server any more


def test_a_server_that_is_not_there_is_named_with_a_remedy(monkeypatch, capfd):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody_runs_this")
    with pytest.raises(DeviceError, match=r"no JACK server.*jackd.*pw-jack"):
        JackBackend()
    assert capfd.readouterr().err == ""


@pytest.fixture
def short_lived(start_jackd, monkeypatch):
    """Start a server that a test may end, and start again, under the same name."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name := "stream_sep_short_lived")
    return lambda **settings: start_jackd(name, **settings)


def test_a_server_that_goes_away_is_reported_and_the_end_is_clean(short_lived):
    messages = queue.SimpleQueue()
    with short_lived() as server, engine_on(JackBackend(report=messages.put)):
        server.terminate()
        assert "the JACK server is gone" in messages.get(timeout=waiting.PATIENCE)


def test_the_engine_joins_a_server_that_comes_back_with_the_same_connections(short_lived):
    messages = queue.SimpleQueue()
    with contextlib.ExitStack() as open_things:
        with short_lived():
            engine = open_things.enter_context(engine_on(backend := JackBackend(report=messages.put, connect=True)))
            backend._session.client.connect("stream_sep:vocals_L", "system:playback_1")
            before = backend._session.connections()
            until(lambda: backend._last_connections == before)
        assert "is gone" in messages.get(timeout=waiting.PATIENCE)
        blocks = int(engine._state.counters()["blocks"])
        with short_lived():
            assert messages.get(timeout=waiting.PATIENCE) == "the JACK server is back"
            until(lambda: backend._session.connections() == before)
            until(lambda: int(engine._state.counters()["blocks"]) > blocks + 100)
            assert engine.stats().jumps == 0
            open_things.close()


def test_a_server_that_comes_back_with_another_rate_is_refused(short_lived):
    messages = queue.SimpleQueue()
    with contextlib.ExitStack() as open_things:
        with short_lived():
            open_things.enter_context(engine_on(JackBackend(report=messages.put)))
        assert "is gone" in messages.get(timeout=waiting.PATIENCE)
        with short_lived(rate=48000):
            assert re.search("48000 Hz.*not 44100 Hz.*restart stream_sep", messages.get(timeout=waiting.PATIENCE))
            open_things.close()


def test_threads_of_the_library_go_before_separators(monkeypatch):
    """Of a server without real-time priority they would wait for the separator, which has it."""
    raised = []
    monkeypatch.setattr("stream_sep.backends.jack_session.raise_audio_priority", raised.append)
    backend = JackBackend(name="first")
    with engine_on(backend):
        alive = thread_ids()
        assert len(raised) == 1
        assert raised[0] <= alive
        assert len(raised[0]) >= 1


def test_blocks_that_grow_while_it_plays_make_the_sound_later_and_not_dry():
    import jack  # noqa: PLC0415 - needs libjack

    reports, backend = [], JackBackend(name="grows")
    config = EngineConfig(model="passthrough", worker="thread", hold_ms=10)
    other = jack.Client("changes", no_start_server=True)
    try:
        with Engine(backend, config, report=reports.append) as engine:
            before = engine.latency
            other.blocksize = 1024
            until(lambda: engine.latency.total > before.total, 30)
            assert engine.latency.extra == extra_delay(engine._worker.info, config, before, 1024) > 0
            assert engine._state.record["extra_delay"][0] == engine.latency.extra
            until(lambda: any("1024 frames" in message for message in reports), 30)
            other.blocksize = PERIOD
            until(lambda: other.blocksize == PERIOD, 30)
            assert engine.latency.extra > 0  # what is later stays so
    finally:
        other.blocksize = PERIOD
        other.close()


def test_the_ports_that_are_connected_are_reported():
    backend = JackBackend(connect=True)
    with engine_on(backend):
        until(lambda: {"in_L", "in_R", "mix_L", "mix_R"} <= backend.connected_ports)
        assert "vocals_L" not in backend.connected_ports
