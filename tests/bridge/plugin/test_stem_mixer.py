"""The plug-in's mixer against the engine's audio callback over the same stems, and its additions."""

import dataclasses
import threading
import time

import numpy as np
import pytest

from stream_sep.audio.ring_layout import CAPTURED, RingLayout
from stream_sep.audio.rings import Rings
from stream_sep.audio.state import AudioState
from stream_sep.backends.callback import portaudio_callback

RATE, HOP, SEPARATOR, PREFILL = 44100, 512, 448, 1344
LATENCY = PREFILL + SEPARATOR
FADE, HOLD, RAMP = 265, 4410, 441
ROWS = 10
LAYOUT = RingLayout(channels=2, stems=4, hop=HOP, capacity=1 << 17, slots=64)


class NativeMixer:
    """The plug-in's mixer; it captures to `rings`, where tests put stems."""

    def __init__(self, harness, latency=LATENCY):
        self._harness, self.latency = harness, latency
        self._mixer = harness.mixer_new(RATE, latency)
        self.rings = None

    def attach(self, layout=LAYOUT, separator=SEPARATOR):
        self.rings = Rings(layout)
        sizes = np.array(layout.header[2:7], np.int64)
        return self._harness.mixer_attach(self._mixer, self.rings.header.ctypes.data, sizes.ctypes.data, separator)

    def play(self, block, wait_ns=0):
        given = np.ascontiguousarray(block, np.float32)
        out = np.full((ROWS, block.shape[1]), np.nan, np.float32)
        frames = block.shape[1]
        self.left = self._harness.mixer_process(
            self._mixer, given.ctypes.data, out.ctypes.data, frames, 0, frames, wait_ns
        )
        return out

    def set(self, gains):
        values = np.array(gains, np.float64)
        self._harness.mixer_gains(self._mixer, values.ctypes.data)

    def __getattr__(self, name):
        function = getattr(self._harness, f"mixer_{name}")
        return lambda *arguments: function(self._mixer, *arguments)


class EngineMixer:
    """The engine's audio thread with nothing around it."""

    def __init__(self):
        self.rings = Rings(LAYOUT)
        self._state = AudioState(
            self.rings, prefill=PREFILL, delay=LATENCY, fade=FADE, hold=HOLD, carrier=3, output_map=tuple(range(ROWS))
        )
        self._gains, self._bypass = [1.0] * 4, False

    def play(self, block):
        parts = [self._play(block[:, first : first + 1024]) for first in range(0, block.shape[1], 1024)]
        return np.concatenate(parts, axis=1) if parts else np.zeros((ROWS, 0), np.float32)

    def _play(self, block):
        given = np.ascontiguousarray(block.T, np.float32)
        taken = np.full((block.shape[1], ROWS), np.nan, np.float32)
        call = portaudio_callback().ctypes
        call(given.ctypes.data, taken.ctypes.data, block.shape[1], 0, 0, self._state.address)
        return taken.T

    def set(self, gains):
        self._gains = gains
        self._publish()

    def bypass(self, on):
        self._bypass = on
        self._publish()

    def late_hops(self):
        return self._state.counters()["late_hops"]

    def _publish(self):
        both = [gain for gain in self._gains for _ in range(2)]
        self._state.publish(np.array([1.0, 1.0, *both, float(self._bypass), 0.0, RAMP, 0.0], np.float64))


@pytest.fixture
def mixers(harness):
    native, engine = NativeMixer(harness), EngineMixer()
    assert native.attach()
    yield native, engine
    native.free()


def stems_of(number):
    made = np.random.default_rng(number).standard_normal((4, 2, HOP)).astype(np.float32)
    return made * (0.0 if number * HOP < SEPARATOR else 1.0)


class Deliveries:
    """Puts hop after hop into rings, some late, some never, some refused."""

    def __init__(self, rng, trouble):
        self._rng, self._trouble, self._next, self._later = rng, trouble, 0, []

    def deliver(self, captured, *rings):
        while (self._next + 1) * HOP <= captured:
            late = int(self._rng.integers(1, 12)) * HOP if self._rng.random() < self._trouble else 0
            self._later.append((self._next, self._next * HOP + late, self._rng.random() < self._trouble / 3))
            self._next += 1
        for number, due, refused in [entry for entry in self._later if entry[1] <= captured]:
            self._later.remove((number, due, refused))
            for one in rings:
                if refused:
                    one.mark_skipped(number)
                else:
                    one.publish(number, stems_of(number))


