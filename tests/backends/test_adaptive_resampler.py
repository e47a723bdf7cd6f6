"""Sound between two clocks, in simulated time: the audio threads' own code, called at moments that a test decides."""

import numba
import numpy as np
import pytest

from stream_sep.backends.adaptive_resampler import (
    FADE,
    PHASES,
    TAPS,
    AdaptiveResampler,
    read_output,
    sinc_table,
    update_ratio,
    write_input,
)

RATE, BLOCK, RESERVE = 44100, 128, 900
SECOND = 1_000_000_000


@numba.njit
def run(record, sound, input_at, input_sizes, output_at, block, out):  # noqa: PLR0917 - Numba takes them so
    """Give and take blocks in the order of their moments."""
    resampler = record[0]
    begin, given, taken = 0, 0, 0
    room = np.zeros((2, block), np.float32)
    while taken < len(output_at):
        if given < len(input_at) and input_at[given] <= output_at[taken]:
            size = input_sizes[given]
            write_input(resampler, sound[begin : begin + size], size, input_at[given])
            begin += size
            given += 1
        else:
            update_ratio(resampler, block, output_at[taken])
            read_output(resampler, room, block)
            out[:, taken * block : (taken + 1) * block] = room
            taken += 1


class Clocks:
    """Two devices: when their blocks come, in nanoseconds, of clocks that are off by parts in a million."""

    def __init__(self, seconds, *, input_ppm=0, output_ppm=0, jitter_ms=0.0, input_block=BLOCK, burst=1):
        draw = np.random.default_rng(0)
        self.input_rate, self.output_rate = RATE * (1 + input_ppm / 1e6), RATE * (1 + output_ppm / 1e6)
        blocks = int(seconds * self.input_rate) // (input_block * burst) * burst
        self.input_sizes = np.full(blocks, input_block)
        ends = (np.arange(blocks) // burst + 1) * burst * input_block
        self.input_at = self._moments(ends / self.input_rate, jitter_ms, draw)
        starts = np.arange(int(seconds * self.output_rate) // BLOCK) * BLOCK
        self.output_at = self._moments(starts / self.output_rate, jitter_ms, draw)

    @staticmethod
    def _moments(seconds, jitter_ms, draw):
        late = seconds + jitter_ms / 1000 * draw.random(len(seconds))
        return (1000 * SECOND + SECOND * np.maximum.accumulate(late)).astype(np.int64)

    def carry(self, sound):
        """Return what the taking device gets of ``sound``, a function of seconds, and the resampler."""
        resampler = AdaptiveResampler(RATE, 2, (1, 0), RESERVE)
        given = sound(np.arange(self.input_sizes.sum()) / self.input_rate).astype(np.float32)
        out = np.zeros((2, len(self.output_at) * BLOCK), np.float32)
        run(
            resampler.record,
            np.stack([given, -given], 1),
            self.input_at,
            self.input_sizes,
            self.output_at,
            BLOCK,
            out,
        )
        return out, resampler.record

    def left_second(self, out, second):
        """Return a second of the left channel, and the times at which its frames play, by the reference clock."""
        part = slice(second * RATE, (second + 1) * RATE)
        return out[0, part], (np.arange(out.shape[1]) / self.output_rate)[part]


def sine(frequency):
    return lambda t: -0.5 * np.sin(2 * np.pi * frequency * t)


def noise_and_delay(got, seconds, frequency):
    """Return the residual without the best-fit sine of a frequency, in dB, and the delay of that sine, in frames."""
    basis = np.stack([np.sin(2 * np.pi * frequency * seconds), np.cos(2 * np.pi * frequency * seconds)])
    weights, *_ = np.linalg.lstsq(basis.T, got, rcond=None)
    rest = got - weights @ basis
    delay = -np.arctan2(weights[1], weights[0]) / (2 * np.pi * frequency)
    return 10 * np.log10(np.mean(rest**2) / np.mean(got**2)), delay % (1 / frequency) * RATE


AGE = RESERVE + BLOCK


@pytest.mark.slow
@pytest.mark.parametrize("frequency", [40, 1000, 10000, 18000])
def test_with_equal_clocks_a_tone_is_only_late(frequency):
    clocks = Clocks(4)
    out, _ = clocks.carry(sine(frequency))
    noise, delay = noise_and_delay(*clocks.left_second(out, 2), frequency)
    assert noise < -90
    assert delay == pytest.approx(AGE % (RATE / frequency), abs=0.01)


@pytest.mark.parametrize("ppm", [-300, -20, 100])
def test_a_tone_keeps_its_pitch_and_its_age_between_clocks_that_differ(ppm):
    clocks = Clocks(60, input_ppm=ppm)
    out, record = clocks.carry(sine(20))
    noise, delay = noise_and_delay(*clocks.left_second(out, 57), 20)
    assert noise < -80
    assert delay == pytest.approx(AGE, abs=1)
    assert record["starved"][0] == 0


@pytest.mark.slow
def test_ten_minutes_of_late_blocks_of_other_sizes_lose_nothing():
    clocks = Clocks(600, input_ppm=-150, output_ppm=150, jitter_ms=4, input_block=147, burst=3)
    out, record = clocks.carry(sine(20))
    assert record["starved"][0] == 0
    left, delays = out[0, RATE:], []
    assert np.abs(np.diff(left)).max() < 1.02 * 0.5 * 2 * np.pi * 20 / RATE  # no step that the tone does not make
    for second in (60, 300, 590):
        noise, delay = noise_and_delay(*clocks.left_second(out, second), 20)
        assert noise < -60
        delays.append(delay)
    assert np.ptp(delays) < 20  # frames: it wavers with the jitter, and does not grow


def test_the_start_is_silence_and_then_a_fade():
    out, _ = Clocks(1).carry(lambda t: np.full(len(t), -0.5))
    first = np.flatnonzero(out[0])[0]
    assert RESERVE - BLOCK < first < RESERVE + 3 * BLOCK
    assert np.abs(np.diff(out[0])).max() < 1.1 * 0.5 / FADE
    np.testing.assert_allclose(out[:, -1], [0.5, -0.5], atol=1e-6)  # and left and right are as the map has them


def test_a_device_that_stands_still_is_a_gap_with_fades_and_the_age_comes_back():
    clocks = Clocks(20)
    clocks.input_at[clocks.input_at > clocks.input_at[1000]] += SECOND // 5
    out, record = clocks.carry(lambda t: np.full(len(t), -0.5))
    assert record["starved"][0] >= 1
    gap = np.flatnonzero(out[0, RATE:] == 0)
    assert 0.1 * RATE < len(gap) < 0.4 * RATE
    assert np.abs(np.diff(out[0])).max() < 0.5 / 60  # the frames left at the gap suffice for a short fade
    assert record["locked"][0] == 1


def test_a_taking_device_that_stands_still_is_not_late_for_ever():
    clocks = Clocks(20)
    clocks.output_at[clocks.output_at > clocks.output_at[1000]] += SECOND // 5
    clocks.output_at = clocks.output_at[clocks.output_at < clocks.input_at[-1]]
    out, record = clocks.carry(sine(20))
    assert record["starved"][0] == 1
    seconds = np.arange(out.shape[1]) / RATE + 0.2
    part = slice(15 * RATE, 16 * RATE)
    _, delay = noise_and_delay(out[0, part], seconds[part], 20)
    assert delay == pytest.approx(AGE, abs=2)


def test_what_lies_between_two_samples_is_what_a_band_limited_sound_has_there():
    table, draw = sinc_table(), np.random.default_rng(0)
    tones = [(f, draw.uniform(0, 2 * np.pi)) for f in (100, 3000, 9000, 16000)]
    t = (np.arange(TAPS) - (TAPS // 2 - 1)) / RATE
    for row in (0, 1, 77, PHASES // 2, PHASES):
        for frequency, phase in tones:
            made = table[row] @ np.cos(2 * np.pi * frequency * t + phase)
            assert made == pytest.approx(np.cos(2 * np.pi * frequency * row / PHASES / RATE + phase), abs=3e-5)


def test_restart_resets_the_state():
    clocks = Clocks(1)
    resampler = AdaptiveResampler(RATE, 2, (0, 1), RESERVE)
    sound = np.ones((int(clocks.input_sizes.sum()), 2), np.float32)
    outs = []
    for _ in range(2):
        outs.append(np.zeros((2, len(clocks.output_at) * BLOCK), np.float32))
        run(resampler.record, sound, clocks.input_at, clocks.input_sizes, clocks.output_at, BLOCK, outs[-1])
        resampler.restart()
    np.testing.assert_array_equal(*outs)
