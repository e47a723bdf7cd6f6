"""The exponential of compiled loops, beside NumPy's."""

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_cached
from stream_sep.lowlevel.vector_exp import exponential


@njit_cached
def all_of(powers, made):
    for k in range(len(powers)):
        made[k] = exponential(powers[k])


def test_it_is_that_of_numpy():
    powers = np.linspace(-87, 87, 20001).astype(np.float32)
    made = np.empty_like(powers)
    all_of(powers, made)
    assert np.abs(made / np.exp(powers.astype(np.float64)) - 1).max() < 1e-5


def test_it_ends_where_float32_does():
    powers = np.array([-1000.0, -88.0, 88.0, 1000.0], np.float32)
    made = np.empty_like(powers)
    all_of(powers, made)
    assert np.isfinite(made).all()
    assert made[0] == made[1] < 1e-37
    assert made[2] == made[3] > 1e37
