"""The worker follows the stream: it begins with the stream, and rests only briefly offline."""

from types import SimpleNamespace

import numpy as np
import pytest

from stream_sep.audio.ring_layout import JUMPS, OFFLINE, RingLayout
from stream_sep.audio.rings import Rings, write_frames
from stream_sep.engine.worker import hop_worker
from stream_sep.engine.worker.hop_worker import HopWorker
from stream_sep.separators.passthrough import PassthroughSeparator

RATE, HOP, LATENCY = 44100, 64, 100
NOISE = np.random.default_rng(0).standard_normal((2, 8 * HOP)).astype(np.float32)


def rings_and_worker(slots=32, capacity=4096):
    rings = Rings(RingLayout(channels=2, stems=4, hop=HOP, capacity=capacity, slots=slots))
    return rings, HopWorker(PassthroughSeparator(hop=HOP, latency=LATENCY), rings)


def play(rings, worker, sound):
    first = rings.captured() // HOP
    write_frames(rings.capture, rings.positions, sound, sound.shape[1])
    while worker.step():
        pass
    return np.concatenate([rings.read_ahead(number)[-1] for number in range(first, rings.captured() // HOP)], axis=1)


def test_worker_begins_anew_with_a_stream_and_gives_the_same_stems_twice():
    rings, worker = rings_and_worker()
    begun = play(rings, worker, NOISE)
    write_frames(rings.capture, rings.positions, NOISE, 10)  # a stream that ends within a hop
    rings.begin_stream()
    assert np.array_equal(play(rings, worker, NOISE), begun)


def test_worker_without_a_new_stream_goes_on_with_what_it_holds():
    rings, worker = rings_and_worker()
    begun = play(rings, worker, NOISE)
    assert not np.array_equal(play(rings, worker, NOISE), begun)


def test_worker_that_joins_a_stream_does_not_begin_it_again():
    rings, _ = rings_and_worker()
    write_frames(rings.capture, rings.positions, NOISE, 3 * HOP)
    rings.begin_stream()
    write_frames(rings.capture, rings.positions, NOISE, 2 * HOP)
    worker = HopWorker(PassthroughSeparator(hop=HOP, latency=LATENCY), rings, join=True)
    assert not worker.step()
    write_frames(rings.capture, rings.positions, NOISE, HOP)
    assert worker.step()
    assert rings.tags[5] == -2 - 5  # muted, as the separator has not had enough sound yet


def test_worker_skips_nothing_of_what_a_long_prefill_lets_through_at_once():
    slots = RATE // HOP  # a second
    rings, worker = rings_and_worker(slots, capacity=1 << 17)
    play(rings, worker, np.zeros((2, slots * HOP), np.float32))
    assert rings.positions[JUMPS] == 0
    assert rings.tags.tolist() == list(range(slots))
    play(rings, worker, np.zeros((2, (slots + 2) * HOP), np.float32))
    assert rings.positions[JUMPS] == 1


def test_rest_of_a_worker_is_as_long_as_ever_once_an_offline_client_sends_nothing(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(hop_worker, "time", SimpleNamespace(monotonic=lambda: clock.now))
    rings, worker = rings_and_worker()
    realtime = worker._rest()
    rings.positions[OFFLINE] = 1
    for clock.now in (1.0, 1.4):
        write_frames(rings.capture, rings.positions, NOISE, 0 if clock.now > 1 else 1)
        assert worker._rest() < realtime
    clock.now = 1.6
    assert worker._rest() == pytest.approx(realtime, rel=0.1)
    write_frames(rings.capture, rings.positions, NOISE, 1)
    assert worker._rest() < realtime / 2


def test_rest_of_a_worker_is_shorter_offline():
    rings, worker = rings_and_worker()
    realtime = worker._rest()
    rings.positions[OFFLINE] = 1
    assert worker._rest() < realtime
