"""The logarithm of compiled loops, beside NumPy's."""

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_cached
from stream_sep.lowlevel.vector_log import logarithm


@njit_cached
def all_of(numbers, made):
    for k in range(len(numbers)):
        made[k] = logarithm(numbers[k])


def logarithms(numbers):
    made = np.empty_like(numbers)
    all_of(numbers, made)
    return made


def test_it_is_that_of_numpy_from_one_end_of_float64_to_the_other():
    numbers = np.concatenate([np.logspace(-307, 308, 20001), np.linspace(0.4, 2.6, 20001)])
    assert np.abs(logarithms(numbers) - np.log(numbers)).max() < 1e-9


def test_it_does_not_jump_where_the_exponent_does():
    for turn in (2.0, np.sqrt(2), 1.0):
        below, above = logarithms(np.array([np.nextafter(turn, 0), np.nextafter(turn, 9)]))
        assert abs(above - below) < 2e-9


def test_it_ends_where_float64_does():
    made = logarithms(np.array([0.0, 1e-310]))
    assert np.isfinite(made).all()
    assert made.max() < -700
