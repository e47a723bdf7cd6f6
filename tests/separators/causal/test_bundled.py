"""The weights that ship."""

import hashlib

import numpy as np
import pytest
import soxr
from streaming import stream

from stream_sep.files.demo_song import load_demo_song
from stream_sep.separators import REGISTRY, canonical_name, load_separator
from stream_sep.separators.causal.bundled import bundled, bundled_weights, model_card
from stream_sep.separators.causal.separator import MAX_LATENCY_MS


@pytest.mark.parametrize("name", bundled())
def test_bundled_weights_are_small_and_have_a_card(name):
    assert canonical_name(name) in REGISTRY
    separator = load_separator(name)
    assert separator.hop + separator.latency <= MAX_LATENCY_MS[name] * 44.1
    assert sum(bundled_weights(each).stat().st_size for each in bundled()) < 12e6
    card = model_card(name)
    for words in (
        "MUSDB18",
        "## Licence",
        "vocals",
        "## Limits",
        hashlib.sha256(bundled_weights(name).read_bytes()).hexdigest(),
    ):
        assert words in card


def gains_on_the_demo_song(rate):
    """Return by how many dB each stem is better than the mix; of a song in no training set."""
    song = load_demo_song()
    given = [song.mix, *song.stems.values()]
    if rate != song.sample_rate:
        given = [np.ascontiguousarray(soxr.resample(each.T, song.sample_rate, rate).T) for each in given]
    separator = load_separator("live", rate)
    late, frames = separator.latency, given[0].shape[1] // separator.hop * separator.hop
    made = stream(separator, given[0][:, :frames])[..., late:]
    mix, *stems = (each[:, : made.shape[2]] for each in given)
    assert list(song.stems) == list(separator.stems)
    return [
        10 * np.log10(np.square(mix - true).sum() / np.square(each - true).sum())
        for each, true in zip(made, stems, strict=True)
    ]


def test_bundled_weights_separate_the_demo_song_at_both_rates():
    """As well at 48 kHz, but for 0.3 dB: the points of the network stand at the same frequencies there."""
    gains = gains_on_the_demo_song(44100)
    gains_at_48_khz = gains_on_the_demo_song(48000)
    lost = np.subtract(gains, gains_at_48_khz)
    assert min(gains) > 7
    assert min(gains_at_48_khz) > 7
    assert lost.mean() < 0.3
    assert lost.max() < 0.6
