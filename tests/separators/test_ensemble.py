"""The mean of separators."""

import numpy as np
import pytest
from noise import gaussian_noise
from streaming import stream

from stream_sep.errors import ConfigError
from stream_sep.separators import load_separator
from stream_sep.separators.ensemble import DelayedInput, EnsembleSeparator, average_shifts

HOP = 64


def passthrough(latency, carrier="vocals", hop=HOP):
    return load_separator("passthrough", hop=hop, latency=latency, carrier=carrier)


def test_mean_equals_the_members_delayed_to_the_longest_latency():
    mix = gaussian_noise(20 * HOP)
    first, second = passthrough(10, "vocals"), passthrough(150, "bass")
    stems = stream(EnsembleSeparator([first, second]), mix)
    delayed = np.concatenate([np.zeros((2, 150), np.float32), mix], axis=1)[:, : mix.shape[1]]
    np.testing.assert_allclose(stems[0], delayed / 2, atol=1e-7)
    np.testing.assert_allclose(stems[2], delayed / 2, atol=1e-7)
    assert not stems[[1, 3]].any()


def test_one_member_is_unchanged():
    mix = gaussian_noise(20 * HOP)
    np.testing.assert_array_equal(stream(EnsembleSeparator([passthrough(7)]), mix), stream(passthrough(7), mix))


def test_latency_and_compute_share_cover_all_members():
    ensemble = EnsembleSeparator([passthrough(10), passthrough(150)])
    assert ensemble.latency == 150
    assert ensemble.compute_share == 0.5
    assert ensemble.weights == (0, 0)


@pytest.mark.parametrize("members", [[], [passthrough(0), passthrough(0, hop=2 * HOP)]], ids=["none", "hops"])
def test_members_of_different_formats_are_refused(members):
    with pytest.raises(ConfigError, match="same stems, sample rate, channels and hop"):
        EnsembleSeparator(members)


@pytest.mark.parametrize("frames", [0, 5, HOP])
def test_delayed_input_adds_to_the_latency(frames):
    mix = gaussian_noise(20 * HOP)
    delayed = DelayedInput(passthrough(10), frames)
    stems = stream(delayed, mix)
    expected = np.concatenate([np.zeros((2, 10 + frames), np.float32), mix], axis=1)[:, : mix.shape[1]]
    assert delayed.latency == 10 + frames
    np.testing.assert_array_equal(stems[0], expected)
    delayed.reset()
    np.testing.assert_array_equal(stream(delayed, mix), stems)


def test_one_pass_is_the_separator_itself():
    separator = passthrough(10)
    assert average_shifts([separator]) is separator


def test_passes_are_spread_over_a_hop_and_averaged_in_time():
    mix = gaussian_noise(40 * HOP)
    separator = average_shifts([load_separator("bands") for _ in range(4)])
    hop = load_separator("bands").hop
    passes = []
    for offset in (0, hop // 4, hop // 2, 3 * hop // 4):
        shifted = np.concatenate([np.zeros((2, offset), np.float32), mix], axis=1)
        late = load_separator("bands").latency + offset
        passes.append(stream(load_separator("bands"), shifted)[..., late:])
    frames = min(each.shape[2] for each in passes) - hop
    mean = sum(each[..., :frames] for each in passes) / 4
    np.testing.assert_allclose(stream(separator, mix)[..., separator.latency :][..., :frames], mean, atol=1e-6)
