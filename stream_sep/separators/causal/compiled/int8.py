"""int8 quantization of the weights per band, which are most of all weights.

Each is used once per hop, so a hop waits for memory, the more so where other programs filled the caches in between; a
quarter of the bytes takes a quarter of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_always_inline, njit_fastmath
from stream_sep.lowlevel.vector_tile import TILE_COLUMNS, WIDE_COLUMNS, add_int8_tile, add_wide_int8_tile

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from stream_sep.protocols import Block

    Row: TypeAlias = NDArray[np.float32]
    Numbers: TypeAlias = NDArray[np.int8]

_MOST = 127
_TINY = np.float32(1e-20)


class QuantizedWeights(NamedTuple):
    """Quantized weights: int8 values, and one scale per input of each band."""

    scales: Block  # (bands, inputs)
    values: NDArray[np.int8]  # (bands, inputs, outputs)


def quantize_int8(weights: Block) -> QuantizedWeights:
    """Quantize float32 weights, ``(bands, inputs, outputs)``, to int8.

    >>> quantize_int8(np.array([[[0.5, -1.27]]], np.float32)).values.tolist()
    [[[50, -127]]]
    """
    scales = np.maximum(np.abs(weights).max(axis=2) / _MOST, _TINY)
    return QuantizedWeights(scales, np.rint(weights / scales[..., None]).astype(np.int8))


@njit_always_inline
def dequant_matvec_add(row: Row, scales: Row, values: Numbers, into: Row) -> None:
    """Add the dequantized matrix-vector product of one band to ``into``, ``(outputs,)``; ``row`` is overwritten.

    Args:
        row: float32 ``(inputs,)``; overwritten.
        scales: float32 ``(inputs,)``.
        values: int8 ``(inputs, outputs)``.
        into: float32 ``(outputs,)``, which is added to.
    """
    for k in range(len(row)):
        row[k] *= scales[k]
    outputs, column = len(into), 0
    while column + WIDE_COLUMNS <= outputs:
        add_wide_int8_tile(into, column, row, values)
        column += WIDE_COLUMNS
    while column + TILE_COLUMNS <= outputs:
        add_int8_tile(into, column, row, values)
        column += TILE_COLUMNS
    if column < outputs:
        _add_rest(row, values, column, into)


@njit_fastmath
def _add_rest(row: Row, values: Numbers, first: int, into: Row) -> None:
    for k in range(len(row)):
        for column in range(first, len(into)):
            into[column] += row[k] * np.float32(values[k, column])
