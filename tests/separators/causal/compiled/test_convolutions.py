"""Compiled convolutions beside PyTorch's: the same numbers, hop by hop, in buffers that were there before."""

import itertools

import numba
import numpy as np
import pytest
from requirements import require_package

require_package("torch", "train")

import torch

from stream_sep.lowlevel.numba_intrinsics import njit_cached
from stream_sep.lowlevel.vector_tile import TAPS, TILE_COLUMNS, TILE_ROWS, add_convolved_tile
from stream_sep.separators.causal.compiled.convolutions import (
    convolve,
    new_conv_state,
    new_rows,
    padded,
    project_out,
    read_convolutions,
)
from stream_sep.separators.causal.convolutions import CausalConvolutions

SIZES = [(23, 12, 468, 14), (5, 1, 32, 3), (7, 6, 33, 2), (3, 7, 15, 1)]
"""Inputs, channels, points and outputs: as in `live`, and at and beside whole tiles."""


@njit_cached
def tile(into, row, column, inputs, weights, first):  # noqa: PLR0917 - as the tile has
    add_convolved_tile(into, row, column, inputs, weights, first)


def hop_with_projection(x, weights, state, y, into):
    convolve(x, weights, state, y)
    project_out(y, weights, into)


hop = njit_cached(hop_with_projection)


def values(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def network(inputs, channels, points, outputs):
    torch.manual_seed(0)
    network = CausalConvolutions(inputs, channels, points, outputs)
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.2)
    return network


def compiled(network):
    tensors = {f"conv.{name}": tensor.detach().numpy() for name, tensor in network.state_dict().items()}
    return read_convolutions(tensors, "conv.")


def stream(weights, x, state=None, into=None):
    """Return the outputs of some hops, ``(hops, outputs, points)``, of inputs ``(hops, inputs, points)``."""
    state = new_conv_state(weights) if state is None else state
    y, out = new_rows(weights), []
    for frame in x:
        columns = np.full((len(frame), padded(weights.points)), 7.0, np.float32)  # of no use beyond the points
        columns[:, : weights.points] = frame
        into = np.zeros((len(weights.project_out), columns.shape[1]), np.float32)
        hop(columns, weights, state, y, into)
        out.append(into[:, : weights.points].copy())
    return np.stack(out)


def test_a_tile_adds_its_formula_and_nothing_beside_it():
    into, inputs = values(2 * TILE_ROWS, 3 * TILE_COLUMNS), values(5, 3 * TILE_COLUMNS + TAPS - 1, seed=1)
    weights = values(4 + 5 * TAPS * TILE_ROWS, seed=2)
    expected = into.astype(float)
    of_tile = weights[4:].astype(float).reshape(5, TAPS, TILE_ROWS)
    for tap, column in itertools.product(range(TAPS), range(TILE_COLUMNS)):
        products = of_tile[:, tap].T @ inputs[:, TILE_COLUMNS + column + tap].astype(float)
        expected[TILE_ROWS:, TILE_COLUMNS + column] += products
    tile(into, TILE_ROWS, TILE_COLUMNS, inputs, weights, 4)
    np.testing.assert_allclose(into, expected, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_hop_by_hop_they_compute_what_the_network_does_at_once(size):
    net = network(*size)
    x = torch.randn(1, 40, size[0], size[2], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = net(x, net.initial_state(1))[0][0].numpy()
    found = stream(compiled(net), x[0].numpy())
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_streams_keep_their_own_states_and_repeat_to_the_bit():
    weights = compiled(network(*SIZES[2]))
    one, other = values(20, 7, 33), values(20, 7, 33, seed=1)
    alone = stream(weights, one), stream(weights, other)
    states = new_conv_state(weights), new_conv_state(weights)
    turns = [
        (stream(weights, a[None], states[0]), stream(weights, b[None], states[1]))
        for a, b in zip(one, other, strict=True)
    ]
    for number in range(2):
        assert np.array_equal(np.concatenate([turn[number] for turn in turns]), alone[number])


def test_a_hop_allocates_nothing():
    weights = compiled(network(*SIZES[2]))
    x, into = np.zeros((7, padded(33)), np.float32), np.zeros((2, padded(33)), np.float32)
    uncached = numba.njit(error_model="numpy")(hop_with_projection)
    uncached(x, weights, new_conv_state(weights), new_rows(weights), into)
    (code,) = uncached.inspect_llvm().values()
    assert "@NRT_Allocate" not in code
    assert "@NRT_MemInfo_alloc" not in code


def test_nothing_denormal_is_left_where_the_input_falls_silent():
    weights = compiled(network(*SIZES[2]))
    state = new_conv_state(weights)
    fading = values(60, 7, 33) * np.float32(10.0) ** -np.arange(60, dtype=np.float32)[:, None, None]
    made = stream(weights, fading, state)
    assert np.isfinite(made).all()
    for kept in (*state.rings, made):
        small = np.abs(kept[kept != 0])
        assert small.min() >= np.finfo(np.float32).tiny
