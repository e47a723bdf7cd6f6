"""A separator that is late, broken or gone: the dry sound plays, it is counted, and nothing ever shifts in time."""

import threading
import time

import numpy as np
import pytest
import soundfile
import waiting
from requirements import require_package

from stream_sep import Engine, EngineConfig, OfflineBackend, PacedBackend
from stream_sep.audio.ring_layout import EMPTY, NONFINITE, RingLayout
from stream_sep.audio.rings import Rings, write_frames
from stream_sep.engine.worker.hop_worker import HopWorker
from stream_sep.engine.worker.inline_worker import InlineWorker
from stream_sep.engine.worker.separator_info import warm_up
from stream_sep.engine.worker.thread_worker import ThreadWorker
from stream_sep.errors import SeparatorError
from stream_sep.separators.passthrough import PassthroughSeparator

wait_until = waiting.until

RATE, HOP, LATENCY = 44100, 256, 300
HOPS = 100


class Sleepy(PassthroughSeparator):
    """Sleeps for ``sleep`` seconds at inputs above 0.9."""

    def __init__(self, *, sleep, **options):
        super().__init__(hop=HOP, latency=LATENCY, carrier="vocals", **options)
        self._sleep = sleep

    def process(self, block):
        if np.abs(block).max() > 0.9:
            time.sleep(self._sleep)
        return super().process(block)


class Broken(PassthroughSeparator):
    """Returns ``value`` from a sound above 0.9 on until it is reset, as a network with a NaN in its state does."""

    def __init__(self, *, value, **options):
        super().__init__(hop=HOP, latency=LATENCY, carrier="vocals", **options)
        self._value, self._is_broken = value, False

    def reset(self):
        super().reset()
        self._is_broken = False

    def process(self, block):
        stems = super().process(block)
        self._is_broken |= bool(np.abs(block).max() > 0.9)
        if self._is_broken:
            stems[1, 0, 3] = self._value
        return stems


class Raising(PassthroughSeparator):
    """Raises when its input is above 0.9; ``broken`` is how often it then cannot be loaded."""

    broken = 0

    def __init__(self, **options):
        if type(self).broken:
            type(self).broken -= 1
            raise OSError("the weights are gone")
        super().__init__(hop=HOP, latency=LATENCY, carrier="vocals", **options)

    def process(self, block):
        if np.abs(block).max() > 0.9:
            type(self).broken = 2
            raise RuntimeError("out of memory")
        return super().process(block)


def song(frames, marked_hops=()):
    """Noise of half the level, with one loud frame in each of the marked hops."""
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (2, frames)).astype(np.float32)
    for hop in marked_hops:
        sound[:, hop * HOP] = 0.95
    return sound


def play_late(sleep, seconds, folder):
    """Record a song at whose hop `HOPS` the separator sleeps; return the song, the mix, two stems and the counts."""
    given = song(int(seconds * RATE), marked_hops={HOPS})
    config = EngineConfig(
        model=f"{__name__}:Sleepy", options={"sleep": sleep}, worker="thread", slack=4096, hold_ms=20, record=folder
    )
    with Engine(PacedBackend(RATE, 128), config, source=given) as engine:
        wait_until(lambda: engine.source_ended)
    files = [soundfile.read(folder / f"{name}.wav", dtype="float32")[0].T for name in ("mix", "vocals", "other")]
    return given, [sound[:, : given.shape[1]] for sound in files], engine.stats()


def test_a_late_separator_is_counted_the_dry_sound_plays_and_nothing_drifts(tmp_path):
    given, (mix, vocals, other), stats = play_late(0.4, 2.0, tmp_path)
    assert stats.late_hops > 10
    assert stats.jumps == 0
    np.testing.assert_array_equal(mix, given)
    missing = (vocals == 0).all(axis=0)
    assert missing.any()
    np.testing.assert_array_equal(other[:, missing], given[:, missing])
    np.testing.assert_array_equal(vocals[:, -4096:], given[:, -4096:])


def test_after_a_long_stall_the_separator_jumps_to_the_present(tmp_path):
    given, (mix, vocals, _), stats = play_late(1.0, 2.5, tmp_path)
    assert stats.jumps == 1
    assert stats.hops < given.shape[1] // HOP - 50
    np.testing.assert_array_equal(mix, given)
    np.testing.assert_array_equal(vocals[:, -4096:], given[:, -4096:])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e37, -3.4e38, 16.0])
