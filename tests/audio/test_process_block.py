"""The compiled callback against a slow and obvious one, and the guarantees on its output."""

import re

import numba
import numpy as np
import pytest
from audio_thread import (
    AMPLITUDE,
    FADE,
    HOLD,
    HOP,
    LATENCY,
    PREFILL,
    STEMS,
    Player,
    delayed,
    noise,
    passthrough,
    sine,
)

from stream_sep.backends import callback
from stream_sep.backends.callback import portaudio_callback


class Reference:
    """The callback one frame at a time, in double precision: slow and obvious."""

    def __init__(self, stems=STEMS, carrier=STEMS - 1, fade=FADE):
        self.stems, self.carrier, self.fade = stems, carrier, fade
        self.input = np.zeros((2, 0))
        self.slots = np.zeros((40, stems, 2, HOP))
        self.ready = {}
        self.ramps = [(1.0, 1.0, 0, 0)] * 2 * (1 + stems)  # of each gain: from, to, first frame, end
        self.bypass = self.unity = False
        self.wet, self.wait, self.edge = fade, 0, None

    def publish(self, number, stems):
        self.slots[number % 40], self.ready[number % 40] = stems, number

    def set(self, gains, ramp, *, bypass, begin):
        now, self.bypass = self.input.shape[1], bypass
        for row, aim in enumerate(gains):
            if aim != self.ramps[row][1]:
                first = max(begin, now) if now >= self.ramps[row][3] else now
                self.ramps[row] = (self.gain(row, now), aim, first, first + ramp)

    def gain(self, row, now):
        start, aim, first, end = self.ramps[row]
        return aim if now >= end else start + (aim - start) * max(now - first, 0) / (end - first)

    def at_unity(self, first, last):
        for start, aim, begin, end in self.ramps[2:]:
            if not ((first >= end and aim == 1) or (first < end and begin >= last and start == 1)):
                return False
        return True

    def stem(self, at):
        return self.slots[at // HOP % 40, ..., at % HOP] if at >= 0 else np.zeros((self.stems, 2))

    def play(self, block):
        first = self.input.shape[1]
        self.input = np.concatenate([self.input, block], axis=1)
        unity = self.at_unity(first, self.input.shape[1])
        return np.stack([self.frame(time, unity=unity) for time in range(first, first + block.shape[1])], axis=1)

    def frame(self, time, *, unity):
        at, dry = time - PREFILL, np.zeros(2)
        if self.edge is None or self.wet == 0:  # while a gap fades to dry, a change would make a step
            self.unity = unity
        if time >= PREFILL + LATENCY:
            dry = self.input[:, time - PREFILL - LATENCY]
        there = at < 0 or self.ready.get(at // HOP % 40) == at // HOP
        if not there and self.edge is None:
            self.edge = at
        if there and (self.edge is None or self.wet == 0):  # a fade that has begun goes on to its end
            self.edge = None
            self.wait = max(self.wait - 1, 0)
        else:
            self.wait = HOLD
        is_wet = self.edge is None and self.wait == 0 and not self.bypass
        self.wet = min(max(self.wet + (1 if is_wet else -1), 0), self.fade)
        wet = self.wet / self.fade
        gains = np.reshape([self.gain(row, time + 1) for row in range(len(self.ramps))], (-1, 2))
        stems = self.stem(at if self.edge is None else 2 * self.edge - 1 - at) * gains[1:] * wet
        mix = dry if self.unity else stems.sum(axis=0) + (1 - wet) * dry
        stems[self.carrier] += (1 - wet) * dry
        return np.concatenate([mix * gains[0], stems.ravel()])


@pytest.mark.parametrize("carrier", range(STEMS))
@pytest.mark.parametrize("fade", [1, 20, HOP, 150])
def test_the_callback_does_what_the_reference_does(fade, carrier):
    rng = np.random.default_rng(fade + carrier)
    player, reference = Player(carrier=carrier, fade=fade, max_block=96), Reference(carrier=carrier, fade=fade)
    done = number = 0
    for _ in range(150):
        if rng.random() < 0.15:
            gains = np.where(rng.random(8) < 0.3, [0], rng.uniform(0, 1, 8)) if rng.random() < 0.7 else np.ones(8)
            ramp, bypass = int(rng.integers(1, 400)), bool(rng.random() < 0.2)
            gains = gains.astype(np.float32)
            begin = done + int(rng.integers(0, 200)) if rng.random() < 0.5 else 0
            player.set(gains, ramp, bypass=bypass, begin=begin)
            reference.set(gains, ramp, bypass=bypass, begin=begin)
        block = noise(rng, int(rng.integers(1, 97)))
        np.testing.assert_allclose(player.play(block), reference.play(block), atol=1e-6)
        done += block.shape[1]
        while (number + 1) * HOP <= done:
            stems = rng.uniform(-AMPLITUDE, AMPLITUDE, (STEMS, 2, HOP)).astype(np.float32)
            if rng.random() < 0.9:
                player.rings.publish(number, stems)
                reference.publish(number, stems)
            number += 1
    assert player.count("late_hops") > 0
    assert player.count("frames") == done


def test_faders_that_reach_unity_while_a_gap_fades_to_dry_make_no_step():
    rng, fade = np.random.default_rng(3), 150
    player, reference = Player(fade=fade, max_block=96), Reference(fade=fade)
    half = np.full(8, 0.5, np.float32)
    player.set(half, 1)
    reference.set(half, 1, bypass=False, begin=0)
    done = number = moved = 0
    while done < 4000:
        if reference.edge is not None and 0 < reference.wet < fade and not moved:
            player.set(np.ones(8, np.float32), 1)
            reference.set(np.ones(8, np.float32), 1, bypass=False, begin=0)
            moved = done
        block = noise(rng, 16)
        np.testing.assert_allclose(player.play(block), reference.play(block), atol=1e-6)
        done += 16
        while (number + 1) * HOP <= done:
            stems = rng.uniform(-AMPLITUDE, AMPLITUDE, (STEMS, 2, HOP)).astype(np.float32)
            if number != 12:
                player.rings.publish(number, stems)
                reference.publish(number, stems)
            number += 1
    assert moved
    assert reference.unity


def test_a_block_longer_than_the_longest_is_done_in_parts():
    song = noise(np.random.default_rng(0), 1000)
    parts, whole = Player(max_block=96), Player(max_block=96)
    pieces = [parts.play(song[:, at : at + 96]) for at in range(0, 1000, 96)]
    np.testing.assert_array_equal(whole.play(song), np.concatenate(pieces, axis=1))


def test_faders_at_unity_give_the_delayed_input_bit_for_bit():
    song = noise(np.random.default_rng(1), 4000)
    out = passthrough(Player(), song, lost={20, 21, 35})
    np.testing.assert_array_equal(out[:2], delayed(song))


def test_bypass_is_the_delayed_input_bit_for_bit_once_it_has_faded_in():
    song = noise(np.random.default_rng(2), 4000)
    player = Player()
    player.set([1, 1, *[0.3] * 6], bypass=True)
    out = passthrough(player, song)
    np.testing.assert_array_equal(out[:2, FADE:], delayed(song)[:, FADE:])


def test_a_gain_change_is_a_straight_ramp_that_starts_with_the_next_block_and_ends_on_its_aim():
    player, ramp = Player(), 300
    song = np.ones((2, 4000), np.float32)
    passthrough(player, song)
    aim = np.array([0.1, 1, 0.7, 0.3, 0, 0.5, 0.2, 0.9], np.float32)
    player.set(aim, ramp)
    out = passthrough(player, song)
    np.testing.assert_allclose(np.diff(out[6, :ramp], prepend=1), -0.8 / ramp, atol=1e-6)
    assert out[6, ramp - 1] == pytest.approx(aim[6], abs=1e-6)
    np.testing.assert_array_equal(out[6, ramp + 40 :], aim[6])


def test_a_ramp_begins_at_the_frame_it_is_given():
    player, song = Player(), np.ones((2, 400), np.float32)
    passthrough(player, np.ones((2, 2000), np.float32))
    player.set([1] * 6 + [0, 0], ramp=10, begin=2123)
    bus = passthrough(player, song)[6]
    np.testing.assert_array_equal(bus[:123], 1)
    np.testing.assert_allclose(bus[123:133], 1 - np.arange(1, 11) / 10, atol=1e-6)
    assert not bus[133:].any()


def test_a_short_ramp_of_one_fader_leaves_the_long_one_of_another_alone():
    player = Player()
    passthrough(player, np.ones((2, 2000), np.float32))
    player.set([0.5, 0.5, *[1] * 6], ramp=1000)
    passthrough(player, np.ones((2, 200), np.float32))
    player.set([0.5, 0.5, *[1] * 4, 0.25, 0.25], ramp=20)
    main = passthrough(player, np.ones((2, 900), np.float32))[0]
    np.testing.assert_allclose(main[20:800], 0.25 * (1 - 0.5 * np.arange(221, 1001) / 1000), atol=1e-6)


def test_two_changes_before_a_block_keep_their_own_ramps():
    player = Player()
    passthrough(player, np.ones((2, 2000), np.float32))
    player.set([0.5, 0.5, *[1] * 6], ramp=1000)
    player.set([0.5, 0.5, *[1] * 4, 0.25, 0.25], ramp=20)
    out = passthrough(player, np.ones((2, 900), np.float32))
    np.testing.assert_allclose(out[6, :20], 1 - 0.75 * np.arange(1, 21) / 20, atol=1e-6)
    np.testing.assert_allclose(out[0, 20:800], 0.25 * (1 - 0.5 * np.arange(21, 801) / 1000), atol=1e-6)


def test_the_limiter_keeps_full_scale_leaves_what_is_below_alone_and_lets_go():
    rng, player = np.random.default_rng(5), Player()
    player.set([1] * 8, limiter=True)
    quiet = noise(rng, 2000)
    np.testing.assert_array_equal(passthrough(player, quiet)[:2], delayed(quiet))
    loud = passthrough(player, 4 * noise(rng, 2000))[:2]
    assert 0.999 < np.abs(loud[:, 500:]).max() <= 1 + 1e-6
    still = np.full((2, 40000), 0.1, np.float32)
    assert passthrough(player, still)[0, -1] == np.float32(0.1)
    player.set([1] * 8)
    assert np.abs(passthrough(player, 4 * noise(rng, 2000))).max() > 1.5


def test_no_step_is_larger_than_the_ramp_however_often_a_fader_moves():
    rng, player, ramp = np.random.default_rng(3), Player(), 200
    passthrough(player, np.ones((2, 2000), np.float32))
    last = 1.0
    for _ in range(60):
        player.set([1] * 6 + [rng.uniform(0, 1)] * 2, ramp)
        bus = passthrough(player, np.ones((2, 40), np.float32))[6]
        assert np.abs(np.diff(bus, prepend=last)).max() <= 1.001 / ramp
        last = bus[-1]


def test_a_muted_stem_is_exactly_silent_after_its_ramp():
    player, song = Player(), noise(np.random.default_rng(4), 4000)
    player.set([1] * 6 + [0, 0], ramp=100)
    out = passthrough(player, song)
    assert not out[[0, 1, 6, 7], 100:].any()
    assert delayed(song)[:, 500:].any()


def test_a_lost_hop_makes_no_step_larger_than_the_crossfade_does():
    """Also where a hop is shorter than the fade, and where the hop after it comes again."""
    song = sine(12000).astype(np.float32)
    slope = np.abs(np.diff(song)).max()
    for fade in (16, 48, 64, 100, 200, 500):
        player = Player(fade=fade, hold=0)
        player.set([1] * 6 + [0.2] * 2)
        out = passthrough(player, song, lost={60, 61, 90, 92, 94, 120})[0, 1000:]
        assert player.count("late_hops") == 6
        assert np.abs(np.diff(out)).max() <= slope + 1.2 * AMPLITUDE / fade + 1e-6, fade
        np.testing.assert_allclose(out[-500:], 0.2 * delayed(song)[0, -500:], atol=1e-6)


def test_a_lost_hop_is_counted_once_and_a_skipped_one_not_at_all():
    song = noise(np.random.default_rng(5), 4000)
    player = Player()
    passthrough(player, song, 7, lost={20, 30, 31})
    assert player.count("late_hops") == 3
    player = Player()
    for number in range(10):
        player.rings.mark_skipped(number)
    player.play(song[:, : PREFILL + 10 * HOP])
    assert player.count("late_hops") == 0
    assert player.count("dry_frames") >= 10 * HOP


def test_a_hop_that_comes_late_is_never_played_at_another_time():
    song = noise(np.random.default_rng(6), 8000)
    player = Player(fade=500)
    player.set([1] * 6 + [0.5] * 2)
    passthrough(player, song[:, :4000], lost=range(20, 80))
    player.rings.publish(20, np.full((STEMS, 2, HOP), 100, np.float32))
    out = passthrough(player, song[:, 4000:])
    assert np.abs(out).max() <= AMPLITUDE
    np.testing.assert_allclose(out[0, -500:], 0.5 * delayed(song)[0, -500:], atol=1e-6)


def test_nan_and_infinity_become_silence_and_are_counted():
    song = noise(np.random.default_rng(7), 4000)
    clean = song.copy()
    for frame, value in ((5, np.nan), (700, np.inf), (701, -np.inf)):
        song[0, frame], clean[0, frame] = value, 0
    player = Player()
    out = player.play(song)
    assert np.isfinite(out).all()
    assert np.isfinite(player.rings.capture).all()
    np.testing.assert_array_equal(out[:2], delayed(clean))
    assert player.count("bad_input") == 3


def test_the_source_plays_in_place_of_the_input_and_its_end_is_reported():
    song = noise(np.random.default_rng(8), 500)
    player = Player(source=song)
    silence = np.zeros((2, 100), np.float32)
    out = [player.play(silence)[:2] for _ in range(9)]
    assert player.count("source_end") == 0
    out += [player.play(silence)[:2] for _ in range(3)]
    assert player.count("source_end") == 1
    np.testing.assert_array_equal(np.concatenate(out, axis=1)[:, PREFILL + LATENCY :][:, :500], song)


def test_meters_show_the_loudest_and_fall_and_clipping_is_counted():
    player = Player()
    loud = np.full((2, 100), 2.0, np.float32)
    player.play(loud)
    assert player.state.meters()[-2:].tolist() == [2, 2]
    player.play(np.zeros((2, 600), np.float32))
    assert player.count("clipped") > 0
    assert player.state.meters()[0] == pytest.approx(2 * 0.9997**0, rel=0.2)
    before = player.state.meters()
    player.play(np.zeros((2, 500), np.float32))
    assert (player.state.meters()[-2:] < before[-2:]).all()


def test_lost_blocks_of_the_driver_are_counted():
    player, silence = Player(), np.zeros((8, 8), np.float32)
    for flags in (1, 2, 4, 8, 15):
        portaudio_callback().ctypes(silence.ctypes.data, silence.ctypes.data, 4, 0, flags, player.state.address)
    names = ("input_underflows", "input_overflows", "output_underflows", "output_overflows")
    assert [player.count(name) for name in names] == [2, 2, 2, 2]


def calls_of(function):
    """Return the names of what compiled ``function`` calls, without the wrapper that would report an exception."""
    compiled = numba.cfunc(callback._PORTAUDIO, nopython=True, cache=False, error_model="numpy")(function)
    bodies = re.split(r"^(?=define )", compiled.inspect_llvm(), flags=re.MULTILINE)
    code = "".join(body for body in bodies if not re.match(r"define [^\n]*@\"?cfunc\.", body))
    defined = set(re.findall(r"^define [^\n]*?@\"?([\w.]+)", code, re.MULTILINE))
    called = set(re.findall(r"(?:call|invoke) [^\n]*?@\"?([\w.]+)", code))
    return {name for name in called - defined if not name.startswith("llvm.")}


@pytest.mark.parametrize("function", [callback._on_portaudio, callback._on_capture])
def test_a_compiled_callback_allocates_nothing_and_calls_only_the_clock(function):
    assert calls_of(function) <= {"clock_gettime", "QueryPerformanceCounter", "NRT_MemInfo_call_dtor"}


def test_the_search_for_allocations_finds_one():
    def allocating(_input, _output, frames, _time, _flags, _user):
        return np.int32(np.zeros(frames).sum())

    assert any("lloc" in name for name in calls_of(allocating))


def test_delay_that_is_added_while_it_plays_moves_dry_sound_and_stems_alike():
    song, extra = noise(np.random.default_rng(9), 6000), 200
    player = Player()
    passthrough(player, song[:, :2000])
    player.state.delay_by(extra)
    player.set([1] * 6 + [0.5] * 2)
    out = passthrough(player, song[:, 2000:])
    later = np.pad(delayed(song), ((0, 0), (extra, 0)))[:, 2000 : song.shape[1]]
    np.testing.assert_allclose(out[:2, 500:], 0.5 * later[:, 500:], atol=1e-6)
    np.testing.assert_allclose(out[6:, 500:], 0.5 * later[:, 500:], atol=1e-6)
