"""The causal separator: level, sides, NaN, rates and shorter hops."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from causal_networks import RecordingRuntime, noise, save_random
from streaming import stream

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.files.demo_song import load_demo_song
from stream_sep.separators import NEEDS_WEIGHTS, load_separator
from stream_sep.separators.causal.config import SIZES, NetworkConfig
from stream_sep.separators.causal.separator import CausalSeparator, load_causal


def test_network_with_zero_output_plays_bands():
    """As close as points are to bins, and windows of 22 milliseconds to those of 23."""
    mix = load_demo_song().mix[:, : 512 * 300]
    silent, bands = CausalSeparator(RecordingRuntime(NetworkConfig())), load_separator("bands")
    end = mix.shape[1] - 1024
    played, expected = (stream(each, mix)[..., each.latency :][:3, :, :end] for each in (silent, bands))
    for made, own in zip(played, expected, strict=True):
        assert 10 * np.log10(np.square(own).sum() / np.square(made - own).sum()) > 12


@pytest.mark.parametrize("gain", [1e-3, 30.0])
def test_stems_scale_with_the_level_of_the_mix(weights, gain):
    separator = load_causal("instant", weights=weights / "tiny.safetensors")
    expected = stream(separator, noise(6400)) * np.float32(gain)
    separator.reset()
    assert np.abs(stream(separator, noise(6400) * np.float32(gain)) - expected).max() < 1e-4 * gain


def test_mono_mix_has_mono_stems(weights):
    mono = np.repeat(noise(6400)[:1], 2, axis=0)
    stems = stream(load_causal("instant", weights=weights / "tiny.safetensors"), mono)
    assert np.array_equal(stems[:, 0], stems[:, 1])


def test_stems_of_one_side_alone_add_up(weights):
    left = noise(6400) * np.array([[1], [0]], np.float32)
    separator = load_causal("instant", weights=weights / "tiny.safetensors")
    total = stream(separator, left).sum(axis=0)
    assert np.abs(total[:, separator.latency :] - left[:, : -separator.latency]).max() < 1e-6


def test_stems_are_finite_after_nan_and_infinity(weights):
    separator = load_causal("instant", weights=weights / "tiny.safetensors")
    mix = noise(64 * 60)
    mix[0, 100], mix[1, 200] = np.nan, np.inf
    mix[0, 300] = 3e38
    assert np.isfinite(stream(separator, mix)).all()


def test_48_khz_is_played_directly_and_96_khz_resampled(weights):
    assert load_separator("instant", 48000, weights=weights / "tiny.safetensors").latency == SIZES["tiny"].fade
    resampled = load_separator("instant", 96000, weights=weights / "tiny.safetensors")
    assert (resampled.sample_rate, resampled.hop) == (96000, 2 * SIZES["tiny"].hop)


def test_model_without_weights_is_rejected_with_the_training_command():
    for name in sorted(set(NEEDS_WEIGHTS) - {"checkpoint", "imported"}):  # which others train
        with pytest.raises(SeparatorError, match=r"stream-sep train [\w-]+'") as raised:
            load_separator(name)
        (preset,) = re.findall(r"stream-sep train ([\w-]+)'", str(raised.value))
        assert (Path(__file__).parents[3] / f"presets/training/{preset}.toml").is_file()


def test_weights_with_more_latency_than_their_name_are_rejected(weights):
    late = save_random(NetworkConfig(blocks=1, width=4, mixer=4, lookahead=2), weights.parent / "late.safetensors")
    with pytest.raises(ConfigError, match="load it as 'near'"):
        load_causal("instant", weights=late)


def test_network_of_long_hops_has_less_latency_in_short_ones(weights):
    late = save_random(NetworkConfig(blocks=1, width=4, mixer=4), weights.parent / "live.safetensors")
    instant = load_causal("instant", weights=late)
    assert (instant.hop, instant.latency) == (128, 128)
    assert load_causal("live", weights=late).hop == 512
    mix = noise(128 * 100)
    assert np.abs(stream(instant, mix).sum(axis=0)[:, 128:] - mix[:, :-128]).max() < 1e-6


def test_network_in_short_hops_runs_as_often_as_in_training():
    runtime = RecordingRuntime(NetworkConfig())
    separator = CausalSeparator(runtime, hop=128)
    for _ in range(2):
        runtime.stages.clear()
        stream(separator, noise(128 * 9))
        assert runtime.stages == [0, 1, 2, 3, 4] * 2 + [0, 1, 2]
        separator.reset()


def test_network_output_is_held_between_its_runs_while_the_prior_is_not():
    """A network of zero output leaves the prior of every short hop alone; a certain prior outlasts it."""
    mix = noise(128 * 200)
    silent, bands = CausalSeparator(RecordingRuntime(NetworkConfig()), hop=128), load_separator("bands", latency_ms=6)
    made, own = stream(silent, mix)[:3], stream(bands, mix)[:3]
    assert 10 * np.log10(np.square(own).sum() / np.square(made - own).sum()) > 10
    sure = stream(CausalSeparator(RecordingRuntime(NetworkConfig(), certain=100.0), hop=128), mix)
    assert np.abs(sure[1:3, :, 128 * 8 :]).max() < 1e-6


def test_lookahead_adds_its_hops_to_the_latency(weights):
    size = dataclasses.replace(SIZES["tiny"], lookahead=3)
    separator = load_causal("near", weights=weights / "tiny-ahead.safetensors")
    assert isinstance(separator, CausalSeparator)
    assert separator.latency == size.fade + 3 * size.hop
