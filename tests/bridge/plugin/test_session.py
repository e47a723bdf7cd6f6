"""The plug-in's sessions with its host: when it requests another, how long it waits, and how one ends."""

import threading
import time

import numpy as np
import pytest
import waiting
from clap_host import ClapHost
from noise import uniform_noise
from plugin_host_double import PluginHostDouble, never

from bridge.plugin.locations import SOCKET_VARIABLE

RATE, BLOCK, FADE = 44100, 512, 265
PASSTHROUGH = 3


@pytest.fixture
def double(meeting):
    made = PluginHostDouble(meeting.socket)
    yield made
    made.close()


def bounce(host, rate=RATE, block=BLOCK):
    """Render noise offline; return it delayed as the plug-in reports, and the output."""
    host.activate(rate, block, offline=True)
    song = uniform_noise(20000)
    out = host.play(song, block)
    delayed = np.pad(song, ((0, 0), (host.latency, 0)))[:, : song.shape[1]]
    host.deactivate()
    return delayed, out


def test_session_is_kept_until_rate_latency_or_model_change(double, host):
    host.set("Model", PASSTHROUGH)

    def sessions(rate, block):
        delayed, out = bounce(host, rate, block)
        assert np.array_equal(out[2:4], delayed)
        assert not out[4:].any()
        return len(double.hellos)

    formats = ((44100, 512), (44100, 64), (44100, 512), (48000, 512), (48000, 256), (44100, 512), (44100, 16384))
    assert [sessions(*each) for each in formats] == [1, 1, 1, 2, 2, 3, 4]
    host.set("Extra Latency", 400.0)
    assert sessions(44100, 512) == 5
    host.set("Model", 0.0)
    assert sessions(44100, 512) == 6
    assert [hello["model"] for hello in double.hellos] == ["passthrough"] * 5 + ["live"]
    assert [hello["rate"] for hello in double.hellos] == [44100, 48000, 44100, 44100, 44100, 44100]


@pytest.mark.parametrize("end", [ClapHost.stop, ClapHost.deactivate, ClapHost.reset])
def test_offline_hint_is_withdrawn_after_a_bounce(double, host, end):
    host.activate(RATE, BLOCK, offline=True)
    host.play(uniform_noise(20000), BLOCK)
    waiting.until(lambda: double.hints == [1])
    end(host)
    waiting.until(lambda: double.hints == [0])


def test_refused_session_shows_the_reason_and_is_requested_less_and_less_often(double, host):
    double.refusal = "no memory is left for a separator"
    host.activate(RATE, BLOCK)
    waiting.until(lambda: len(double.hellos) == 3)
    assert host.text("Engine State", 0) == "no engine: no memory is left for a separator"
    time.sleep(2.0)  # 1.5 s after the second
    assert len(double.hellos) <= 4
    double.refusal = None
    host.deactivate()
    host.activate(48000, BLOCK)  # another request, which is made at once
    waiting.until(lambda: host.process(uniform_noise(BLOCK)).any() and host.value("Engine State") == 2)
    assert host.text("Engine State", 0) == "no engine"


@pytest.mark.parametrize("separator", [-1, 257, 1 << 62])
def test_separator_that_needs_more_latency_than_the_plugin_has_is_not_used(double, host, separator):
    double.separator = separator
    host.set("Model", PASSTHROUGH)
    host.activate(RATE, 128, offline=True)
    assert host.latency == 512  # two hops
    song = uniform_noise(20000)
    assert np.array_equal(host.play(song, 128)[:2, 512:], song[:, :-512])
    assert host.value("Engine State") == 0
    assert "version differs" in host.text("Engine State", 0)
    assert [(hello["latency"], hello["room"] >= 8192) for hello in double.hellos[:1]] == [(512, True)]


def test_hops_that_never_come_are_waited_for_and_then_replaced_by_the_input(double, host):
    double.separate = never
    delayed, out = bounce(host)
    assert np.array_equal(out[:2], delayed)
    assert host.value("Late Hops") > 0
    assert double.offline == [{1}]


