"""The functions of compiled loops, beside NumPy's."""

import math

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_cached
from stream_sep.lowlevel.vector_math import exponential, gelu, logarithm


@njit_cached
def exponentials(powers, made):
    for k in range(len(powers)):
        made[k] = exponential(powers[k])


def test_exponential_is_that_of_numpy():
    powers = np.linspace(-87, 87, 20001).astype(np.float32)
    made = np.empty_like(powers)
    exponentials(powers, made)
    assert np.abs(made / np.exp(powers.astype(np.float64)) - 1).max() < 1e-5


def test_exponential_ends_where_float32_does():
    powers = np.array([-1000.0, -88.0, 88.0, 1000.0], np.float32)
    made = np.empty_like(powers)
    exponentials(powers, made)
    assert np.isfinite(made).all()
    assert made[0] == made[1] < 1e-37
    assert made[2] == made[3] > 1e37


@njit_cached
def all_logarithms(numbers, made):
    for k in range(len(numbers)):
        made[k] = logarithm(numbers[k])


def logarithms(numbers):
    made = np.empty_like(numbers)
    all_logarithms(numbers, made)
    return made


def test_logarithm_is_that_of_numpy_from_one_end_of_float64_to_the_other():
    numbers = np.concatenate([np.logspace(-307, 308, 20001), np.linspace(0.4, 2.6, 20001)])
    assert np.abs(logarithms(numbers) - np.log(numbers)).max() < 1e-9


def test_logarithm_does_not_jump_where_the_exponent_does():
    for turn in (2.0, np.sqrt(2), 1.0):
        below, above = logarithms(np.array([np.nextafter(turn, 0), np.nextafter(turn, 9)]))
        assert abs(above - below) < 2e-9


def test_logarithm_ends_where_float64_does():
    made = logarithms(np.array([0.0, 1e-310]))
    assert np.isfinite(made).all()
    assert made.max() < -700


@njit_cached
def bend(row):
    gelu(row)


def test_gelu_is_right_to_a_millionth():
    row = np.linspace(-9, 9, 4001).astype(np.float32)
    expected = [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in row.astype(float)]
    bend(row)
    np.testing.assert_allclose(row, expected, atol=2e-6)
