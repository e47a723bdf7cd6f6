"""The mixer without an engine: every change becomes one snapshot of gains, with the transition of that change."""

import threading
import time

import numpy as np
import pytest

from stream_sep.audio.ring_layout import RingLayout
from stream_sep.audio.rings import Rings
from stream_sep.audio.state import SNAPSHOT_HEAD, SNAPSHOTS, AudioState
from stream_sep.control.levels import db_to_gain
from stream_sep.control.mix_snapshot import compile_mix
from stream_sep.effects.spec import ChainSpec
from stream_sep.engine.mixer import Mixer
from stream_sep.errors import SeparatorError

RATE = 44100
STEMS = ("vocals", "other")
CHAINS = ChainSpec.parse({"vocals": [{"plugin": "Gain", "parameters": {"gain_db": 0.0}}]})


class Effects:
    """A worker that has effects, and fails to change them."""

    chains = CHAINS

    def set_effect(self, stem, index, parameter, value):
        raise SeparatorError(f"{stem} {index} {parameter} {value}")


@pytest.fixture
def state():
    return AudioState(Rings(RingLayout(2, 2, 64, 1024, 4)), prefill=0, delay=0, carrier=1)


@pytest.fixture
def messages():
    return []


@pytest.fixture
def mixer(state, messages):
    return Mixer(STEMS, RATE, state, Effects(), chained=True, tick=lambda: None, report=messages.append)


@pytest.fixture
def published(state, mixer):  # noqa: ARG001 - it is the one whose snapshots are read
    """A function that returns the snapshots published since the mixer was built."""
    first = int(state.array("local")[SNAPSHOT_HEAD])

    def snapshots():
        head = int(state.array("local")[SNAPSHOT_HEAD])
        return [state.array("snapshots")[number % SNAPSHOTS].copy() for number in range(first + 1, head + 1)]

    return snapshots


def ramp_frames(snapshot):
    """The lengths of the ramps of the master, the vocals and the other stem."""
    return snapshot[6:12:2].tolist()


def test_change_of_many_controls_is_one_snapshot_of_all(mixer, published):
    mixer.apply({"stem/vocals/gain_db": -6, "stem/other/mute": True, "master/gain_db": -20}, fade_ms=100)
    (snapshot,) = published()
    np.testing.assert_allclose(snapshot[:6], np.repeat([0.1, db_to_gain(-6), 0], 2))
    assert ramp_frames(snapshot) == [4410, 4410, 4410]


def test_change_made_by_a_listener_has_its_own_transition(mixer, published):
    def mute_other(path):
        if path == "stem/vocals/gain_db":
            mixer.set("stem/other/mute", value=True)

    mixer.controls.subscribe(mute_other)
    mixer.apply({"stem/vocals/gain_db": -6, "master/gain_db": -6}, fade_ms=1000)
    assert ramp_frames(published()[-1]) == [44100, 44100, 441]


def test_values_of_status_transport_and_effects_publish_no_gains(mixer, published):
    mixer.controls.publish({"engine/load": 0.5, "preset": "mine", "stem/vocals/chain/bypass": False})
    mixer.set("stem/vocals/chain/1/gain_db", -6)
    assert published() == []


def test_effect_that_fails_is_reported_and_the_gains_move(mixer, published, messages):
    mixer.apply({"stem/vocals/chain/1/gain_db": -6, "stem/vocals/gain_db": -6})
    assert messages == ["could not apply stem/vocals/chain/1/gain_db: vocals 0 gain_db -6.0"]
    assert len(published()) == 1


def test_faders_moved_from_many_threads_end_where_they_were_put(mixer, published, monkeypatch):
    """A thread that compiled the mix earlier must not publish it later."""
    compiled = threading.Event()

    def slow_the_first_time(*arguments):
        mix = compile_mix(*arguments)
        if not compiled.is_set():
            compiled.set()
            time.sleep(0.2)
        return mix

    monkeypatch.setattr("stream_sep.engine.mixer.compile_mix", slow_the_first_time)
    other = threading.Thread(target=mixer.set, args=("stem/vocals/gain_db", -3))
    other.start()
    compiled.wait()
    mixer.set("stem/other/gain_db", -9)
    other.join()
    np.testing.assert_array_equal(published()[-1][:6], compile_mix(mixer.controls.snapshot(), STEMS, RATE)[:6])
