"""What plays where stems fail, by the user's choice; and that no sample that comes out is not finite and bounded."""

import numpy as np
import pytest
from audio_thread import AMPLITUDE, FADE, HOP, STEMS, Player, delayed, noise, passthrough, sine

from stream_sep.audio.gain_ramps import MAX_SAMPLE
from stream_sep.audio.state import DRY, MUTE
from stream_sep.audio.state import FADE as FADE_OUT

LOST = range(40, 100)
GAP = slice(40 * HOP + 320, 100 * HOP + 320)  # frames, after the prefill, in which no stems are there
LONG = 1000
HUGE = np.float32(3.4e38)


def muted(on_failure, **settings):
    """A player whose stems, but for the first, are silent: its output is dry, or silence."""
    player = Player(on_failure=on_failure, fade_out=LONG, **settings)
    player.set([1] * 6 + [0, 0])
    return player


def test_dry_sound_plays_where_stems_fail_by_default():
    song = noise(np.random.default_rng(0), 8000)
    out = passthrough(muted(DRY), song, lost=LOST)
    np.testing.assert_array_equal(out[:2, GAP][:, FADE:], delayed(song)[:, GAP][:, FADE:])


def test_mute_plays_nothing_where_stems_fail():
    song = noise(np.random.default_rng(0), 8000)
    out = passthrough(muted(MUTE), song, lost=LOST)
    assert not out[:, 1000:].any()
    assert delayed(song)[:, GAP].any()


def test_fade_plays_the_dry_sound_for_a_while_and_less_and_less_of_it():
    song = np.full((2, 8000), AMPLITUDE, np.float32)
    out = passthrough(muted(FADE_OUT), song, lost=LOST)[0, GAP]
    assert out[FADE] == pytest.approx(AMPLITUDE * (1 - FADE / LONG), abs=AMPLITUDE * 2 / LONG)
    assert (np.diff(out[FADE : LONG - 1]) < 0).all()
    assert not out[LONG:].any()


@pytest.mark.parametrize("on_failure", [MUTE, FADE_OUT])
def test_faders_at_unity_and_bypass_give_the_delayed_input_whatever_fails(on_failure):
    song = noise(np.random.default_rng(1), 8000)
    np.testing.assert_array_equal(passthrough(Player(on_failure=on_failure), song, lost=LOST)[:2], delayed(song))
    player = muted(on_failure)
    player.set([1] * 6 + [0, 0], bypass=True)
    out = passthrough(player, song, lost=LOST)[:2]
    np.testing.assert_array_equal(out[:, FADE:], delayed(song)[:, FADE:])


@pytest.mark.parametrize("on_failure", [DRY, MUTE, FADE_OUT])
@pytest.mark.parametrize("seed", range(8))
def test_no_step_is_larger_than_fades_and_ramps_whatever_fails_and_moves(on_failure, seed):
    rng, ramp = np.random.default_rng(seed), 200
    song = sine(30000).astype(np.float32)
    player = Player(on_failure=on_failure, fade_out=LONG, hold=0)
    lost = {int(hop) for start in rng.integers(20, 450, 20) for hop in range(start, start + rng.integers(1, 12))}
    out = []
    for start in range(0, song.shape[1], 500):
        if rng.random() < 0.5:
            gains = np.ones(6) if rng.random() < 0.5 else np.array([1, 1, 1, 1, *[rng.uniform(0, 1)] * 2])
            player.set([1, 1, *gains], ramp, bypass=bool(rng.random() < 0.2))
        out.append(passthrough(player, song[:, start : start + 500], lost=lost))
    steps = np.abs(np.diff(np.concatenate(out, axis=1)[0, 1000:]))
    slope = np.abs(np.diff(song)).max()
    assert steps.max() <= slope + 2.2 * AMPLITUDE / FADE + AMPLITUDE / ramp + 1e-6
    assert player.count("late_hops") > 10


@pytest.mark.parametrize("value", [HUGE, -HUGE, np.float32(1e37), np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("limiter", [False, True])
def test_stems_of_any_value_come_out_finite_and_bounded(value, limiter):
    player = Player()
    player.set([3.16] * 8, limiter=limiter)
    silence = np.zeros((2, 40), np.float32)
    for number in range(60):
        player.rings.publish(number, np.full((STEMS, 2, HOP), value if 20 <= number < 40 else 0.1, np.float32))
    out = np.concatenate([player.play(silence) for _ in range(90)], axis=1)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= MAX_SAMPLE
    if limiter:
        assert np.abs(out[:2]).max() <= 1 + 1e-6
    assert out[0, -1] != 0  # it plays again


@pytest.mark.parametrize("limiter", [False, True])
def test_input_of_any_value_comes_out_finite_and_what_is_no_sound_is_counted(limiter):
    rng = np.random.default_rng(2)
    bits = rng.integers(0, 1 << 32, (2, 40000), dtype=np.uint32)
    song = bits.view(np.float32)
    player = Player()
    player.set([3.16] * 8, limiter=limiter)
    out = passthrough(player, song)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 10 * MAX_SAMPLE
    if limiter:
        assert np.abs(out[:2]).max() <= 1 + 1e-6
    assert player.count("bad_input") == np.count_nonzero(~(np.abs(song) <= MAX_SAMPLE))
