"""int8 quantization of the weights per band, which are most of all weights.

Each is used once per hop, so a hop waits for memory, the more so where other programs filled the caches in between; a
quarter of the bytes takes a quarter of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_always_inline, njit_fastmath

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from stream_sep.protocols import Block

    Row: TypeAlias = NDArray[np.float32]
    Numbers: TypeAlias = NDArray[np.int8]

_MOST = 127
_UNROLL = 4  # inputs per inner loop
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


def pad_inputs(weights: QuantizedWeights) -> QuantizedWeights:
    """Return a copy whose inputs are zero-padded to a multiple of four, as compiled code needs.

    Args:
        weights: of any number of inputs.
    """
    more = (0, -weights.values.shape[1] % _UNROLL)
    return QuantizedWeights(np.pad(weights.scales, ((0, 0), more)), np.pad(weights.values, ((0, 0), more, (0, 0))))


@njit_always_inline
def dequant_matvec_add(row: Row, scales: Row, values: Numbers, into: Row) -> None:
    """Add the dequantized matrix-vector product of one band to ``into``, ``(outputs,)``; ``row`` is overwritten.

    Args:
        row: float32 ``(inputs,)``, padded; overwritten.
        scales: float32 ``(inputs,)``.
        values: int8 ``(inputs, outputs)``.
        into: float32 ``(outputs,)``, which is added to.
    """
    for k in range(len(row)):
        row[k] *= scales[k]
    for k in range(0, len(row), _UNROLL):
        w = values[k : k + _UNROLL]
        _add(row[k], row[k + 1], row[k + 2], row[k + 3], w[0], w[1], w[2], w[3], into)


@njit_fastmath
def _add(  # noqa: PLR0917 - a list of rows would not be vectorized
    a: np.float32, b: np.float32, c: np.float32, d: np.float32,
    of_a: Numbers, of_b: Numbers, of_c: Numbers, of_d: Numbers, into: Row,
) -> None:  # fmt: skip
    for k in range(len(into)):
        into[k] += (
            a * np.float32(of_a[k]) + b * np.float32(of_b[k]) + c * np.float32(of_c[k]) + d * np.float32(of_d[k])
        )
