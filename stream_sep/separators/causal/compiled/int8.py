"""Weights of each band's own, in eight bits: they are most of all weights, and memory is slow.

Each is used once a hop, so a hop waits for them to come, the more so where other programs filled the caches in
between; a quarter of the bytes comes in a quarter of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import merged, vectorised

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from stream_sep.protocols import Block

    Row: TypeAlias = NDArray[np.float32]
    Numbers: TypeAlias = NDArray[np.int8]

_MOST = 127
_AT_A_TIME = 4  # inputs that are weighed in one go
_TINY = np.float32(1e-20)


class RoundedWeights(NamedTuple):
    """Weights, each a whole number of steps, and a step for each input of each band.

    There are a few inputs more than were given, whose weights are zero, to make a number that divides by four.
    """

    steps: Block  # (bands, inputs)
    numbers: NDArray[np.int8]  # (bands, inputs, outputs)


def rounded(weights: Block) -> RoundedWeights:
    """Return float32 weights, ``(bands, inputs, outputs)``, rounded.

    >>> rounded(np.array([[[0.5, -1.27]]], np.float32)).numbers[0].tolist()
    [[50, -127], [0, 0], [0, 0], [0, 0]]
    """
    whole = np.pad(weights, ((0, 0), (0, -weights.shape[1] % _AT_A_TIME), (0, 0)))
    steps = np.maximum(np.abs(whole).max(axis=2) / _MOST, _TINY)
    return RoundedWeights(steps, np.rint(whole / steps[..., None]).astype(np.int8))


def rounded_shapes(bands: int, inputs: int, outputs: int) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of `RoundedWeights`."""
    padded = inputs + -inputs % _AT_A_TIME
    return (bands, padded), (bands, padded, outputs)


@merged
def add_weighed(row: Row, steps: Row, numbers: Numbers, into: Row) -> None:
    """Add to ``into``, ``(outputs,)``, the inputs in ``row``, weighed by what one band has; ``row`` is changed."""
    for k in range(len(row)):
        row[k] *= steps[k]
    for k in range(0, len(row), _AT_A_TIME):
        w = numbers[k : k + _AT_A_TIME]
        _add(row[k], row[k + 1], row[k + 2], row[k + 3], w[0], w[1], w[2], w[3], into)


@vectorised
def _add(  # noqa: PLR0917 - lists of rows would not be taken many numbers at a time
    a: np.float32, b: np.float32, c: np.float32, d: np.float32,
    of_a: Numbers, of_b: Numbers, of_c: Numbers, of_d: Numbers, into: Row,
) -> None:  # fmt: skip
    for k in range(len(into)):
        into[k] += (
            a * np.float32(of_a[k]) + b * np.float32(of_b[k]) + c * np.float32(of_c[k]) + d * np.float32(of_d[k])
        )
