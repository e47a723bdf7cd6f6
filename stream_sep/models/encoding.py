"""The first part of a network with its weights in eight bits: they are most of all weights, and memory is slow.

Each is used once a hop, so a hop waits for them to come, the more so where other programs filled the caches in
between; a quarter of the bytes comes in a quarter of the time. What `live` makes of a song with weights so rounded is
within -67 dB, stem by stem, of what it makes with all their bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.compiled import compiled, merged, vectorised
from stream_sep.models.features import FEATURES
from stream_sep.models.hints import HINTS
from stream_sep.models.points import plan_points

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import NDArray

    from stream_sep.models.size import NetworkSize
    from stream_sep.protocols import Block

    Row: TypeAlias = NDArray[np.float32]
    Weights: TypeAlias = NDArray[np.int8]

_GIVEN = FEATURES + HINTS
_MOST = 127
_AT_A_TIME = 4  # inputs that are weighed in one go
_TINY = np.float32(1e-20)


class Encoder:
    """Computes part 0 as `exact` does, with rounded weights.

    Which weights, it asks: a band sees a weighted sum of what it is given, so that each number alone tells its own.

    Args:
        size: of the network.
        exact: its part 0; features and hints in, what bands see out, shapes as in `CausalNetwork.part`.
    """

    def __init__(self, size: NetworkSize, exact: Callable[[Block, Block], Block]) -> None:
        plan = plan_points(size)
        self._of_nothing = _ask(exact, np.zeros((_GIVEN, plan.points), np.float32))
        inputs = _GIVEN * size.points
        weights = np.zeros((plan.bands, -(-inputs // _AT_A_TIME) * _AT_A_TIME, size.width), np.float32)
        for number in range(inputs):
            alone = np.zeros((_GIVEN, plan.bands, size.points), np.float32)
            alone[number // size.points, :, number % size.points] = 1.0
            weights[:, number] = _ask(exact, alone.reshape(_GIVEN, -1)) - self._of_nothing
        self._steps = np.maximum(np.abs(weights).max(axis=2) / _MOST, _TINY)
        self._weights = np.rint(weights / self._steps[..., None]).astype(np.int8)

    def encode(self, features: Block, hints: Block) -> Block:
        """Return what each band sees in one hop, ``(1, 1, bands, width)``."""
        seen, row = self._of_nothing.copy(), np.zeros(self._steps.shape[1], np.float32)
        _encode(features[0, 0], hints[0, 0], self._steps, self._weights, row, seen)
        return seen[None, None]


def _ask(exact: Callable[[Block, Block], Block], given: Block) -> Block:
    seen: Block = exact(given[None, None, :FEATURES], given[None, None, FEATURES:])[0, 0].copy()
    return seen


@compiled
def _encode(  # noqa: PLR0917 - compiled code has no objects
    features: Block, hints: Block, steps: Block, weights: Weights, row: Row, seen: Block
) -> None:
    """Add what is given to what is ``seen`` of nothing; ``row`` is room to work in, and its end is zero."""
    points = features.shape[1] // len(weights)
    for band in range(len(weights)):
        _gather(features, band * points, row[: FEATURES * points])
        _gather(hints, band * points, row[FEATURES * points : _GIVEN * points])
        for k in range(len(row)):
            row[k] *= steps[band, k]
        w, into = weights[band], seen[band]
        for k in range(0, len(row), _AT_A_TIME):
            _add(row[k], row[k + 1], row[k + 2], row[k + 3], w[k], w[k + 1], w[k + 2], w[k + 3], into)


@merged
def _gather(given: Block, start: int, row: Row) -> None:
    points = len(row) // len(given)
    for kind in range(len(given)):
        for point in range(points):
            row[kind * points + point] = given[kind, start + point]


@vectorised
def _add(  # noqa: PLR0917 - lists of rows would not be taken many numbers at a time
    a: np.float32,
    b: np.float32,
    c: np.float32,
    d: np.float32,
    of_a: Weights,
    of_b: Weights,
    of_c: Weights,
    of_d: Weights,
    seen: Row,
) -> None:
    for k in range(len(seen)):
        seen[k] += (
            a * np.float32(of_a[k]) + b * np.float32(of_b[k]) + c * np.float32(of_c[k]) + d * np.float32(of_d[k])
        )
