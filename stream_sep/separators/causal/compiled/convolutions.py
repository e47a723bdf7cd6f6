"""The convolutions of a causal network in compiled code, for one hop: `CausalConvolutions` at inference.

Rows are padded to whole tiles, and inputs by a margin of zeros on both sides, so that no loop has to look where a row
ends. The state is a ring of the inputs of past hops: nothing is moved, and nothing is allocated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_cached, njit_fastmath, njit_inline
from stream_sep.lowlevel.vector_math import gelu
from stream_sep.lowlevel.vector_tile import TAPS, TILE_COLUMNS, TILE_ROWS, add_convolved_tile
from stream_sep.separators.causal.compiled.kernels import add_column_bias, fill_column_bias, matmul_add
from stream_sep.separators.causal.config import CONV_DILATIONS
from stream_sep.separators.causal.stored_tensors import contiguous, under

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from numpy.typing import NDArray

    from stream_sep.protocols import Block

    Row: TypeAlias = NDArray[np.float32]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_TINY = np.float32(1e-5)  # added to variances, as torch does
_MARGIN = TAPS // 2


class Convolutions(NamedTuple):
    """The weights of a network's convolutions before the encoder, or after the decoder."""

    project_in: Block  # (channels, inputs)
    project_in_bias: Row
    norm_weight: Block  # (layers, channels, columns), zero beyond the points
    norm_bias: Block  # as above
    taps: Block  # (layers, weights), in the order of use
    bias: Block  # (layers, rows)
    project_out: Block  # (outputs, channels), or of no outputs
    project_out_bias: Row
    points: int


class ConvState(NamedTuple):
    """Inputs of the layers in past hops, as rings, and the number of hops so far."""

    rings: tuple[Block, ...]  # (hops, channels, columns with margins), one per layer
    hop: NDArray[np.int64]  # (1,)


def padded(points: int) -> int:
    """Return the length of a row: a whole number of tiles.

    >>> padded(468)
    480
    """
    return points + -points % TILE_COLUMNS


def read_convolutions(tensors: Mapping[str, Block], prefix: str) -> Convolutions:
    """Return the weights of a `CausalConvolutions`.

    Args:
        tensors: all of the network's, by name.
        prefix: of the names of its tensors.
    """
    own = under(tensors, prefix)
    channels, points = own["norms.0.weight"].shape
    layers = range(len(CONV_DILATIONS))
    more = (0, padded(points) - points)
    norms = {
        kind: [np.pad(own[f"norms.{layer}.{kind}"], ((0, 0), more)) for layer in layers]
        for kind in ("weight", "bias")
    }
    biases = [np.pad(own[f"layers.{layer}.bias"], (0, -channels % TILE_ROWS)) for layer in layers]
    nothing = np.zeros((0, channels, 1, 1), np.float32)
    return Convolutions(
        project_in=contiguous(own["project_in.weight"][:, :, 0, 0]),
        project_in_bias=contiguous(own["project_in.bias"]),
        norm_weight=np.stack(norms["weight"]),
        norm_bias=np.stack(norms["bias"]),
        taps=np.stack([_in_order_of_use(own[f"layers.{layer}.weight"]) for layer in layers]),
        bias=np.stack(biases),
        project_out=contiguous(own.get("project_out.weight", nothing)[:, :, 0, 0]),
        project_out_bias=contiguous(own.get("project_out.bias", np.zeros(0, np.float32))),
        points=points,
    )


def _in_order_of_use(weights: Block) -> Row:
    """Return a kernel, ``(outputs, inputs, 3, 3)``, by groups of outputs, hops, inputs and columns, flat."""
    whole = np.pad(weights, ((0, -len(weights) % TILE_ROWS), (0, 0), (0, 0), (0, 0)))
    groups = whole.reshape(-1, TILE_ROWS, *whole.shape[1:])
    return groups.transpose(0, 3, 2, 4, 1).ravel()


def new_conv_state(weights: Convolutions) -> ConvState:
    """Return the state before the first hop.

    Args:
        weights: the convolutions.
    """
    channels, columns = weights.norm_weight.shape[1:]
    shape = channels, columns + 2 * _MARGIN
    rings = tuple(np.zeros((1 + (TAPS - 1) * hops, *shape), np.float32) for hops in CONV_DILATIONS)
    return ConvState(rings, np.zeros(1, np.int64))


def new_rows(weights: Convolutions) -> Block:
    """Return a buffer for the output of `convolve`.

    Args:
        weights: the convolutions.
    """
    return np.zeros((weights.bias.shape[1], weights.norm_weight.shape[2]), np.float32)


class ConvWorkspace(NamedTuple):
    """Temporary buffers of one thread."""

    inputs: Block  # (inputs, columns)
    y: Block  # (rows, columns)


