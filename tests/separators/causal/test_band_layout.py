"""Which bins of a spectrum share a point, and which points a band."""

import numpy as np
import pytest

from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.config import SIZES


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_every_bin_has_a_point_and_points_fill_bands(size):
    plan = plan_band_layout(size)
    steps = np.diff(plan.mask_bin_of)
    assert len(plan.mask_bin_of) == size.bins
    assert set(steps) <= {0, 1}
    assert plan.points == plan.bands * size.points
    assert plan.padded_bins >= size.bins


@pytest.mark.parametrize("size", [SIZES["live"], SIZES["instant"]])
def test_points_are_at_the_same_frequencies_at_48_khz(size):
    here, there = plan_band_layout(size), plan_band_layout(size, 48000)
    assert (here.points, here.bands) == (there.points, there.bands)
    np.testing.assert_array_equal(
        here.spans[:, 1] - here.spans[:, 0], np.bincount(here.mask_bin_of, minlength=here.points)
    )
    filled = np.flatnonzero(here.spans[:, 1] > here.spans[:, 0])[:-1]
    middles = [(plan.spans[filled].sum(axis=1) - 1) / 2 * rate for plan, rate in ((here, 44100), (there, 48000))]
    assert np.abs(middles[0] - middles[1]).max() <= 0.5 * 48000 + 1
    assert (there.spans[filled, 1] > there.spans[filled, 0]).all()
    assert set(there.mask_bin_of) <= set(range(there.points))
    assert (np.diff(there.mask_bin_of) >= 0).all()
