"""Effects on songs: the played sound as Pedalboard processes it, though it is rendered long before."""

import os
import signal

import numpy as np
import pytest
import soundfile
import waiting
from noise import uniform_noise
from requirements import require_package

from stream_sep import ConfigError, EngineConfig, OfflineBackend, PacedBackend
from stream_sep.control.presets.preset import Preset
from stream_sep.player.engine import PlayEngine
from stream_sep.player.render_ahead import FADE_SECONDS

require_package("pedalboard", "effects")

import pedalboard

wait_until = waiting.until

RATE = 44100
FADE = round(FADE_SECONDS * RATE)
STEMS = ("vocals", "drums", "bass", "other")
ECHO = {"plugin": "Delay", "parameters": {"delay_seconds": 0.25, "feedback": 0.0, "mix": 0.5}}


@pytest.fixture
def write(tmp_path):
    def write_song(sound, name="song.wav"):
        soundfile.write(tmp_path / name, sound.T, RATE, subtype="FLOAT")
        return tmp_path / name

    return write_song


def offline(song, block=128, report=print, **settings):
    backend = OfflineBackend(RATE, block)
    config = EngineConfig(model="passthrough", worker="inline", **settings)
    engine = PlayEngine(backend, [song], config, report=report)
    engine.playlist.current.decoder.join()
    return backend, engine


def play(backend, frames):
    """Return the next ``frames`` of the mix and of the stem that has it all."""
    out = backend.feed(np.zeros((2, frames), np.float32))
    return out[0], out[4]


def test_effects_are_there_from_the_first_frame(write):
    song = uniform_noise(20000)
    backend, engine = offline(write(song), chains={"other": [{"plugin": "Invert"}]})
    with engine:
        mix, other = play(backend, 12800)
    np.testing.assert_array_equal(other, -song[:, :12800])
    np.testing.assert_array_equal(mix, -song[:, :12800])


def test_a_reserve_alone_leaves_the_song_as_it_is(write):
    song = uniform_noise(40000)
    backend, engine = offline(write(song), chain_reserve=0)
    with engine:
        mix, other = play(backend, 38400)
    np.testing.assert_array_equal(mix, song[:, :38400])
    np.testing.assert_array_equal(other, song[:, :38400])


def test_change_is_audible_within_30_milliseconds_and_crossfaded(write):
    tone = 0.3 * np.sin(2 * np.pi * 200 / RATE * np.arange(3 * RATE))
    song = np.stack([tone, tone]).astype(np.float32)
    backend, engine = offline(write(song), chain_reserve=0)
    with engine:
        play(backend, 12800)
        engine.set_chains({"other": [{"plugin": "Invert"}]})
        _, other = play(backend, 12800)
        dry = song[:, 12800:25600]
        late = np.flatnonzero(np.abs(other - dry).max(axis=0) > 1e-6)[0]
        assert late < 0.03 * RATE
        np.testing.assert_allclose(other[:, late + FADE :], -dry[:, late + FADE :], atol=1e-6)
        assert np.abs(np.diff(other[0])).max() < 0.02
        engine.set("stem/other/chain/1/bypass", 1)
        _, other = play(backend, 12800)
        np.testing.assert_allclose(other[:, -6400:], song[:, 32000:38400], atol=1e-6)
        engine.set_chains({})
        _, other = play(backend, 12800)
        np.testing.assert_allclose(other[:, -6400:], song[:, 44800:51200], atol=1e-6)


def test_echo_of_played_audio_goes_on_over_jumps(write):
    """As if the effect had stood behind the speakers: the same jumps without it, then Pedalboard in one go."""
    path, outputs = write(uniform_noise(6 * RATE)), []
    for settings in ({"chain_reserve": 0}, {"chains": {"other": [ECHO]}}):
        backend, engine = offline(path, **settings)
        with engine:
            parts = [play(backend, 22016)[1]]
            for target in (4.0, 0.5):
                engine.set("transport/seek", target)
                parts.append(play(backend, 22016)[1])
        outputs.append(np.concatenate(parts, axis=1))
    dry, wet = outputs
    expected = pedalboard.Pedalboard([pedalboard.Delay(0.25, 0.0, 0.5)])(dry, RATE)
    np.testing.assert_allclose(wet, expected, atol=1e-5)


def test_effects_that_are_late_make_mix_and_stems_late_together(write):
    song = uniform_noise(30000)
    backend, engine = offline(write(song), chain_reserve=300)
    with engine:
        mix, other = play(backend, 25600)
        engine.set("bypass", 1)
        dry, _ = play(backend, 2560)
    assert not mix[:, :300].any()
    np.testing.assert_array_equal(mix[:, 300:], song[:, :25300])
    np.testing.assert_array_equal(other[:, 300:], song[:, :25300])
    np.testing.assert_array_equal(dry[:, -1000:], song[:, 26860:27860])


def test_a_chain_later_than_the_reserve_is_refused(write):
    _, engine = offline(write(uniform_noise(RATE)), chain_reserve=0)
    with pytest.raises(ConfigError, match="frames late and 0 are reserved"):
        engine.set_chains({"vocals": [{"plugin": "BrickwallLimiter"}]})
    engine.stop()


def test_without_a_reserve_there_are_none(write):
    received = []
    _, engine = offline(write(uniform_noise(RATE)), report=received.append)
    engine.apply_preset(Preset("mine", {"stem/other/gain_db": -6.0}, chains={"other": ({"plugin": "Gain"},)}))
    assert engine.controls["stem/other/gain_db"] == -6
    assert "without effect chains" in received[0]
    engine.stop()


def test_a_process_plays_effects_changes_them_and_has_them_when_it_comes_back(write):
    messages = []
    config = EngineConfig(model="passthrough", chains={"other": [{"plugin": "Gain", "parameters": {"gain_db": -20}}]})
    song = write(np.full((2, 20 * RATE), 0.5, np.float32))
    with PlayEngine(PacedBackend(RATE), [song], config, report=messages.append) as engine:

        def level():
            return engine.meters()["other"]

        wait_until(lambda: 0.04 < level() < 0.06)
        engine.set("stem/other/chain/1/gain_db", -6.0)
        wait_until(lambda: 0.2 < level() < 0.3)
        with pytest.raises(ConfigError, match="nonsense"):
            engine.set_chains({"other": [{"plugin": "Gain", "parameters": {"nonsense": 1}}]})
        os.kill(engine.worker_pid, signal.SIGKILL)
        wait_until(lambda: engine.stats().restarts == 1)
        engine.set("transport/seek", 2.0)
        wait_until(lambda: 2 <= engine.transport.position < 5)
        wait_until(lambda: 0.2 < level() < 0.3)  # a slow machine plays dry sound before
        assert any("is back" in message for message in messages)
