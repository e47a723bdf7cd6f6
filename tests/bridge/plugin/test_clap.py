"""The plug-in as CLAP in our own host: its parameters, their changes, and its output under failures."""

import os
import signal
import socket
import subprocess
import time
from functools import partial

import numpy as np
import pytest
import waiting
from noise import uniform_noise
from osc_peer import Peer

from stream_sep import StemSeparator

until = partial(waiting.until, every=0.02)

RATE, BLOCK = 44100, 512
PASSTHROUGH = 3
FADE = 265
PARAMETERS = (
    "Bypass", "Karaoke", "Vocals Gain", "Vocals Mute", "Vocals Solo", "Drums Gain", "Drums Mute", "Drums Solo",
    "Bass Gain", "Bass Mute", "Bass Solo", "Other Gain", "Other Mute", "Other Solo", "Model", "Extra Latency",
    "Engine State", "Late Hops",
)  # fmt: skip


def play_paced(host, seconds, *, until_state=None, wave=None):
    """Play a sine in real time and return the main mix, until an engine is in a state or for so long."""
    played, out, started = 0, [], time.monotonic()
    while played < seconds * RATE:
        time.sleep(max(0.0, started + played / RATE - time.monotonic()))
        at = np.arange(played, played + BLOCK)
        block = np.sin(at * 0.01) if wave is None else wave(at)
        out.append(host.process(np.stack([block, block]).astype(np.float32)))
        played += BLOCK
        if until_state is not None and host.value("Engine State") == until_state:
            break
    return np.concatenate(out, axis=1)


def test_ports_are_stereo_and_named(host):
    assert [(port.name, port.channels, port.flags) for port in host.ports(inputs=True)] == [(b"Input", 2, 1)]
    outputs = [(port.name, port.channels) for port in host.ports(inputs=False)]
    assert outputs == [(name, 2) for name in (b"Main", b"Vocals", b"Drums", b"Bass", b"Other")]


def test_parameters_begin_at_their_defaults(host):
    assert tuple(host.params) == PARAMETERS
    assert all(host.value(name) == info.default for name, info in host.params.items())


def test_parameters_that_change_the_latency_are_not_for_automation(host):
    automatable = {name for name, info in host.params.items() if info.flags & 1 << 5}
    assert automatable == set(PARAMETERS) - {"Model", "Extra Latency", "Engine State", "Late Hops"}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("Model", 1.0, "instant"),
        ("Vocals Gain", -6.0, "-6.00 dB"),
        ("Vocals Gain", -90.0, "-inf dB"),
        ("Vocals Gain", -0.5, "-0.50 dB"),
        ("Late Hops", 12.0, "12"),
        ("Bypass", 1.0, "on"),
        ("Extra Latency", 20.0, "20.00 ms"),
    ],
)
def test_texts_are_read_as_they_are_written(host, name, value, text):
    assert host.text(name, value) == text
    assert host.parsed(name, text) == value


def test_text_that_is_none_of_a_parameter_is_refused(host):
    assert host.parsed("Vocals Gain", "loud") is None
    assert host.parsed("Vocals Gain", "99") == 10.0


def test_block_before_any_activation_is_silence(host):
    assert not host.process(uniform_noise(BLOCK), [(7, "Vocals Gain", -3.0)]).any()
    assert host.value("Vocals Gain") == -3.0


def test_latency_follows_model_reserve_and_block_and_requests_a_restart(host):
    host.activate(RATE, BLOCK)
    before = host.latency
    assert before == 960
    host.process(uniform_noise(BLOCK), [(0, "Extra Latency", 10.0)])
    assert (host.restarts, host.latency) == (1, before)  # which is still what plays
    host.process(uniform_noise(BLOCK), [(0, "Model", 1)])
    assert (host.restarts, host.latency) == (2, before)
    host.deactivate()
    host.activate(RATE, 64)
    assert host.latency == 512 + 441


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("block", [1, 64, 1000, 8192])
def test_sound_is_itself_in_time_where_no_engine_can_be_found(host, rate, block):
    host.activate(rate, block, offline=True)
    latency = host.latency
    song = uniform_noise(latency + (20000 if block > 1 else 500))
    started = time.monotonic()
    out = host.play(song, block)
    assert np.array_equal(out[:2, latency:], song[:, : out.shape[1] - latency])
    assert time.monotonic() - started < 20  # it does not wait for what cannot come
    assert host.value("Engine State") == 0
    host.deactivate()


def test_state_is_saved_and_loaded_by_another_instance(open_host):
    first, second = open_host(), open_host()
    expected = {"Vocals Gain": -12.345678, "Drums Mute": 1.0, "Bass Solo": 1.0, "Karaoke": 0.25, "Model": 2.0}
    for name, value in expected.items():
        first.set(name, value)
    assert second.load(first.save())
    assert {name: second.value(name) for name in expected} == pytest.approx(expected, abs=1e-6)
    assert second.save() == first.save()