def test_separator_that_returns_nan_is_inaudible_is_counted_and_recovers(value):
    given, backend = song(50000, marked_hops={60, 61, 100}), OfflineBackend(RATE, 128)
    config = EngineConfig(model=f"{__name__}:Broken", options={"value": float(value)}, worker="inline", hold_ms=5)
    with Engine(backend, config) as engine:
        mix, stems = backend.run(given)
    assert np.isfinite(stems).all()
    assert engine.stats().nonfinite_hops == 3
    assert engine.stats().late_hops == 0
    np.testing.assert_array_equal(mix, given)
    lost = slice(60 * HOP - LATENCY + 300, 62 * HOP - LATENCY)
    np.testing.assert_array_equal(stems[3][:, lost], given[:, lost])
    assert not stems[0][:, lost].any()
    for good in (slice(0, 50 * HOP), slice(75 * HOP, 95 * HOP), slice(115 * HOP, None)):
        np.testing.assert_array_equal(stems[0][:, good], given[:, good])


def capture(rings, block):
    write_frames(rings.capture, rings.positions, np.ascontiguousarray(block), block.shape[1])


def ring(slots=400):
    return Rings(RingLayout(channels=2, stems=4, hop=HOP, capacity=1 << 17, slots=slots))


def test_a_worker_takes_each_hop_once_and_only_when_it_is_whole():
    rings, given = ring(), song(10 * HOP)
    worker = HopWorker(PassthroughSeparator(hop=HOP), rings)
    assert not worker.step()
    capture(rings, given[:, : HOP - 1])
    assert not worker.step()
    assert worker.seconds_until_next_hop() == 1 / RATE
    capture(rings, given[:, HOP - 1 :])
    assert [worker.step() for _ in range(11)] == [True] * 10 + [False]
    np.testing.assert_array_equal(np.concatenate(rings.hops[:10, 3], axis=1), given)
    assert rings.tags[:11].tolist() == [*range(10), EMPTY]


def test_worker_that_joins_begins_now_and_hides_hops_without_enough_context():
    rings, given = ring(), song(20 * HOP)
    capture(rings, given[:, : 10 * HOP])
    worker = HopWorker(PassthroughSeparator(hop=HOP, latency=LATENCY), rings, join=True)
    capture(rings, given[:, 10 * HOP :])
    while worker.step():
        pass
    assert rings.tags[:10].tolist() == [EMPTY] * 10
    assert rings.tags[10:12].tolist() == [EMPTY - 11, EMPTY - 12]
    assert rings.tags[12:20].tolist() == list(range(12, 20))
    sound = np.concatenate(rings.hops[12:20, 3], axis=1)
    np.testing.assert_array_equal(sound, given[:, 12 * HOP - LATENCY : 20 * HOP - LATENCY])


def test_a_worker_refuses_nan_resets_its_separator_and_goes_on():
    rings, given = ring(), song(20 * HOP, marked_hops={5})
    worker = HopWorker(Broken(value=np.nan), rings)
    capture(rings, given)
    while worker.step():
        pass
    assert rings.tags[:9].tolist() == [0, 1, 2, 3, 4, EMPTY - 6, EMPTY - 7, EMPTY - 8, 8]
    assert rings.positions[NONFINITE] == 1
    np.testing.assert_array_equal(rings.hops[8, 0], given[:, 8 * HOP - LATENCY : 9 * HOP - LATENCY])


def test_warming_up_leaves_a_separator_as_new_and_describes_it():
    separator = PassthroughSeparator(hop=HOP, latency=LATENCY)
    info = warm_up(separator)
    assert (info.hop, info.latency, info.channels, info.stems) == (HOP, LATENCY, 2, separator.stems)
    assert info.hop_seconds > 0
    assert not separator.process(np.ones((2, HOP), np.float32)).any()


def interrupted(work):
    """A separator whose hops last long: with the thread at work, or waiting, as for a processor that others have."""
    separator, inner = PassthroughSeparator(hop=441), PassthroughSeparator(hop=441)

    def process(block):
        work(0.02)
        return inner.process(block)

    separator.process = process
    return separator