def new_conv_workspace(weights: Convolutions) -> ConvWorkspace:
    """Return buffers for `convolve_inputs` and `add_convolved_outputs`.

    Args:
        weights: the convolutions.
    """
    columns = weights.norm_weight.shape[2]
    return ConvWorkspace(np.zeros((weights.project_in.shape[1], columns), np.float32), new_rows(weights))


@njit_cached
def convolve_inputs(
    features: Block, prior: Block, weights: Convolutions, state: ConvState, workspace: ConvWorkspace
) -> None:
    """Write the output of the convolutions before the encoder to the first rows of ``workspace.y``.

    Args:
        features: ``(FEATURES, points)``.
        prior: ``(PRIOR_CHANNELS, points)``.
        weights: the convolutions.
        state: of the stream, which is changed.
        workspace: temporary buffers.
    """
    _copy(features, workspace.inputs[: len(features)])
    _copy(prior, workspace.inputs[len(features) :])
    convolve(workspace.inputs, weights, state, workspace.y)


@njit_cached
def add_convolved_outputs(outputs: Block, weights: Convolutions, state: ConvState, workspace: ConvWorkspace) -> None:
    """Add the output of the convolutions after the decoder to the decoder's.

    Args:
        outputs: ``(channels, points)``, which is added to.
        weights: the convolutions.
        state: of the stream, which is changed.
        workspace: temporary buffers.
    """
    _copy(outputs, workspace.inputs)
    convolve(workspace.inputs, weights, state, workspace.y)
    project_out(workspace.y, weights, workspace.inputs)
    for row in range(len(outputs)):
        for point in range(outputs.shape[1]):
            outputs[row, point] = workspace.inputs[row, point]


@njit_inline
def _copy(rows: Block, into: Block) -> None:
    """Copy rows to longer ones, and set the rest of these to zero."""
    points = rows.shape[1]
    for row in range(len(rows)):
        for point in range(points):
            into[row, point] = rows[row, point]
        for column in range(points, into.shape[1]):
            into[row, column] = _ZERO


@njit_inline
def convolve(x: Block, weights: Convolutions, state: ConvState, y: Block) -> None:
    """Write the convolutions' output of the next hop, before the projection to outputs.

    Args:
        x: ``(inputs, columns)``; columns beyond the points are finite.
        weights: the convolutions.
        state: of the stream, which is changed.
        y: ``(rows, columns)``, which is written; rows beyond the channels, and columns beyond the points, are of no
            use.
    """
    channels = len(weights.project_in)
    fill_column_bias(weights.project_in_bias, y[:channels])
    matmul_add(weights.project_in, x, y[:channels])
    for layer in range(len(weights.norm_weight)):
        ring = state.rings[layer]
        now = state.hop[0] % len(ring)
        _activate(y, weights.norm_weight[layer], weights.norm_bias[layer], weights.points, ring[now])
        add_column_bias(weights.bias[layer], y)
        _add_layer(ring, now, weights.taps[layer], y)
    state.hop[0] += 1


@njit_inline
def project_out(y: Block, weights: Convolutions, into: Block) -> None:
    """Add the projection of the output of `convolve` to ``into``.

    Args:
        y: ``(rows, columns)``.
        weights: the convolutions.
        into: ``(outputs, columns)``, which is added to.
    """
    add_column_bias(weights.project_out_bias, into)
    matmul_add(weights.project_out, y[: len(weights.project_in)], into)


@njit_fastmath
def _activate(y: Block, gain: Block, offset: Block, points: int, into: Block) -> None:
    """Write GELU of the layer norm of a whole hop, with zeros beyond the points."""
    channels, columns = gain.shape
    share = _ONE / np.float32(channels * points)
    mean = square = _ZERO
    for channel in range(channels):
        for point in range(points):
            mean += y[channel, point]
    mean *= share
    for channel in range(channels):
        for point in range(points):
            square += (y[channel, point] - mean) * (y[channel, point] - mean)
    scale = _ONE / np.sqrt(square * share + _TINY)
    for channel in range(channels):
        row = into[channel]
        for k in range(columns):
            row[_MARGIN + k] = (y[channel, k] - mean) * scale * gain[channel, k] + offset[channel, k]
        gelu(row)


@njit_inline
def _add_layer(ring: Block, now: int, taps: Row, y: Block) -> None:
    """Add the convolution of a ring's oldest, middle and newest hop to ``y``, tile by tile."""
    hops, channels = ring.shape[:2]
    for column in range(0, y.shape[1], TILE_COLUMNS):
        for row in range(0, len(y), TILE_ROWS):
            for tap in range(TAPS):
                hop = (now + 1 + tap * (hops // 2)) % hops
                first = (row // TILE_ROWS * TAPS + tap) * channels * TAPS * TILE_ROWS
                add_convolved_tile(y, row, column, ring[hop], taps, first)