@pytest.mark.parametrize(
    "state",
    [b"", b"garbage", b"\x00" * 4000, os.urandom(5000), b"stream_sep 2\nvocals_gain 0\n"],
    ids=["empty", "text", "zeros", "random", "of a later version"],
)
def test_state_that_is_garbage_changes_nothing(host, state):
    host.set("Vocals Gain", -3.0)
    assert not host.load(state)
    assert host.value("Vocals Gain") == -3.0


def test_state_with_unknown_and_wild_entries_takes_the_rest(host):
    assert host.load(
        b"stream_sep 1\nvocals_gain 99999999999999\nno_such 1\nbass_mute\nlate_hops 5000000\nmodel -7\n"
        b"drums_gain -6000000\n\n\nother_gain 9223372036854775807999\nvocals_mute nan"
    )
    assert host.value("Vocals Gain") == 10.0
    assert host.value("Drums Gain") == -6.0
    assert host.value("Model") == 0.0
    assert host.value("Late Hops") == 0.0
    assert all(info.minimum <= host.value(name) <= info.maximum for name, info in host.params.items())


def test_bounce_is_that_of_the_separator_bit_for_bit_and_twice_the_same(open_host, meeting):
    meeting.let_plugin_start_host()
    host, song = open_host(), uniform_noise(3 * RATE)
    host.set("Vocals Mute", 1.0)
    host.activate(RATE, BLOCK, offline=True)
    latency = host.latency
    padded = np.pad(song, ((0, 0), (0, latency)))
    first = host.play(padded, BLOCK)
    host.reset()
    second = host.play(padded, 100)
    stems = StemSeparator("live").process(song, RATE)
    assert np.array_equal(first[:2, latency:], stems[1:].sum(axis=0))
    for row, stem in enumerate(stems[1:], start=2):
        assert np.array_equal(first[2 * row : 2 * row + 2, latency:], stem)
    assert np.array_equal(first, second)
    assert host.value("Late Hops") == 0
    assert np.abs(first[2:].reshape(4, 2, -1).sum(axis=0) - first[:2]).max() < 1e-6


def test_bounce_with_a_long_prefill_is_that_of_the_separator(open_host, meeting):
    meeting.start_host()
    host, song = open_host(), uniform_noise(3 * RATE)
    host.set("Extra Latency", 500.0)
    host.activate(RATE, 8192, offline=True)
    latency = host.latency
    host.play(song, 8192)  # until the separator runs at full speed
    host.reset()
    late, out = host.value("Late Hops"), host.play(np.pad(song, ((0, 0), (0, latency))), 8192)
    stems = StemSeparator("live").process(song, RATE)
    assert host.value("Late Hops") == late
    assert np.array_equal(out[2:, latency:], stems.reshape(8, -1))


def test_gain_moves_at_its_frame(open_host, meeting):
    meeting.start_host()
    host = open_host()
    host.set("Model", PASSTHROUGH)
    host.activate(RATE, BLOCK, offline=True)
    ones = np.ones((2, BLOCK), np.float32)
    for _ in range(20):
        host.process(ones)
    ramp = host.process(ones, [(100, "Other Gain", -90.0)])[8]
    assert (ramp[:100] == 1.0).all()
    assert 0 < ramp[100] < 1.0
    assert np.allclose(np.diff(ramp[99:]), -1 / 441, atol=1e-6)
    assert host.process(ones)[8][-1] == 0.0


def test_input_that_is_fed_in_other_blocks_than_announced_loses_nothing(open_host, meeting):
    meeting.start_host()
    host, song, rng = open_host(), uniform_noise(60000), np.random.default_rng(1)
    host.set("Model", PASSTHROUGH)
    host.activate(RATE, 256, offline=True)
    latency, played, parts = host.latency, 0, []
    while played < song.shape[1]:
        size = int(rng.integers(0, 5000))
        parts.append(host.process(song[:, played : played + size]))
        played += size
    out = np.concatenate(parts, axis=1)
    assert np.array_equal(out[8:, latency:], song[:, :-latency])
    assert host.value("Late Hops") == 0


def test_rate_and_block_may_change_between_activations(open_host, meeting):
    meeting.start_host()
    host = open_host()
    host.set("Model", PASSTHROUGH)
    for rate, block in ((44100, 512), (48000, 512), (48000, 64), (96000, 8192), (44100, 16384)):
        host.activate(rate, block, offline=True)
        latency, song = host.latency, uniform_noise(3 * max(block, 8000))
        out = host.play(song, block)
        assert np.array_equal(out[8:, latency:], song[:, :-latency]), (rate, block)
        assert host.value("Engine State") == 2
        host.deactivate()


def test_host_that_runs_ahead_of_the_clock_unannounced_loses_no_hop(open_host, meeting):
    meeting.start_host()
    host, song = open_host(), uniform_noise(6 * RATE)
    host.set("Model", PASSTHROUGH)
    host.set("Other Gain", -6.0)
    host.set("Extra Latency", 60.0)  # as above
    host.activate(RATE, BLOCK)
    play_paced(host, 60, until_state=2)
    host.reset()
    latency, late, started = host.latency, host.value("Late Hops"), time.monotonic()
    out = host.play(song, BLOCK)  # at many times real time, without a word of it
    assert time.monotonic() - started < 6  # or nothing is shown
    scaled = song[:, :-latency] * np.float32(10 ** (-6 / 20))
    assert np.abs(out[:2, latency:] - scaled).max() < 1e-6
    assert host.value("Late Hops") == late