def spin(seconds):
    begun = time.thread_time()
    while time.thread_time() < begun + seconds:
        pass


def test_share_of_a_busy_thread_counts_its_work_and_not_what_others_take():
    waiting, working = (warm_up(interrupted(work), calls=6) for work in (time.sleep, spin))
    assert waiting.hop_seconds > 0.02  # twice the length of a hop
    assert waiting.busy_share < 0.5
    assert working.busy_share >= 2


def test_a_thread_separates_until_it_is_stopped_and_then_is_gone():
    rings, given = ring(), song(10 * HOP)
    worker = ThreadWorker(lambda: PassthroughSeparator(hop=HOP))
    worker.start(rings)
    capture(rings, given)
    wait_until(lambda: rings.tags[9] == 9)
    worker.stop()
    assert "separator" not in {thread.name for thread in threading.enumerate()}
    np.testing.assert_array_equal(np.concatenate(rings.hops[:10, 3], axis=1), given)


def test_a_separator_that_raises_on_its_thread_is_reported_and_comes_back(tmp_path):
    given, messages = song(int(2.5 * RATE), marked_hops={HOPS}), []
    config = EngineConfig(model=f"{__name__}:Raising", worker="thread", slack=4096, hold_ms=20, record=tmp_path)
    with Engine(PacedBackend(RATE, 128), config, source=given, report=messages.append) as engine:
        wait_until(lambda: engine.source_ended)
    mix, vocals, other = (
        soundfile.read(tmp_path / f"{name}.wav", dtype="float32")[0].T[:, : given.shape[1]]
        for name in ("mix", "vocals", "other")
    )
    news = [each for each in messages if each.startswith("the separator ") and "was late" not in each]
    assert news == [
        "the separator failed (RuntimeError: out of memory): the dry sound plays while it starts again",
        "the separator did not come back (the weights are gone); trying again",
        "the separator did not come back (the weights are gone); trying again",
        "the separator is back: the stems fade in",
    ]
    stats = engine.stats()
    assert stats.restarts == 1
    assert stats.late_hops > 10
    np.testing.assert_array_equal(mix, given)
    missing = (vocals == 0).all(axis=0)
    assert missing.any()
    np.testing.assert_array_equal(other[:, missing], given[:, missing])
    np.testing.assert_array_equal(vocals[:, -4096:], given[:, -4096:])


class Moody(PassthroughSeparator):
    """Raises at the first loud sound."""

    raised = False

    def __init__(self, **options):
        super().__init__(hop=HOP, latency=LATENCY, **options)

    def process(self, block):
        if np.abs(block).max() > 0.9 and not type(self).raised:
            type(self).raised = True
            raise RuntimeError("no")
        return super().process(block)


def test_effects_of_a_separator_that_comes_back_on_its_thread_are_as_they_were_last():
    require_package("pedalboard", "effects")
    rings = ring()
    worker = ThreadWorker(Moody, lambda _: None, chain_reserve=0)
    worker.start(rings)
    worker.set_chains({"other": [{"plugin": "Invert"}], "drums": [{"plugin": "Invert"}]})
    worker.set_bypass("drums", bypassed=True)
    capture(rings, song(4 * HOP, marked_hops={2}))
    wait_until(lambda: worker.restarts == 1)
    sound = song(40 * HOP)
    capture(rings, sound)
    hop = int(rings.captured() // HOP) - 1
    wait_until(lambda: rings.tags[hop] == hop)
    worker.stop()
    assert worker.chains.of("drums")[0].plugin == "Invert"
    assert worker._separator.bypassed == {"drums"}
    late = sound[:, -HOP - LATENCY : -LATENCY]
    np.testing.assert_array_equal(rings.hops[hop, 3], -late)


def test_separator_whose_stems_have_another_shape_than_declared_is_refused_before_it_plays():
    class Short(PassthroughSeparator):
        def process(self, block):
            return super().process(block)[..., :-1]

    with pytest.raises(SeparatorError, match=r"shape \(4, 2, 127\), not \(4, 2, 128\)"):
        InlineWorker(lambda: Short(hop=128))
