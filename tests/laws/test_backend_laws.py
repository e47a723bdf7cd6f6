"""The contract of backends: each block once, in order, and an end that may be requested twice."""

import ctypes
import time

import numpy as np
import pytest
import soundfile
import waiting

from stream_sep import Engine, EngineConfig
from stream_sep.backends.jack import JackBackend
from stream_sep.backends.offline import OfflineBackend
from stream_sep.backends.paced import PacedBackend
from stream_sep.backends.portaudio import PortAudioBackend

FRAMES = 22050
BACKENDS = {
    "offline": OfflineBackend,
    "paced": PacedBackend,
    "portaudio": PortAudioBackend,
    "portaudio, playback only": lambda: PortAudioBackend(playback_only=True),
    "jack": JackBackend,
}
NEEDS = {"portaudio": "portaudio_on_jack", "portaudio, playback only": "portaudio_on_jack", "jack": "jackd"}


@pytest.fixture(params=BACKENDS)
def backend(request):
    if request.param in NEEDS:
        request.getfixturevalue(NEEDS[request.param])
    made = BACKENDS[request.param]()
    yield made
    made.stop()


def config(backend, **settings):
    worker = "inline" if isinstance(backend, OfflineBackend) else "thread"
    return EngineConfig(model="passthrough", worker=worker, slack=2048, **settings)


def play(engine, backend):
    if isinstance(backend, OfflineBackend):
        backend.feed(np.zeros((2, 2 * FRAMES), np.float32))
    waiting.until(lambda: engine.source_ended)


def test_what_is_played_is_what_was_given_from_the_first_frame_on(backend, tmp_path):
    given = np.random.default_rng(1).uniform(-0.5, 0.5, (2, FRAMES)).astype(np.float32)
    with Engine(backend, config(backend, record=tmp_path), source=given) as engine:
        play(engine, backend)
    played = soundfile.read(tmp_path / "mix.wav", dtype="float32")[0].T[:, :FRAMES]
    np.testing.assert_array_equal(played, given)


def test_frames_are_counted_in_whole_blocks(backend):
    with Engine(backend, config(backend), source=np.ones((2, FRAMES), np.float32)) as engine:
        play(engine, backend)
    counters = engine.stats().counters
    assert counters["frames"] > FRAMES
    assert counters["frames"] - counters["blocks"] * backend.block_size in range(1 - backend.block_size, 1)


def test_stopping_twice_is_harmless(backend):
    with Engine(backend, config(backend), source=np.ones((2, FRAMES), np.float32)):
        pass
    backend.stop()
    backend.stop()


def test_nothing_runs_after_the_end(backend):
    with Engine(backend, config(backend), source=np.ones((2, FRAMES), np.float32)) as engine:
        play(engine, backend)
        backend.stop()
        before = engine.stats().counters["blocks"]
        time.sleep(0.05)
        assert engine.stats().counters["blocks"] == before


def test_the_device_only_ever_adds_delay(backend):
    with Engine(backend, config(backend), source=np.ones((2, FRAMES), np.float32)) as engine:
        assert engine.latency.device >= 0
        assert engine.latency.total >= engine.latency.engine


@pytest.mark.parametrize("backend", sorted(NEEDS), indirect=True)
def test_sound_goes_on_while_python_is_stuck(backend):
    hold_the_gil = ctypes.PyDLL(None).usleep
    with Engine(backend, config(backend), source=np.ones((2, FRAMES), np.float32)) as engine:
        time.sleep(0.1)
        before = engine.stats().counters["frames"]
        hold_the_gil(400_000)
        after = engine.stats().counters["frames"]
    assert after - before > 0.3 * backend.sample_rate