@pytest.mark.parametrize("trouble", [0.0, 0.03, 0.2])
@pytest.mark.parametrize("longest", [1, 7, 64, 333, 1024, 8192])
def test_mixer_plays_what_the_engine_plays_bit_for_bit(mixers, longest, trouble):
    native, engine = mixers
    rng = np.random.default_rng(longest)
    deliveries = Deliveries(rng, trouble)
    frames, played = (3000 if longest == 1 else 60000), 0
    while played < frames:
        size = int(rng.integers(0, longest + 1))
        deliveries.deliver(played, native.rings, engine.rings)
        if size and rng.random() < 200 / frames:  # the engine applies the newest gains at a block
            gains = rng.choice([0.0, 0.5, 1.0, 1.7], 4).tolist()
            native.set(gains)
            engine.set(gains)
        if rng.random() < 50 / frames:
            on = bool(rng.random() < 0.5)
            native.bypass(on)
            engine.bypass(on)
        block = rng.standard_normal((2, size)).astype(np.float32)
        assert np.array_equal(native.play(block), engine.play(block))
        played += size
    assert native.late_hops() == engine.late_hops()
    assert trouble == 0 or longest == 1 or native.late_hops() > 0


def test_dry_sound_is_in_time_without_rings(harness):
    mixer = NativeMixer(harness)
    song = np.random.default_rng(0).standard_normal((2, 20000)).astype(np.float32)
    out = np.concatenate([mixer.play(song[:, first : first + 333]) for first in range(0, 20000, 333)], axis=1)
    assert np.array_equal(out[:2, LATENCY:], song[:, :-LATENCY])
    assert np.array_equal(out[8:, LATENCY + FADE :], song[:, FADE:-LATENCY])  # "other" carries it
    assert not out[:2, :LATENCY].any()
    assert not out[2:8].any()
    mixer.free()


