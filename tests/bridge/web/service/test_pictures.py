"""The pictures of stems: bands of a spectrogram."""

import numpy as np
import pytest

from bridge.web.service.pictures import BANDS, Spectrogram


def reference(mono, rate):
    """The columns of a spectrogram, from the share of each FFT bin in each band."""
    edges = np.geomspace(40.0, min(16000.0, rate / 2), BANDS + 1) * 4096 / rate
    low, high = edges[:-1], np.maximum(edges[1:], edges[:-1] + 1)
    at = np.arange(2049)[:, None]
    shares = np.clip(np.minimum(at + 0.5, high) - np.maximum(at - 0.5, low), 0, 1)
    shape = np.hanning(4096)
    padded = np.concatenate([np.zeros(1024), mono])
    for start in range(0, len(padded) - 4095, 2048):
        power = np.abs(np.fft.rfft(padded[start : start + 4096] * shape)) ** 2 @ shares * (4 / shape.sum() ** 2)
        yield np.clip((10 * np.log10(power + 1e-12) + 90) / 90, 0, 1) * 255


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
def test_bands_hold_the_power_of_their_bins(rate):
    at = np.arange(100_000)
    mono = (0.3 * np.sin(at * (0.02 + at * 1e-5)) + 0.001 * np.random.default_rng(0).standard_normal(100_000)) * 0.9
    spectrogram = Spectrogram(rate)
    for block in np.split(np.stack([mono, mono], axis=1).astype(np.float32), [30_000, 30_001]):
        spectrogram.add(block)
    columns = np.frombuffer(spectrogram.result(), np.uint8).reshape(-1, BANDS)
    expected = np.array(list(reference(mono, rate)))
    assert np.abs(columns[: len(expected)] - expected).max() <= 0.51
