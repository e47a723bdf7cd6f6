"""Compiled kernels of small layers, for one hop of a few dozen rows.

Deep-learning libraries are made for large layers. Here their call overhead equals the computation, and after a
pause, as between two hops, it is several times that: they load a hundred times the code back into the caches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_fastmath, njit_inline
from stream_sep.lowlevel.vector_math import exponential

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from stream_sep.protocols import Block

    Row: TypeAlias = NDArray[np.float32]

_ZERO, _ONE, _TWO = np.float32(0.0), np.float32(1.0), np.float32(2.0)
_TINY = np.float32(1e-5)  # added to variances, as torch does
_UNROLL = 8  # inputs per inner loop


@njit_inline
def matmul_add(rows: Block, weights: Block, into: Block) -> None:
    """Add ``rows @ weights``, ``(rows, inputs)`` and ``(inputs, outputs)``, to ``into``.

    Args:
        rows: ``(rows, inputs)``.
        weights: ``(inputs, outputs)``.
        into: ``(rows, outputs)``, which is added to.
    """
    inputs = len(weights)
    whole = inputs - inputs % _UNROLL
    for i in range(len(into)):
        a, y = rows[i], into[i]
        for k in range(0, whole, _UNROLL):
            _add_eight(
                a[k], a[k + 1], a[k + 2], a[k + 3], a[k + 4], a[k + 5], a[k + 6], a[k + 7],
                weights[k], weights[k + 1], weights[k + 2], weights[k + 3],
                weights[k + 4], weights[k + 5], weights[k + 6], weights[k + 7], y,
            )  # fmt: skip
        for k in range(whole, inputs):
            _add_one(a[k], weights[k], y)


@njit_fastmath
def _add_eight(  # noqa: PLR0917 - a list of rows would not be vectorized
    a: np.float32, b: np.float32, c: np.float32, d: np.float32,
    e: np.float32, f: np.float32, g: np.float32, h: np.float32,
    of_a: Row, of_b: Row, of_c: Row, of_d: Row, of_e: Row, of_f: Row, of_g: Row, of_h: Row, into: Row,
) -> None:  # fmt: skip
    for k in range(len(into)):
        first = a * of_a[k] + b * of_b[k] + c * of_c[k] + d * of_d[k]
        into[k] += first + (e * of_e[k] + f * of_f[k] + g * of_g[k] + h * of_h[k])


@njit_fastmath
def _add_one(a: np.float32, of_a: Row, into: Row) -> None:
    for k in range(len(into)):
        into[k] += a * of_a[k]


@njit_fastmath
def fill_bias(values: Row, rows: Block) -> None:
    """Set every row to ``values``.

    Args:
        values: ``(columns,)``.
        rows: ``(rows, columns)``, which is written.
    """
    for i in range(len(rows)):
        for k in range(len(values)):
            rows[i, k] = values[k]


@njit_fastmath
def add_bias(values: Row, rows: Block) -> None:
    """Add ``values`` to every row.

    Args:
        values: ``(columns,)``.
        rows: ``(rows, columns)``, which is added to.
    """
    for i in range(len(rows)):
        for k in range(len(values)):
            rows[i, k] += values[k]


@njit_fastmath
def fill_column_bias(values: Row, rows: Block) -> None:
    """Set every column to ``values``.

    Args:
        values: ``(rows,)``.
        rows: ``(rows, columns)``, which is written.
    """
    for i in range(len(rows)):
        for k in range(rows.shape[1]):
            rows[i, k] = values[i]


@njit_fastmath
def add_column_bias(values: Row, rows: Block) -> None:
    """Add ``values`` to every column.

    Args:
        values: ``(rows,)``.
        rows: ``(rows, columns)``, which is added to.
    """
    for i in range(len(rows)):
        for k in range(rows.shape[1]):
            rows[i, k] += values[i]


@njit_fastmath
def layer_norm(rows: Block, gains: Block, offsets: Block, into: Block) -> None:
    """Write the layer norm of each row, with its own weight and bias.

    Args:
        rows: ``(rows, columns)``.
        gains: weights of the norm, ``(rows, columns)``.
        offsets: biases of the norm, ``(rows, columns)``.
        into: ``(rows, columns)``, which is written.
    """
    share = _ONE / np.float32(rows.shape[1])
    for i in range(len(rows)):
        mean = square = _ZERO
        for k in range(rows.shape[1]):
            mean += rows[i, k]
        mean *= share
        for k in range(rows.shape[1]):
            square += (rows[i, k] - mean) * (rows[i, k] - mean)
        scale = _ONE / np.sqrt(square * share + _TINY)
        for k in range(rows.shape[1]):
            into[i, k] = (rows[i, k] - mean) * scale * gains[i, k] + offsets[i, k]


@njit_fastmath
def gru_cell(input_gates: Row, state_gates: Row, state: Row, new_state: Row) -> None:
    """Write the state of a GRU cell after a step (Cho et al. 2014, in PyTorch's form).

    Args:
        input_gates: ``(3 * width,)``: the input's contribution to the reset gate, the update gate and the candidate.
        state_gates: the same of the state.
        state: ``(width,)``, before.
        new_state: ``(width,)``, the new state, which is written.
    """
    width = len(state)
    for k in range(width):
        reset = _ONE / (_ONE + exponential(-(input_gates[k] + state_gates[k])))
        keep = _ONE / (_ONE + exponential(-(input_gates[width + k] + state_gates[width + k])))
        new = input_gates[2 * width + k] + reset * state_gates[2 * width + k]
        new = _ONE - _TWO / (_ONE + exponential(_TWO * new))
        new_state[k] = new + keep * (state[k] - new)