@pytest.mark.parametrize("separator", [SEPARATOR, 2 * HOLD])
def test_rings_that_come_while_sound_plays_fade_in_and_shift_nothing(harness, separator):
    latency = PREFILL + separator
    mixer = NativeMixer(harness, latency)
    time_line = np.sin(np.arange(60000) * 0.01).astype(np.float32)
    song, out, begun = np.stack([time_line, time_line]), [], 10 * HOP
    for first in range(0, 60000, HOP):
        if first == begun:
            mixer.attach(separator=separator)
        if first > begun:
            # all of the sound on one stem, as a separator returns it: silence first, as long as its latency
            at = np.arange(first - HOP, first) - separator
            stems = np.zeros((4, 2, HOP), np.float32)
            stems[0] = np.where(at >= begun, time_line[np.maximum(at, 0)], 0.0)
            mixer.rings.publish((first - begun) // HOP - 1, stems)
        mixer.set([0.999] * 4)
        out.append(mixer.play(song[:, first : first + HOP]))
    main = np.concatenate(out, axis=1)[0, latency:]
    assert np.abs(np.diff(main)).max() < 0.0101
    assert np.abs(main - time_line[: len(main)])[begun + HOLD + 2000 :].max() == pytest.approx(0.001, abs=1e-5)
    mixer.free()


def test_first_frames_of_a_stream_are_stems_and_not_a_fade_from_dry(mixers):
    native, _ = mixers
    native.set([0.0, 0.0, 0.0, 0.0])
    native.play(np.zeros((2, 0), np.float32))
    native.reset()  # gains stand where they were put
    for number in range(8):
        native.rings.publish(number, stems_of(number))
    out = native.play(np.ones((2, 3000), np.float32))
    assert not out.any()


def test_engine_that_goes_is_faded_out_over_its_own_last_stems(harness):
    mixer = NativeMixer(harness)
    mixer.attach()
    mixer.set([0.5] * 4)
    wave = np.sin(np.arange(60000) * 0.01).astype(np.float32)
    song, out, gone_at = np.stack([wave, wave]), [], 40 * HOP
    for first in range(0, 60000 - HOP, HOP):
        if first == gone_at:
            mixer.detach()
        if 0 < first < gone_at:
            at = np.arange(first - HOP, first) - SEPARATOR
            stems = np.zeros((4, 2, HOP), np.float32)
            stems[0] = np.where(at >= 0, wave[np.maximum(at, 0)], 0.0)
            mixer.rings.publish(first // HOP - 1, stems)
        out.append(mixer.play(song[:, first : first + HOP]))
        if first == gone_at:
            assert mixer.released()  # a fade is shorter than this block
            mixer.release()
    main = np.concatenate(out, axis=1)[0]
    assert np.abs(np.diff(main[LATENCY + 1000 :])).max() < 0.02
    assert np.array_equal(main[gone_at + HOP :], wave[gone_at + HOP - LATENCY : len(main) - LATENCY])
    mixer.free()


def test_mixer_waits_for_stems_where_it_may_and_no_longer(mixers):
    native, _ = mixers
    block = np.zeros((2, LATENCY), np.float32)

    def publish():
        time.sleep(0.05)
        for number in range(4):
            native.rings.publish(number, stems_of(number))

    late = threading.Thread(target=publish)
    late.start()
    native.play(block, wait_ns=20_000_000_000)
    late.join()
    assert native.late_hops() == 0
    assert 0 < native.left < 20_000_000_000
    native.play(np.zeros((2, 4 * HOP), np.float32), wait_ns=10_000_000)
    assert native.left <= 0
    assert native.late_hops() > 0


def test_mixer_whose_stems_never_come_waits_once_and_then_only_briefly(mixers):
    native, _ = mixers
    native.play(np.zeros((2, LATENCY + HOP), np.float32), wait_ns=100_000_000)
    assert native.left <= 0
    native.play(np.zeros((2, HOP), np.float32), wait_ns=60_000_000_000)
    assert native.left > 30_000_000_000


@pytest.mark.parametrize("played", [0, 3 * HOP])
def test_frames_before_the_first_stem_are_not_waited_for(harness, played):
    mixer = NativeMixer(harness, HOP + SEPARATOR)
    mixer.play(np.zeros((2, played), np.float32))
    mixer.attach()
    mixer.play(np.zeros((2, 100), np.float32), wait_ns=2_000_000_000)
    assert mixer.left == 2_000_000_000
    mixer.free()


def test_input_that_is_not_finite_reaches_neither_rings_nor_outputs(mixers):
    native, _ = mixers
    block = np.full((2, 3000), np.nan, np.float32)
    block[1] = np.inf
    out = native.play(block)
    assert np.isfinite(out).all()
    assert np.isfinite(native.rings.capture).all()


def test_output_may_lie_where_the_input_does(harness, mixers):
    native, engine = mixers
    sound = np.random.default_rng(1).standard_normal((2, 4096)).astype(np.float32)
    both = np.zeros((ROWS, 4096), np.float32)
    both[:2] = sound
    harness.mixer_process(native._mixer, both.ctypes.data, both.ctypes.data, 4096, 0, 4096, 0)
    assert np.array_equal(both, engine.play(sound))


def test_position_that_another_process_overwrites_is_not_read_back(mixers):
    native, _ = mixers
    block = np.ones((2, 100), np.float32)
    native.play(block)
    for wild in (7, -(1 << 62), 1 << 62):
        expected = native.rings.captured()
        native.rings.positions[CAPTURED] = wild
        native.play(block)
        assert native.rings.captured() == expected + 100
    native.rings.positions[CAPTURED] = -1
    native.reset()
    assert native.rings.captured() == HOP


@pytest.mark.parametrize(
    ("change", "usable"),
    [
        ({}, True),
        ({"hop": LATENCY - SEPARATOR}, True),
        ({"hop": LATENCY - SEPARATOR + 1}, False),
        ({"slots": (PREFILL + 1024) // HOP}, False),
        ({"capacity": PREFILL + 1024}, False),
    ],
)
def test_rings_too_short_for_the_latency_are_refused(harness, change, usable):
    sizes = np.array(dataclasses.replace(LAYOUT, **change).header[2:7], np.int64)
    assert harness.harness_can_read(sizes.ctypes.data, SEPARATOR, LATENCY, RATE) == usable


@pytest.mark.parametrize("word", range(8))
def test_memory_that_is_no_rings_is_refused(harness, word):
    mixer, rings = NativeMixer(harness), Rings(LAYOUT)
    rings.header[word] += 1
    sizes = np.array(LAYOUT.header[2:7], np.int64)
    assert not harness.mixer_attach(mixer._mixer, rings.header.ctypes.data, sizes.ctypes.data, SEPARATOR)
    mixer.free()
