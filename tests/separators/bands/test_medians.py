"""The medians of `bands`, beside NumPy's."""

import numpy as np
import pytest

from stream_sep.lowlevel.numba_intrinsics import njit_cached
from stream_sep.separators.bands.medians import median_beside, median_of_past, new_padding

BINS = 205


@njit_cached
def beside(now, padding, medians):
    median_beside(now, padding, medians)


@njit_cached
def of_past(now, at, ring, ordered, below, medians):  # noqa: PLR0917 - compiled code has no objects
    median_of_past(now, at, ring, ordered, below, medians)


def rows(count, *, coarse=False):
    numbers = 20 * np.random.default_rng(0).standard_normal((count, BINS))
    return (np.round(numbers / 20) if coarse else numbers).astype(np.float32)


@pytest.mark.parametrize("coarse", [False, True], ids=["all different", "many the same"])
@pytest.mark.parametrize("hops", [1, 2, 9, 33])
def test_the_median_of_the_past_is_that_of_the_last_hops(hops, coarse):
    begin = np.full((hops, BINS), -3, np.float32)
    ring, ordered, below, medians = begin.copy(), begin.copy(), begin[0].copy(), begin[0].copy()
    past = list(begin)
    for hop, row in enumerate(rows(3 * hops + 5, coarse=coarse)):
        of_past(row, hop % hops, ring, ordered, below, medians)
        past = [*past[1:], row]
        assert np.array_equal(medians, np.sort(past, axis=0)[hops // 2])


@pytest.mark.parametrize("coarse", [False, True], ids=["all different", "many the same"])
def test_the_median_beside_is_that_of_17_bins_and_beyond_the_ends_of_the_last(coarse):
    padding, medians = new_padding(BINS), np.zeros(BINS, np.float32)
    for row in rows(20, coarse=coarse):
        beside(row, padding, medians)
        wide = np.pad(row, 8, mode="edge")
        assert np.array_equal(medians, [np.median(wide[k : k + 17]) for k in range(BINS)])
