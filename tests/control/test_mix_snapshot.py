"""From faders to gains: the whole truth table."""

import itertools

import numpy as np
import pytest

from stream_sep import STEMS, ControlState
from stream_sep.control.levels import db_to_gain
from stream_sep.control.mix_snapshot import balance, compile_mix
from stream_sep.control.parameters import parameters_for
from stream_sep.control.transition import Transition


def mixed(rate=44100, **changes):
    controls = ControlState(parameters_for(STEMS))
    controls.update({path.replace("__", "/"): value for path, value in changes.items()})
    return compile_mix(controls.snapshot(), STEMS, rate)


def stem_gains(snapshot):
    return dict(zip(STEMS, snapshot[2:-4].reshape(-1, 2).tolist(), strict=True))


def test_untouched_faders_are_exactly_unity():
    snapshot = mixed()
    assert snapshot.dtype == np.float64
    np.testing.assert_array_equal(snapshot[:-4], np.ones(10))


def test_each_fader_moves_its_own_stem_alone():
    for stem in STEMS:
        gains = stem_gains(mixed(**{f"stem/{stem}/gain_db": -6}))
        assert gains.pop(stem) == pytest.approx([db_to_gain(-6)] * 2)
        assert all(gain == [1, 1] for gain in gains.values())


def test_stem_is_audible_unless_muted_or_not_among_the_soloed():
    for muted, soloed in itertools.product(itertools.product([False, True], repeat=4), repeat=2):
        switches = {f"stem/{stem}/mute": on for stem, on in zip(STEMS, muted, strict=True)}
        switches |= {f"stem/{stem}/solo": on for stem, on in zip(STEMS, soloed, strict=True)}
        audible = [not mute and (solo or not any(soloed)) for mute, solo in zip(muted, soloed, strict=True)]
        assert list(stem_gains(mixed(**switches)).values()) == [[float(on)] * 2 for on in audible], (muted, soloed)


def test_a_closed_fader_is_exactly_silent():
    assert stem_gains(mixed(stem__bass__gain_db=-90))["bass"] == [0, 0]


def test_panning_only_ever_takes_away_and_leaves_the_centre_at_unity():
    assert balance(0) == (1, 1)
    assert balance(1) == (0, 1)
    assert balance(-1) == (1, 0)
    for pan in np.linspace(-1, 1, 41):
        assert max(balance(pan)) == 1
        assert balance(pan) == balance(-pan)[::-1]
    assert stem_gains(mixed(stem__bass__pan=-0.5, stem__bass__gain_db=-6))["bass"] == pytest.approx(
        [db_to_gain(-6), db_to_gain(-6) / 2]
    )


def test_the_master_touches_the_main_mix_alone():
    assert mixed(master__gain_db=-20)[:2].tolist() == pytest.approx([0.1, 0.1])
    snapshot = mixed(master__mute=True)
    assert snapshot[:2].tolist() == [0, 0]
    np.testing.assert_array_equal(snapshot[2:-4], np.ones(8))


@pytest.mark.parametrize(("rate", "frames"), [(44100, 441), (48000, 480)])
def test_switches_are_handed_over_as_numbers_and_the_ramp_in_frames(rate, frames):
    assert mixed(rate)[-4:].tolist() == [0, 0, frames, 0]
    assert mixed(rate, bypass=True, ramp_ms=20)[-4:].tolist() == [1, 0, 2 * frames, 0]
    assert mixed(rate, master__limiter=True)[-4:].tolist() == [0, 1, frames, 0]
    values = ControlState(parameters_for(STEMS)).snapshot()
    assert compile_mix(values, STEMS, rate, Transition(fade_ms=20, begin_frame=99))[-4:].tolist() == [
        0,
        0,
        2 * frames,
        99,
    ]


def test_karaoke_takes_the_vocals_out_by_its_amount_and_leaves_the_rest():
    half = stem_gains(mixed(karaoke=0.25, stem__vocals__gain_db=-6))
    assert half.pop("vocals") == pytest.approx([0.75 * db_to_gain(-6)] * 2)
    assert all(gain == [1, 1] for gain in half.values())
    assert stem_gains(mixed(karaoke=1))["vocals"] == [0, 0]
