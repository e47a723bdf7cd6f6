"""The largest magnitude in an STFT, measured block by block."""

import numpy as np
import pytest
from noise import gaussian_noise
from requirements import require_package

from stream_sep.files.song_statistics import measure_song
from stream_sep.separators.spectral_peak import FallingPeak, SpectralPeakMeter, spectral_peak


@pytest.mark.parametrize("frames", [10, 64, 5_001])
@pytest.mark.parametrize("cut", [7, 30_000])
def test_it_is_that_of_the_whole_spectrum_however_the_song_is_cut(frames, cut):
    torch = require_package("torch", "train")
    song = gaussian_noise(frames)
    window = torch.hann_window(64)
    whole = torch.stft(torch.from_numpy(song), 64, 32, window=window, pad_mode="constant", return_complex=True)
    blocks = [song[:, at : at + cut] for at in range(0, frames, cut)]
    assert spectral_peak(blocks, 64) == pytest.approx(float(whole.abs().max()), rel=1e-5)
    assert measure_song(blocks, 64).spectral_peak == spectral_peak(blocks, 64)
    assert measure_song(blocks).spectral_peak == 0.0


def test_numbers_that_are_not_finite_count_as_silence():
    song = gaussian_noise(1000)
    spoilt = song.copy()
    spoilt[:, 500] = np.nan, np.inf
    meter = SpectralPeakMeter(64)
    meter.add(spoilt)
    song[:, 500] = 0
    assert meter.finish() == spectral_peak([song], 64)


def test_that_of_a_stream_falls_by_a_decibel_a_second_to_that_of_its_windows():
    level = FallingPeak(0.5, 64)
    assert level(2.0) == 2.0
    assert 20 * np.log10(level(0.1) / 2.0) == pytest.approx(-0.5)
    assert 20 * np.log10(level(0.0) / 2.0) == pytest.approx(-1)
    for _ in range(100):
        last = level(0.1)
    assert last == 0.1
    level.reset()
    assert level(0.01) == 0.01


def test_one_wrong_number_does_not_raise_it_for_minutes():
    level = FallingPeak(1.0, 64)
    level(1e30)
    for _ in range(20):
        last = level(1.0)
    assert last < 64
