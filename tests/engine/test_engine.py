"""The whole engine: streams equal the separated song, a fader moves at once, and a dead worker is restarted."""

import os
import signal
import threading
import time

import numpy as np
import pytest
import soundfile
import waiting
from requirements import require_package

from stream_sep import (
    ConfigError,
    Engine,
    EngineConfig,
    OfflineBackend,
    PacedBackend,
    ParameterError,
    PresetError,
    SeparatorError,
    load_separator,
)
from stream_sep.control.levels import db_to_gain
from stream_sep.control.presets.library import load_preset

wait_until = waiting.until

RATE = 44100
BLOCKS = [1, 16, 40, 128, 160, 1024, 1025]
SEPARATORS = [("passthrough", {"hop": 192, "latency": 77, "carrier": "vocals"}), ("bands", {})]


def offline(block, model="passthrough", **options):
    backend = OfflineBackend(RATE, block)
    return backend, Engine(backend, EngineConfig(model=model, options=options, worker="inline"))


def song(frames, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (2, frames)).astype(np.float32)


def sine(frames):
    return (0.5 * np.sin(2 * np.pi * 110 * np.arange(frames) / RATE) * np.ones((2, 1))).astype(np.float32)


def separated(model, options, mix):
    """The separator's own stems of ``mix``, in time with it, hop after hop and with no engine."""
    separator = load_separator(model, RATE, **options)
    hops = -(-(mix.shape[1] + separator.latency) // separator.hop)
    padded = np.pad(mix, ((0, 0), (0, hops * separator.hop - mix.shape[1])))
    parts = [separator.process(part).copy() for part in np.split(padded, hops, axis=1)]
    return np.concatenate(parts, axis=2)[..., separator.latency :][..., : mix.shape[1]]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("model", "options"), SEPARATORS, ids=["passthrough", "bands"])
def test_streamed_equals_offline_whatever_the_block(model, options, block):
    given = song(12000)
    backend, engine = offline(block, model, **options)
    with engine:
        mix, stems = backend.run(given)
    np.testing.assert_array_equal(mix, given)
    np.testing.assert_array_equal(stems, separated(model, options, given))
    assert engine.stats().late_hops == 0


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("model", "options"), SEPARATORS, ids=["passthrough", "bands"])
def test_an_impulse_comes_out_after_the_latency_that_is_reported(model, options, block):
    backend, engine = offline(block, model, **options)
    given = np.zeros((2, 1000 + engine.latency.engine + 2 * block), np.float32)
    given[:, 1000] = 1
    with engine:
        out = backend.feed(given)
    sums = out[1:].sum(axis=0)
    assert np.flatnonzero(out[0, 0]).tolist() == [1000 + engine.latency.engine]
    assert int(np.argmax(np.abs(sums[1]))) == 1000 + engine.latency.engine