def test_instances_have_separators_and_faders_of_their_own(open_host, meeting):
    meeting.start_host()
    hosts = [open_host() for _ in range(3)]
    for number, host in enumerate(hosts):
        host.set("Model", PASSTHROUGH)
        host.set("Other Gain", -6.0 * number)
        host.activate(RATE, BLOCK, offline=True)
    songs = [uniform_noise(RATE, seed) for seed in range(3)]
    latency = hosts[0].latency
    for number, (host, song) in enumerate(zip(hosts, songs, strict=True)):
        out = host.play(song, BLOCK)
        gain = np.float32(10 ** (-6.0 * number / 20))
        assert np.abs(out[8:, latency:] - gain * song[:, :-latency]).max() < 1e-6


def test_faders_move_with_osc_both_ways(open_host, meeting):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    meeting.start_host("--osc-port", str(port))
    host, peer = open_host(), Peer(port)
    host.set("Model", PASSTHROUGH)
    host.set("Bass Gain", -20.0)  # as a project has it
    host.activate(RATE, BLOCK)
    play_paced(host, 60, until_state=2)
    until(lambda: peer.request("/stem/bass/gain")[1] == -20.0)
    peer.send("/stem/other/mute", 1)
    until(lambda: play_paced(host, 0.05).any() and host.value("Other Mute") == 1.0)
    assert host.shown["Other Mute"] == 1.0  # the DAW is notified
    host.process(uniform_noise(BLOCK), [(0, "Vocals Gain", -7.5)])
    until(lambda: peer.request("/stem/vocals/gain")[1] == -7.5)
    assert "Vocals Gain" not in host.shown  # and gets no echo of its own change
    peer.socket.close()


def worker_of(process):
    """The separator process of a host."""
    found = subprocess.run(
        ["pgrep", "-P", str(process.pid), "-f", "process_main"], capture_output=True, text=True, check=True
    )
    return int(found.stdout.split()[-1])


@pytest.mark.parametrize("victim", ["separator", "host"])
def test_sound_goes_on_without_a_step_when_the_engine_is_killed_and_comes_back(open_host, meeting, victim):
    process = meeting.start_host()
    host = open_host()
    host.set("Model", PASSTHROUGH)
    host.set("Other Gain", -0.1)
    host.set("Extra Latency", 300.0)  # this machine may be busy, which is not under test
    host.activate(RATE, BLOCK)
    before = play_paced(host, 60, until_state=2)
    playing = play_paced_from(host, before, 1.5)
    if victim == "separator":
        os.kill(worker_of(process), signal.SIGKILL)
    else:
        meeting.kill_host(process)
    gone = play_paced_from(host, playing, 1.0)
    if victim == "host":
        meeting.start_host()
    latency, back = host.latency, play_paced_from(host, gone, 1.0)
    deadline = time.monotonic() + 60
    while not has_stems(back[0, latency:]) and time.monotonic() < deadline:
        back = play_paced_from(host, back, 1.0)
    main = back[0, latency:]
    wave = np.sin(np.arange(len(main)) * 0.01)
    assert np.abs(np.diff(main)).max() < 0.01 + 2 / FADE  # the sine's own, and those of a fade between any two sounds
    off = np.abs(main - wave) > 0.012  # neither at one level nor at the other
    assert np.count_nonzero(off) <= FADE * (host.value("Late Hops") + 1)  # it is in time but in fades
    assert has_stems(main)
    assert host.value("Engine State") == 2


def has_stems(main):
    """Whether the sine ends at the level of the stem's fader."""
    wave = np.sin(np.arange(len(main)) * 0.01) * 10 ** (-0.1 / 20)
    return np.abs(main - wave)[-RATE // 4 :].max() < 1e-5


def play_paced_from(host, sound, seconds):
    """Go on with the sine that ``sound`` ended with; return all of it."""
    first = sound.shape[1]
    return np.concatenate([sound, play_paced(host, seconds, wave=lambda at: np.sin((at + first) * 0.01))], axis=1)


def test_bounce_with_a_separator_that_dies_ends(open_host, meeting):
    process = meeting.start_host()
    host, song = open_host(), uniform_noise(2 * RATE)
    host.set("Model", PASSTHROUGH)
    host.activate(RATE, BLOCK, offline=True)
    host.play(song, BLOCK)
    meeting.kill_host(process)
    started = time.monotonic()
    out = host.play(song, BLOCK)
    assert time.monotonic() - started < 20
    assert np.isfinite(out).all()


def test_host_is_started_by_the_plugin_and_ends_after_it(open_host, meeting):
    meeting.let_plugin_start_host(linger=1)
    host = open_host()
    host.set("Model", PASSTHROUGH)
    host.activate(RATE, BLOCK)
    play_paced(host, 60, until_state=2)
    assert host.value("Engine State") == 2
    assert meeting.is_host_running()
    host.deactivate()
    host.close()
    host.close = lambda: None
    until(lambda: not meeting.is_host_running())