def test_bounce_waits_once_for_an_engine_that_does_not_reply(double, host):
    def drop_after(seconds):
        dropped = threading.Event()
        timer = threading.Timer(seconds, lambda: (dropped.set(), double.drop()))
        timer.start()
        return dropped, timer

    double.replying.clear()
    dropped, _ = drop_after(2)
    host.activate(RATE, BLOCK, offline=True)
    host.process(uniform_noise(BLOCK))
    assert dropped.is_set()  # it has waited
    waiting.until(lambda: len(double.hellos) == 2)  # it connects again, which is a start as before
    dropped, timer = drop_after(10)
    host.process(uniform_noise(BLOCK))
    assert not dropped.is_set()
    timer.cancel()


def test_unannounced_render_is_held_to_the_clock_until_an_engine_that_starts_is_there(double, host):
    double.replying.clear()
    host.set("Model", PASSTHROUGH)
    host.activate(RATE, BLOCK)
    waiting.until(lambda: double.hellos)
    timer = threading.Timer(0.3, double.replying.set)
    timer.start()
    song = uniform_noise(8 * RATE)  # much longer than a reply takes
    out = host.play(song, BLOCK)
    timer.join()
    assert np.array_equal(out[2:4, -RATE:], song[:, -RATE - host.latency : -host.latency])


def test_rate_that_is_not_whole_has_a_separator_of_the_nearest(double, host):
    host.set("Model", PASSTHROUGH)
    delayed, out = bounce(host, rate=47952.048)  # of film at 24 frames a second, slowed to 23.976
    assert np.array_equal(out[2:4], delayed)
    assert [hello["rate"] for hello in double.hellos] == [47952]


def test_change_that_the_daw_does_not_take_is_offered_again(double, host):
    host.takes_changes = False
    bounce(host)
    assert (host.value("Engine State"), host.shown) == (2, {})
    host.takes_changes = True
    host.set("Vocals Gain", -1.0)  # any call that returns changes
    assert host.shown["Engine State"] == 2
    assert double.hellos


def test_instance_stays_with_the_host_it_was_made_for(double, host, monkeypatch, tmp_path):
    monkeypatch.setenv(SOCKET_VARIABLE, str(tmp_path / "another"))
    host.set("Model", PASSTHROUGH)
    delayed, out = bounce(host)
    assert np.array_equal(out[2:4], delayed)
    assert len(double.hellos) == 1


def test_bounce_without_a_host_command_waits_for_nothing(host):
    delayed, out = bounce(host)
    assert np.array_equal(out[:2], delayed)
    assert host.value("Engine State") == 0


def test_engine_that_ends_is_faded_out_over_the_memory_it_left(double, host):
    for name, value in (("Model", PASSTHROUGH), ("Vocals Gain", -6.0), ("Extra Latency", 300.0)):
        host.set(name, value)
    host.activate(RATE, BLOCK)
    main = []

    def play(seconds, until=None):
        started, first = time.monotonic(), len(main)
        while len(main) - first < seconds * RATE / BLOCK and not (until and until()):
            time.sleep(max(0.0, started + (len(main) - first) * BLOCK / RATE - time.monotonic()))
            wave = np.sin(np.arange(len(main) * BLOCK, (len(main) + 1) * BLOCK) * 0.01)
            main.append(host.process(np.stack([wave, wave]).astype(np.float32))[0])

    def level():
        return np.abs(np.concatenate(main[-16:])).max()

    play(60, until=lambda: len(main) > 16 and level() == pytest.approx(10 ** (-6 / 20), abs=1e-3))
    double.replying.clear()
    double.drop()
    play(60, until=lambda: level() > 0.99)
    play(0.3)
    assert level() > 0.99  # the input
    sound = np.concatenate(main)[host.latency + 1 :]
    assert np.abs(np.diff(sound)).max() < 0.01 + 2 / FADE  # the sine's own steps, and those of a fade
