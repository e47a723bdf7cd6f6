"""The fader law: known points, no jumps, and a way back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_sep.control.levels import LOUDEST_DB, SILENCE_DB, db_to_gain, db_to_position, gain_to_db, position_to_db
from stream_sep.errors import ParameterError

POSITIONS = np.linspace(0, 1, 4001)
X32 = [(0.0, -90.0), (0.0625, -60.0), (0.25, -30.0), (0.5, -10.0), (0.75, 0.0), (1.0, 10.0)]


@pytest.mark.parametrize(("position", "level"), X32)
def test_the_printed_marks_of_the_scale_are_where_they_belong(position, level):
    assert position_to_db(position) == pytest.approx(level, abs=1e-12)
    assert db_to_position(level) == pytest.approx(position, abs=1e-12)


def test_every_position_comes_back():
    back = [db_to_position(position_to_db(position)) for position in POSITIONS]
    np.testing.assert_allclose(back, POSITIONS, atol=1e-12)


def test_every_level_comes_back():
    levels = np.linspace(SILENCE_DB, LOUDEST_DB, 4001)
    np.testing.assert_allclose([position_to_db(db_to_position(level)) for level in levels], levels, atol=1e-9)


def test_more_travel_is_always_louder_and_never_jumps():
    steps = np.diff([position_to_db(position) for position in POSITIONS])
    assert steps.min() > 0
    assert steps.max() <= 480 / 4000 + 1e-9


@pytest.mark.parametrize(("given", "taken"), [(-1, 0), (2, 1)])
def test_travel_ends_at_its_ends(given, taken):
    assert position_to_db(given) == position_to_db(taken)


@pytest.mark.parametrize(("given", "taken"), [(-math.inf, 0), (-200, 0), (99, 1), (math.inf, 1)])
def test_levels_off_the_scale_rest_at_its_ends(given, taken):
    assert db_to_position(given) == taken


def test_silence_is_no_sound_and_nought_decibels_are_unity():
    assert db_to_gain(0) == 1
    assert db_to_gain(SILENCE_DB) == db_to_gain(-math.inf) == 0
    assert db_to_gain(SILENCE_DB + 0.1) > 0
    assert gain_to_db(0) == gain_to_db(-1) == SILENCE_DB


def test_gains_come_back_and_twenty_decibels_are_ten():
    assert db_to_gain(20) == pytest.approx(10)
    for level in np.linspace(-89.9, 10, 500):
        assert gain_to_db(db_to_gain(level)) == pytest.approx(level)


@pytest.mark.parametrize("law", [position_to_db, db_to_position, db_to_gain])
def test_what_is_no_number_is_refused_by_every_law(law):
    with pytest.raises(ParameterError):
        law(math.nan)


@given(st.floats(allow_nan=False))
def test_whatever_comes_no_law_gives_infinity(value):
    assert SILENCE_DB <= position_to_db(value) <= LOUDEST_DB
    assert 0 <= db_to_position(value) <= 1
    assert math.isfinite(gain_to_db(value))
    try:
        assert math.isfinite(db_to_gain(value))
    except ParameterError:
        assert value > 700


def test_a_peak_that_is_no_number_shows_nothing():
    assert gain_to_db(math.nan) == SILENCE_DB
