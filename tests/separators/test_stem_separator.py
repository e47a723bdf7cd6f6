"""The library's one call: whole files in time, streams late by its reported latency, any block lengths."""

import numpy as np
import pytest

from stream_sep import ConfigError, StemSeparator, load_separator
from stream_sep.separators.rechunker import Rechunker

RATE = 44100


def noise(frames, channels=2):
    return np.random.default_rng(3).standard_normal((channels, frames)).astype(np.float32) * 0.1


def test_a_whole_file_comes_back_in_time_and_adds_up():
    mix = noise(5000)
    stems = StemSeparator("bands").process(mix, RATE)
    assert stems.shape == (4, 2, 5000)
    assert np.abs(stems.sum(axis=0) - mix).max() < 2e-6


@pytest.mark.parametrize("sizes", [(1,), (16,), (40,), (128,), (1, 1023, 7), (1025,), (9000,)], ids=str)
def test_block_lengths_never_change_the_samples(sizes):
    mix = noise(4500)
    whole = StemSeparator("bands")
    expected = whole.process(mix, RATE, reset=False)
    separator, parts, at = StemSeparator("bands"), [], 0
    while at < mix.shape[1]:
        size = sizes[len(parts) % len(sizes)]
        parts.append(separator.process(mix[:, at : at + size], RATE, reset=False))
        assert parts[-1].shape[2] == min(size, mix.shape[1] - at)
        at += size
    assert np.array_equal(np.concatenate(parts, axis=2), expected)


def test_a_stream_is_late_by_exactly_the_latency():
    mix = noise(4000)
    separator = StemSeparator("bands")
    total = separator.process(mix, RATE, reset=False).sum(axis=0)
    late = separator.latency
    assert not total[:, :late].any()
    assert np.abs(total[:, late:] - mix[:, :-late]).max() < 2e-6


def test_reset_clears_the_state():
    mix = noise(3000)
    separator = StemSeparator("bands")
    first = separator.process(mix, RATE)
    separator.process(noise(777) * 5, RATE, reset=False)
    assert np.array_equal(separator.process(mix, RATE), first)


def test_mono_goes_to_both_channels():
    stems = StemSeparator("bands").process(noise(2000, 1)[0], RATE)
    assert stems.shape == (4, 2, 2000)
    assert np.allclose(stems[:, 0], stems[:, 1], atol=1e-6)


def test_audio_the_wrong_way_round_is_refused_with_its_shape():
    with pytest.raises(ConfigError, match=r"\(2000, 2\).*transpose"):
        StemSeparator("bands").process(noise(2000).T, RATE)


def test_hop_minus_one_frames_is_the_least_delay_that_serves_every_block():
    separator = load_separator("passthrough", hop=64)
    stream = Rechunker(separator)
    mix = noise(500)
    out = np.concatenate([stream.process(mix[:, at : at + 1]) for at in range(500)], axis=2).sum(axis=0)
    assert stream.latency == 63
    assert np.array_equal(out[:, 63:], mix[:, :-63])
