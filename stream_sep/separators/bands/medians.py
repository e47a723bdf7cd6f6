"""The medians of `bands`: of each bin over the past, and over its neighbours, all bins at a time.

Sorting has branches that a processor cannot foresee; the least and the greatest of two numbers have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_always_inline, njit_fastmath

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Row: TypeAlias = NDArray[np.float32]
    Rows: TypeAlias = NDArray[np.float32]
    Eight: TypeAlias = (
        "tuple[np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32]"
    )

BESIDE = 8
"""Bins either side in the median over frequency."""

_LEAST = np.float32(-np.inf)


def new_padding(bins: int) -> Row:
    """Return room for `median_beside`."""
    return np.zeros(bins + 2 * BESIDE, np.float32)


@njit_always_inline
def median_of_past(now: Row, at: int, ring: Rows, ordered: Rows, below: Row, medians: Row) -> None:  # noqa: PLR0917 - compiled code has no objects
    """Advance by a hop, and write the median of each bin over the last hops.

    Args:
        now: ``(bins,)``, of this hop.
        at: index in the ring of the oldest hop, which this one replaces.
        ring: ``(hops, bins)``.
        ordered: the same, every bin from the least to the greatest.
        below: ``(bins,)``, room to work in.
        medians: ``(bins,)``, which is written.
    """
    below[:] = _LEAST
    for rank in range(len(ring) - 1):
        _exchange(ring[at], now, ordered[rank], ordered[rank + 1], below)
    _end(now, below, ordered[-1])
    copy_row(now, ring[at])
    copy_row(ordered[len(ring) // 2], medians)


@njit_fastmath
def _exchange(old: Row, new: Row, here: Row, above: Row, below: Row) -> None:
    """Write one rank of the lists without ``old``, with ``new``; ``below`` has what the rank before is without it."""
    for k in range(len(here)):
        kept = here[k] if here[k] < old[k] else above[k]
        here[k] = max(below[k], min(kept, new[k]))
        below[k] = kept


@njit_fastmath
def _end(new: Row, below: Row, here: Row) -> None:
    for k in range(len(here)):
        here[k] = max(below[k], new[k])


@njit_always_inline
def median_beside(now: Row, padding: Row, medians: Row) -> None:
    """Write the median of each bin and the eight on either side; beyond the ends all is as at the ends.

    Args:
        now: float32 ``(bins,)``.
        padding: temporary buffer of `new_padding`.
        medians: float32 ``(bins,)``, which is written.
    """
    padding[:BESIDE], padding[len(padding) - BESIDE :] = now[0], now[-1]
    copy_row(now, padding[BESIDE:])
    _medians(padding, medians)


@njit_always_inline
def copy_row(row: NDArray[np.floating[Any]], to: Row) -> None:
    """Write a row over the beginning of another one.

    Args:
        row: the source.
        to: the target, at least as long.
    """
    for k in range(len(row)):  # assigning a whole row takes two seconds more to compile
        to[k] = row[k]


@njit_fastmath
def _medians(x: Row, medians: Row) -> None:
    for k in range(len(medians)):
        a, b, c, d, e, f, g, h = _in_order(x[k], x[k + 1], x[k + 2], x[k + 3], x[k + 4], x[k + 5], x[k + 6], x[k + 7])
        p, q, r, s, t, u, v, w = _in_order(
            x[k + 9], x[k + 10], x[k + 11], x[k + 12], x[k + 13], x[k + 14], x[k + 15], x[k + 16]
        )
        # Of both lists the lower half are the lesser ones of pairs, one list read backwards (Batcher 1968).
        low = max(min(a, w), min(b, v), min(c, u), min(d, t), min(e, s), min(f, r), min(g, q), min(h, p))
        high = min(max(a, w), max(b, v), max(c, u), max(d, t), max(e, s), max(f, r), max(g, q), max(h, p))
        medians[k] = max(low, min(high, x[k + 8]))


@njit_fastmath
def _in_order(  # noqa: PLR0917 - one number a wire
    a: np.float32,
    b: np.float32,
    c: np.float32,
    d: np.float32,
    e: np.float32,
    f: np.float32,
    g: np.float32,
    h: np.float32,
) -> Eight:
    """Sort eight numbers with 19 comparisons, the fewest (Knuth, The Art of Computer Programming, 5.3.4)."""
    a, c, b, d, e, g, f, h = min(a, c), max(a, c), min(b, d), max(b, d), min(e, g), max(e, g), min(f, h), max(f, h)
    a, e, b, f, c, g, d, h = min(a, e), max(a, e), min(b, f), max(b, f), min(c, g), max(c, g), min(d, h), max(d, h)
    a, b, c, d, e, f, g, h = min(a, b), max(a, b), min(c, d), max(c, d), min(e, f), max(e, f), min(g, h), max(g, h)
    c, e, d, f = min(c, e), max(c, e), min(d, f), max(d, f)
    b, e, d, g = min(b, e), max(b, e), min(d, g), max(d, g)
    b, c, d, e, f, g = min(b, c), max(b, c), min(d, e), max(d, e), min(f, g), max(f, g)
    return a, b, c, d, e, f, g, h
