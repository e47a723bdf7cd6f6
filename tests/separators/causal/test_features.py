"""Features against their formulas."""

import itertools

import numpy as np
import pytest
from causal_networks import noise

from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.config import SIZES
from stream_sep.separators.causal.features import FEATURES, FeatureExtractor
from stream_sep.separators.causal.harmonics import HARMONICS


def look_slowly(spectra, size):
    """Features by their formulas, from means over padded points and a sum over the whole past."""
    plan = plan_band_layout(size)
    edges = np.cumsum([0, *(bins for bins, points in plan.zones for _ in range(points))])

    def pool(values):
        padded = np.pad(values, (0, plan.padded_bins - size.bins))
        return np.array([padded[a:b].mean() for a, b in itertools.pairwise(edges)])

    powers = np.square(np.abs(spectra)).sum(axis=1).mean(axis=1)
    turn = np.exp(-2j * np.pi * np.arange(size.bins) * size.hop / size.window)
    found, before = [], np.zeros(size.bins)
    for hop, (mid, side) in enumerate(spectra.astype(complex)):
        weights = np.exp(-size.hop / 44100 * np.arange(hop, -1, -1))
        loudness = (weights * powers[: hop + 1]).sum() / weights.sum()
        middle, sides, past = (pool(np.abs(run_stage) ** 2) for run_stage in (mid, side, before))
        below = np.concatenate([[0], mid[:-1]])
        across = 2 * pool(mid * side.conj()) / (middle + sides + 1e-20)
        moved = 2 * pool(mid * before.conj() * turn) / (middle + past + 1e-20)
        stepped = pool(mid * below.conj()) / (middle + 1e-20)
        parts = [run_stage for ratio in (across, moved, stepped) for run_stage in (ratio.real, ratio.imag)]
        logs = [np.log10(run_stage / loudness + 1e-8) / 2 + 1 for run_stage in (middle, sides)]
        found.append([*logs, *parts[:4], *np.clip(parts[4:], -1.5, 1.5)])
        before = mid
    return np.array(found)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_features_equal_their_formulas(size):
    rng, hops = np.random.default_rng(0), 6
    spectra = rng.standard_normal((hops, 2, 2 * size.bins)).astype(np.float32).view(np.complex64)
    spectra *= np.float32(10) ** rng.uniform(-3, 1, (hops, 2, 1)).astype(np.float32)
    meter = FeatureExtractor(size)
    found = np.zeros((hops, FEATURES, meter.points), np.float32)
    meter.compute(spectra, meter.initial_state(), found, meter.workspace())
    np.testing.assert_allclose(found[:, :-HARMONICS], look_slowly(spectra, size), atol=2e-5)


def test_point_gets_the_maximum_of_its_bins():
    size = SIZES["live"]
    meter, plan = FeatureExtractor(size), plan_band_layout(size)
    spectra = np.fft.rfft(noise(size.window)[None]).astype(np.complex64)
    found, scratch = np.zeros((1, FEATURES, meter.points), np.float32), meter.workspace()
    meter.compute(spectra, meter.initial_state(), found, scratch)
    best = [scratch.salience[:, first:end].max(axis=1, initial=0.0) for first, end in plan.spans]
    np.testing.assert_allclose(found[0, -HARMONICS:], np.transpose(best), rtol=1e-6)
    assert found[0, -HARMONICS:].max() > 0


def test_features_change_with_neither_level_nor_phase_and_are_finite_in_silence():
    size = SIZES["instant"]
    meter = FeatureExtractor(size)
    spectra = noise(2 * 2 * 20 * size.bins).reshape(-1)[: 20 * 4 * size.bins].view(np.complex64).reshape(20, 2, -1)
    found = np.zeros((3, 20, FEATURES, meter.points), np.float32)
    for changed, into in zip((spectra, spectra * np.complex64(3e-4j), 0 * spectra), found, strict=True):
        meter.compute(changed, meter.initial_state(), into, meter.workspace())
    np.testing.assert_allclose(found[1], found[0], atol=1e-4)
    assert np.isfinite(found[2]).all()
