"""What compiled layers are made of, beside the same in NumPy."""

import numpy as np
import pytest

from stream_sep.lowlevel.numba_intrinsics import njit_cached
from stream_sep.separators.causal.compiled import kernels
from stream_sep.separators.causal.compiled.int8 import dequant_matvec_add, quantize_int8


@njit_cached
def product(rows, weights, into):
    kernels.matmul_add(rows, weights, into)


@njit_cached
def norm(rows, gains, offsets, into):
    kernels.layer_norm(rows, gains, offsets, into)


@njit_cached
def step(given, recalled, state, after):
    kernels.gru_cell(given, recalled, state, after)


@njit_cached
def weigh(row, scales, values, into):
    dequant_matvec_add(row, scales, values, into)


def values(*shape, seed=0):
    return 3 * np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("inputs", [1, 7, 8, 39, 64])
@pytest.mark.parametrize("outputs", [1, 10, 192])
def test_a_product_is_added(inputs, outputs):
    rows, weights, into = values(5, inputs), values(inputs, outputs, seed=1), values(5, outputs, seed=2)
    expected = into.astype(float) + rows.astype(float) @ weights.astype(float)
    product(rows, weights, into)
    np.testing.assert_allclose(into, expected, atol=1e-3)


def test_rows_are_normalised_each_by_itself():
    rows, gains, offsets = values(5, 24) + 7, values(5, 24, seed=1), values(5, 24, seed=2)
    into = np.zeros_like(rows)
    norm(rows, gains, offsets, into)
    exact = rows.astype(float)
    away = exact - exact.mean(axis=1, keepdims=True)
    expected = away / np.sqrt(exact.var(axis=1, keepdims=True) + 1e-5) * gains + offsets
    np.testing.assert_allclose(into, expected, atol=1e-4)


def test_a_gru_goes_on_by_its_formulas():
    given, recalled, state = values(3 * 16), values(3 * 16, seed=1), np.tanh(values(16, seed=2))
    after = np.zeros_like(state)
    step(given, recalled, state, after)
    (r, z, n), (of_r, of_z, of_n) = (each.astype(float).reshape(3, 16) for each in (given, recalled))
    keep, reset = 1 / (1 + np.exp(-z - of_z)), 1 / (1 + np.exp(-r - of_r))
    np.testing.assert_allclose(after, (1 - keep) * np.tanh(n + reset * of_n) + keep * state, atol=1e-6)


def test_a_gru_stays_within_one_whatever_it_is_given():
    state = np.tanh(values(16))
    for hop in range(100):
        after = np.zeros_like(state)
        step(1e4 * values(48, seed=hop), 1e4 * values(48, seed=hop + 1), state, after)
        state = after
    assert np.abs(state).max() <= 1


@pytest.mark.parametrize("inputs", [4, 5, 276])
@pytest.mark.parametrize("outputs", [12, 16, 64, 168])  # around the widths of tiles
def test_weights_are_rounded_to_a_254th_of_the_greatest_of_their_input(inputs, outputs):
    weights = values(3, inputs, outputs) * np.linspace(0.01, 100, inputs, dtype=np.float32)[:, None]
    weights[1, 2] = 0.0
    made = quantize_int8(weights)
    back = made.values * made.scales[..., None]
    assert (np.abs(back - weights) <= np.abs(weights).max(axis=2, keepdims=True) / 254 + 1e-6).all()
    row, into = values(inputs, seed=3), np.ones(outputs, np.float32)
    expected = 1 + row.astype(float) @ back[0]
    weigh(row, made.scales[0], made.values[0], into)
    np.testing.assert_allclose(into, expected, rtol=1e-4, atol=1e-2)