@pytest.mark.parametrize("block", BLOCKS)
def test_a_fader_is_audible_in_the_next_block_and_at_rest_is_a_plain_factor(block):
    backend, engine = offline(block, hop=192, latency=5000, carrier="vocals")
    given = np.ones((2, -(-(engine.latency.engine + 1000) // block) * block), np.float32)
    with engine:
        backend.feed(given)
        engine.set("stem/vocals/gain_db", -20)
        out = backend.feed(given)
    assert out[0, 0, 0] < 1
    assert out[0, 0, 0] == pytest.approx(1 - 0.9 / 441, abs=1e-6)
    np.testing.assert_allclose(out[0, :, 441:], 0.1, atol=1e-6)
    np.testing.assert_array_equal(out[2:], 0)


def test_faders_put_somewhere_before_the_start_are_there_from_the_first_frame():
    backend, engine = offline(128, hop=192, latency=0, carrier="vocals")
    engine.set("stem/vocals/gain_db", -20)
    with engine:
        mix, _ = backend.run(np.ones((2, 1000), np.float32))
    np.testing.assert_allclose(mix, 0.1, atol=1e-6)


def test_the_mix_is_the_sum_of_the_stems_after_their_faders():
    backend, engine = offline(128, "bands")
    given = song(20000)
    with engine:
        engine.controls.update({"stem/vocals/gain_db": -6, "stem/drums/mute": True, "stem/bass/pan": 1, "ramp_ms": 1})
        mix, stems = backend.run(given)
    np.testing.assert_allclose(mix, stems.sum(axis=0), atol=1e-6)
    whole = separated("bands", {}, given)
    np.testing.assert_allclose(stems[0], db_to_gain(-6) * whole[0], atol=1e-6)
    assert not stems[1].any()
    assert not stems[2][0].any()
    np.testing.assert_array_equal(stems[2][1], whole[2][1])
    np.testing.assert_array_equal(stems[3], whole[3])


def test_bypass_plays_the_delayed_input_whatever_the_faders():
    backend, engine = offline(128, "bands")
    given = song(20000)
    with engine:
        engine.controls.update({"stem/vocals/mute": True, "bypass": True})
        mix, _ = backend.run(given)
    np.testing.assert_array_equal(mix, given)


def test_change_with_a_time_begins_at_its_frame_and_fades_for_its_length(tmp_path):
    backend = PacedBackend(RATE, 128)
    config = EngineConfig(model="passthrough", worker="thread", record=tmp_path)
    with Engine(backend, config, source=np.ones((2, 30 * RATE), np.float32)) as engine:
        wait_until(lambda: engine.stats().counters["frames"] > RATE // 4)
        before = engine.stats().counters["frames"]
        engine.apply({"stem/other/gain_db": -20}, fade_ms=100, at=time.monotonic() + 0.8)
        assert engine.controls["stem/other/gain_db"] == 0
        wait_until(lambda: engine.controls["stem/other/gain_db"] == -20)
        wait_until(lambda: engine._state.array("ramp_begins")[-1])
        begin = engine._state.array("ramp_begins")[-1]
        wait_until(lambda: engine.stats().counters["frames"] > begin + RATE // 2)
        delay = engine.latency.engine
    assert begin > before + 0.2 * RATE  # as late as a machine that loses half a second may make it
    other = soundfile.read(tmp_path / "other.wav", dtype="float32")[0][:, 0]
    begun = np.argmax(other < 1) + delay
    assert begun == begin
    ramp = other[begun - delay : begun - delay + round(0.1 * RATE) - 1]
    np.testing.assert_allclose(np.diff(ramp), -0.9 / (0.1 * RATE), atol=1e-6)


def test_a_change_too_far_ahead_or_of_nonsense_is_refused_at_once():
    _, engine = offline(128)
    with engine:
        with pytest.raises(ConfigError, match="ahead is beyond 2 s"):
            engine.apply({"bypass": True}, at=time.monotonic() + 3)
        with pytest.raises(ConfigError, match="fade of -1 ms"):
            engine.apply({"bypass": True}, fade_ms=-1)
        with pytest.raises(ParameterError, match="did you mean 'bypass'"):
            engine.apply({"bypas": True}, at=time.monotonic() + 1)
        with pytest.raises(ParameterError, match="read-only"):
            engine.apply({"engine/load": 1})


def test_a_preset_is_recalled_with_its_fade_and_stored_by_name(monkeypatch, tmp_path):
    monkeypatch.setenv("STREAM_SEP_PRESETS", str(tmp_path))
    backend, engine = offline(128)
    ones = np.ones((2, 344 * 128), np.float32)
    with engine:
        assert "karaoke" in engine.presets()
        backend.feed(ones)
        engine.set("stem/other/gain_db", -6)
        engine.store("mine")
        engine.set("stem/other/gain_db", 0)
        backend.feed(ones)
        engine.recall("mine", fade_ms=200)
        assert engine.controls["preset"] == "mine"
        ramp = backend.feed(ones)[4, 0]
        frames = round(0.2 * RATE)
        np.testing.assert_allclose(np.diff(ramp[: frames - 1]), (db_to_gain(-6) - 1) / frames, atol=1e-6)
        assert ramp[frames] == pytest.approx(db_to_gain(-6))
        with pytest.raises(PresetError, match="karaoke"):
            engine.recall("karaoki")
        with pytest.raises(PresetError):
            engine.recall("../mine")


def test_taps_are_given_every_frame_in_order_and_one_that_fails_is_left_out():
    messages, blocks, backend, given = [], [], OfflineBackend(RATE, 128), song(128 * 100)

    def broken(block):
        raise RuntimeError(f"broken at {block.shape[1]}")

    config = EngineConfig(model="passthrough", worker="inline", taps=(broken, blocks.append))
    with Engine(backend, config, report=messages.append):
        out = backend.feed(given)
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), out.reshape(10, -1))
    assert messages == ["a tap on the sound failed and is left out: RuntimeError: broken at 128"]


def test_effects_are_controls_and_presets_bring_their_own(monkeypatch, tmp_path):
    require_package("pedalboard", "effects")
    monkeypatch.setenv("STREAM_SEP_PRESETS", str(tmp_path))
    (tmp_path / "upside.toml").write_text('schema = 1\nreset = true\n[[chains.other]]\nplugin = "Invert"\n')
    ones, gain = np.ones((2, 344 * 128), np.float32), {"plugin": "Gain", "parameters": {"gain_db": -20.0}}
    backend = OfflineBackend(RATE, 128)
    config = EngineConfig(model="passthrough", worker="inline", chains={"other": [gain]}, chain_reserve=100)
    with Engine(backend, config) as engine:
        assert engine.latency.separator == 100
        assert backend.feed(ones)[4, 0, -1] == pytest.approx(0.1, abs=1e-3)
        engine.set("stem/other/chain/1/gain_db", -6)
        assert backend.feed(ones)[4, 0, -1] == pytest.approx(db_to_gain(-6), abs=1e-3)
        engine.set("stem/other/chain/bypass", value=True)
        assert backend.feed(ones)[4, 0, -1] == pytest.approx(1, abs=1e-3)
        engine.set("stem/other/chain/bypass", value=False)
        engine.recall("upside")
        assert backend.feed(ones)[4, 0, -1] == pytest.approx(-1, abs=1e-3)
        engine.recall("karaoke")
        assert backend.feed(ones)[4, 0, -1] == pytest.approx(1, abs=1e-3)
        with pytest.raises(ConfigError, match="did you mean 'Reverb'"):
            engine.set_chains({"other": [{"plugin": "Rverb"}]})


def effects_among(engine):
    return {
        path: value
        for path, value in engine.controls.snapshot().items()
        if "/chain/" in path and path[-7:] != "/bypass"
    }


def test_effects_that_come_move_and_go_while_it_plays_are_controls_meanwhile():
    require_package("pedalboard", "effects")
    ones, backend = np.ones((2, 344 * 128), np.float32), OfflineBackend(RATE, 128)
    gain = {"plugin": "Gain", "parameters": {"gain_db": -20.0}}
    drive = {"plugin": "Clipping", "parameters": {"threshold_db": -12.0}}
    with Engine(backend, EngineConfig(model="passthrough", worker="inline", chain_reserve=100)) as engine:
        engine.set_chains({"other": [gain]})
        assert effects_among(engine) == {"stem/other/chain/1/gain_db": -20.0}
        engine.set("stem/other/chain/1/gain_db", -6)
        assert backend.feed(ones)[4, 0, -1] == pytest.approx(db_to_gain(-6), abs=1e-3)
        engine.set_chains({"other": [drive, gain]})
        moved = {"stem/other/chain/1/threshold_db": -12.0, "stem/other/chain/2/gain_db": -20.0}
        assert effects_among(engine) == moved
        assert "stem/other/chain/2/bypass" in engine.controls.parameters
        engine.set("stem/other/chain/2/gain_db", 0)
        assert backend.feed(ones)[4, 0, -1] == pytest.approx(db_to_gain(-12), abs=1e-3)
        engine.set_effect("other", 1, "gain_db", -3)
        assert engine.controls["stem/other/chain/2/gain_db"] == -3
        engine.set_chains({})
        assert effects_among(engine) == {}
        with pytest.raises(ParameterError, match="no control"):
            engine.set("stem/other/chain/1/bypass", value=True)


def test_preset_with_effects_is_refused_where_there_can_be_none(tmp_path):
    messages, backend = [], OfflineBackend(RATE, 128)
    (tmp_path / "upside.toml").write_text('schema = 1\nmaster.mute = true\n[[chains.other]]\nplugin = "Invert"\n')
    with Engine(backend, EngineConfig(model="passthrough", worker="inline"), report=messages.append) as engine:
        engine.apply_preset(load_preset(str(tmp_path / "upside.toml")))
        assert engine.controls["master/mute"] is True
    assert "chain_reserve" in messages[0]


def test_engine_publishes_its_status_among_its_controls():
    backend, engine = offline(128, hop=256)
    with engine:
        backend.feed(song(44100))
        wait_until(lambda: 0 < engine.controls["engine/load"] < 1)
        assert engine.controls["engine/latency_frames"] == engine.latency.total
        assert engine.controls["engine/model"] == "passthrough"
        assert engine.controls["engine/state"] == "running"
        engine.set("bypass", value=True)
        wait_until(lambda: backend.feed(song(1280)) is not None and engine.controls["engine/state"] == "dry")


class Gap:
    """Passes the mix on, on its first stem, but gives no number for the hops in which the sound is above 0.9."""

    stems, channels, hop, latency = ("vocals", "other"), 2, 64, 0

    def __init__(self, *, sample_rate):
        self.sample_rate = sample_rate

    def process(self, block):
        stems = np.stack([block, np.zeros_like(block)])
        return stems * np.float32(np.nan) if np.abs(block).max() == 1 else stems

    def reset(self):
        """Nothing is remembered."""


@pytest.mark.parametrize("fade_ms", [1.0, 6.0, 60.0, 200.0])
def test_a_missing_hop_never_makes_a_step_however_long_the_fade(fade_ms):
    backend, given = OfflineBackend(RATE, 128), sine(60000)
    marked = given.copy()
    marked[1, 64 * np.array([300, 301, 400])] = 1
    config = EngineConfig(model=f"{__name__}:Gap", worker="inline", fade_ms=fade_ms, hold_ms=0)
    with Engine(backend, config) as engine:
        engine.set("stem/vocals/gain_db", -20)
        mix, _ = backend.run(marked)
    assert engine.stats().nonfinite_hops == 3
    slope, fade = np.abs(np.diff(given)).max(), fade_ms * RATE / 1000
    assert np.abs(np.diff(mix[0, 1000:])).max() <= slope + 0.55 / fade + 1e-6
    np.testing.assert_allclose(mix[0, -5000:], 0.1 * given[0, -5000:], atol=1e-6)


@pytest.mark.parametrize(("first", "then"), [(0, -6), (-6, 0)])
@pytest.mark.parametrize("late", [0, 64, 128, 192, 256, 320])
def test_a_fader_that_leaves_or_reaches_unity_in_a_gap_makes_no_step(first, then, late):
    backend, given = OfflineBackend(RATE, 64), sine(40000)
    given[1, 64 * 300] = 1
    config = EngineConfig(model=f"{__name__}:Gap", worker="inline", hold_ms=0)
    with Engine(backend, config) as engine:
        engine.set("stem/vocals/gain_db", first)
        before = 64 * 300 + engine.latency.engine - engine.latency.adaptation + late
        one = backend.feed(given[:, :before])[0, 0]
        engine.set("ramp_ms", 1)
        engine.set("stem/vocals/gain_db", then)
        mix = np.concatenate([one, backend.feed(given[:, before:])[0, 0]])
    slope = np.abs(np.diff(given[0])).max()
    assert np.abs(np.diff(mix[1000:])).max() <= slope + 0.5 * (0.5 / 44 + 0.55 / (0.006 * RATE)) + 1e-6


@pytest.mark.parametrize("worker", ["inline", "process"])
def test_a_model_that_cannot_load_is_refused_or_replaced_with_a_message(worker):
    wrong = {"model": "nobody:Here", "worker": worker}
    with pytest.raises(SeparatorError, match="nobody:Here"):
        Engine(OfflineBackend(), EngineConfig(**wrong))
    received = []
    engine = Engine(OfflineBackend(), EngineConfig(**wrong, fallback="bands"), report=received.append)
    with engine:
        assert engine.stems == load_separator("bands").stems
    assert len(received) == 1
    assert "nobody:Here" in received[0]
    assert received[0].endswith("going on with 'bands'")


def test_a_misspelt_model_names_the_nearest():
    with pytest.raises(SeparatorError, match="did you mean 'bands'"):
        Engine(OfflineBackend(), EngineConfig(model="band", worker="inline"))


def test_meters_follow_the_sound_of_each_bus():
    backend, engine = offline(128, carrier="vocals")
    with engine:
        backend.run(np.full((2, 4000), 0.5, np.float32))
        backend.feed(np.full((2, 4000), 0.25, np.float32))
        meters = engine.meters()
    assert list(meters) == ["mix", "vocals", "drums", "bass", "other", "input"]
    assert meters["mix"] == meters["vocals"] == meters["input"] == pytest.approx(0.25, rel=0.5)
    assert meters["drums"] == 0


@pytest.fixture
def own_separator(tmp_path, monkeypatch):
    """A separator in a file of its own, as a user would write one: gives the mix twice as loud."""
    text = "from stream_sep.separators.passthrough import PassthroughSeparator\n"
    text += "class Mine(PassthroughSeparator):\n"
    text += "    def process(self, block):\n        return super().process(2 * block)\n"
    (tmp_path / "written_by_a_user.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return "written_by_a_user:Mine"


def test_a_separator_of_the_users_own_runs_in_the_worker_process(own_separator, tmp_path):
    given = song(RATE)
    config = EngineConfig(model=own_separator, slack=8192, record=tmp_path / "out")
    with Engine(PacedBackend(RATE, 256), config, source=given) as engine:
        assert engine.worker_pid not in {None, os.getpid()}
        wait_until(lambda: engine.source_ended)
    other = soundfile.read(tmp_path / "out" / "other.wav", dtype="float32")[0].T[:, : given.shape[1]]
    is_doubled = (other == 2 * given).all(axis=0)
    assert is_doubled.mean() > 0.5


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
@pytest.mark.parametrize("fader", [0, -90])
def test_a_killed_worker_is_replaced_while_the_dry_sound_plays(tmp_path, fader):
    given, received = sine(12 * RATE), []
    config = EngineConfig(model="passthrough", options={"carrier": "vocals"}, slack=8192, record=tmp_path)
    with Engine(PacedBackend(RATE, 256), config, source=given, report=received.append) as engine:
        latency = engine.latency
        engine.set("stem/vocals/gain_db", fader)
        wait_until(lambda: engine.stats().hops > 50)
        first = engine.worker_pid
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: engine.stats().restarts == 1)
        hops, dry = engine.stats().hops, engine.stats().counters["dry_frames"]
        assert dry > 0
        wait_until(lambda: engine.stats().hops > hops + 200)
        assert engine.worker_pid != first
        assert engine.latency == latency
    assert engine.stats().late_hops > 0
    assert "ended with code -9" in received[0]
    assert any("is back" in message for message in received)
    mix, vocals = (soundfile.read(tmp_path / f"{name}.wav", dtype="float32")[0].T for name in ("mix", "vocals"))
    given = given[:, : mix.shape[1]]
    slope, fade = np.abs(np.diff(given)).max(), 0.006 * RATE
    if fader == 0:
        np.testing.assert_array_equal(mix, given)
        np.testing.assert_array_equal(vocals[:, -256:], given[:, -256:])
    else:
        after = np.abs(np.diff(mix[0, 2000:]))
        assert after.max() <= slope + 0.5 / fade + 1e-6
        assert (mix[0] == given[0])[2000:].sum() > 1000
        assert not mix[:, -256:].any()


def test_an_engine_lets_everything_go_when_it_stops():
    backend = PacedBackend(RATE, 256)
    with Engine(backend, EngineConfig(model="passthrough", slack=4096)) as engine:
        pid = engine.worker_pid
        while engine.stats().counters["frames"] == 0:
            time.sleep(0.01)
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"paced", "reporter", "recorder", "separator watch"}
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert engine.stats().counters["frames"] > 0


def test_a_separator_that_is_built_already_runs_in_a_thread_or_in_line_but_not_at_another_rate():
    given = song(12000)
    ours = load_separator("passthrough", RATE, hop=192)
    backend = OfflineBackend(RATE, 128)
    with Engine(backend, EngineConfig(model=ours, worker="inline")):
        mix, _ = backend.run(given)
    np.testing.assert_array_equal(mix, given)
    with pytest.raises(ConfigError, match="worker='thread'"):
        EngineConfig(model=ours)
    with pytest.raises(ConfigError, match="44100 Hz, the sound at 48000 Hz"):
        Engine(OfflineBackend(48000, 128), EngineConfig(model=ours, worker="inline"))
