"""A clock in place of a sound card: its looped input, and its lag."""

import threading
import time

import numpy as np
import waiting

from stream_sep import Engine, EngineConfig, PacedBackend


def run(backend, frames, taps=()):
    config = EngineConfig(model="passthrough", worker="thread", slack=4096, taps=taps)
    with Engine(backend, config) as engine:
        waiting.until(lambda: engine.stats().counters["frames"] >= frames)
    return engine


def test_sound_comes_in_over_and_over():
    sound, blocks = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 1000)).astype(np.float32), []
    engine = run(PacedBackend(44100, 100, sound), 20000, (blocks.append,))
    mix = np.concatenate(blocks, axis=1)[:2, engine.latency.engine :]
    np.testing.assert_array_equal(mix[:, :5000], np.tile(sound, 5))


def test_how_far_the_clock_ran_ahead_is_counted(monkeypatch):
    backend = PacedBackend(44100, 128)
    slept, sleep = [0], time.sleep

    def oversleep(seconds):
        slept[0] += threading.current_thread().name == "paced"
        sleep(0.4 if slept[0] == 20 else seconds)

    monkeypatch.setattr("stream_sep.backends.paced.time.sleep", oversleep)
    engine = run(backend, 128 * 40)
    assert engine.stats().behind_seconds >= 0.3
