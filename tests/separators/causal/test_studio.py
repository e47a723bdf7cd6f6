"""The bundled separator for songs."""

import numpy as np
import pytest
from noise import gaussian_noise
from streaming import stream

from stream_sep.separators import DEFAULT_FOR_SONGS, load_separator
from stream_sep.separators.causal.studio import MEMBERS


def test_stems_are_the_mean_of_its_members_in_time_with_each_other():
    studio, (live, near) = load_separator("studio"), map(load_separator, MEMBERS)
    mix = gaussian_noise(80 * studio.hop)
    ahead = studio.latency - live.latency
    mean = (stream(live, mix)[..., :-ahead] + stream(near, mix)[..., ahead:]) / 2
    np.testing.assert_allclose(stream(studio, mix)[..., ahead:], mean, atol=1e-6)


@pytest.mark.parametrize("rate", [48000, 96000, 32000])
def test_other_sample_rates_are_separated(rate):
    studio = load_separator("studio", rate)
    mix = gaussian_noise(20 * studio.hop + studio.latency // studio.hop * studio.hop)
    stems = stream(studio, mix)
    assert studio.sample_rate == rate
    assert np.abs(stems).max() > 0.01
    assert np.isfinite(stems).all()


def test_size_is_that_of_both_members():
    sizes = [load_separator(name).weights for name in MEMBERS]
    assert load_separator("studio").weights == tuple(map(sum, zip(*sizes, strict=True)))


def test_it_is_the_default_for_songs():
    assert DEFAULT_FOR_SONGS == "studio"
