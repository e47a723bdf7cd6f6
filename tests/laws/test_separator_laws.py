"""The laws every separator obeys (design, section 4); add an implementation to `SEPARATORS` and all of them run."""

import numpy as np
import pytest
from requirements import needs_packages
from streaming import stream

from stream_sep.separators import load_separator

needs_demucs = needs_packages("demucs", "demucs")
needs_pedalboard = needs_packages("effects", "pedalboard")
needs_torch = needs_packages("train", "torch", "safetensors")
CHAINED = "chained"
INAUDIBLE = {"vocals": [{"plugin": "Invert"}, {"plugin": "Invert"}], "bass": [{"plugin": "BrickwallLimiter"}]}
TINY = {"model": "tiny", "context_ms": 100, "hop_ms": 50, "lookahead_ms": 30, "fade_ms": 10, "threads": 1}
NETWORK = {"weights": "tiny-int8.safetensors"}
SHORT = {"context_ms": 100, "hop_ms": 50, "lookahead_ms": 30}
AHEAD = {"weights": "tiny-ahead.safetensors"}
HYBRID = {"weights": "tiny-hybrid-int8.safetensors"}

SEPARATORS = [
    pytest.param(("passthrough", {"hop": 64, "latency": 100}), id="passthrough"),
    pytest.param(("bands", {}), id="bands"),
    pytest.param(("bands", {"latency_ms": 6}), id="bands-6-ms"),
    pytest.param((CHAINED, {"separator": "passthrough", "hop": 64, "latency": 100, "reserve": 300}), id="reserve"),
    pytest.param((CHAINED, {"chains": INAUDIBLE, "reserve": 300}), id="chains", marks=needs_pedalboard),
    pytest.param(("live", {}), id="live"),
    pytest.param(("studio", {}), id="studio"),
    pytest.param(("instant", NETWORK), id="instant", marks=needs_torch),
    pytest.param(("near", AHEAD), id="near", marks=needs_torch),
    pytest.param(("instant", HYBRID), id="hybrid", marks=needs_torch),
    pytest.param(
        ("frame-transformer", {"weights": "frame-transformer.safetensors"}), id="transformer", marks=needs_torch
    ),
    pytest.param(
        ("frame-transformer", {"weights": "frame-transformer-ahead.safetensors"}),
        id="transformer-ahead",
        marks=needs_torch,
    ),
    pytest.param(
        ("frame-transformer", {"weights": "frame-transformer-whole.safetensors"}),
        id="transformer-whole",
        marks=needs_torch,
    ),
    pytest.param(("hs-tasnet", {"weights": "hs-tasnet.safetensors"}), id="hs-tasnet", marks=needs_torch),
    pytest.param(("unet", {"weights": "unet.safetensors"} | SHORT), id="unet", marks=needs_torch),
    pytest.param(("imported", {"weights": "imported.safetensors", "threads": 1}), id="imported", marks=needs_torch),
    pytest.param(("demucs", TINY), id="demucs", marks=needs_demucs),
    pytest.param(("demucs", TINY | {"stems": ["vocals"], "lookahead_ms": 0}), id="demucs-vocals", marks=needs_demucs),
]
RATE = 44100


@pytest.fixture(params=SEPARATORS)
def make(request, tiny_weights):
    name, options = request.param
    if "weights" in options:
        options = options | {"weights": tiny_weights() / options["weights"]}
    return lambda: load_separator(name, RATE, **options)


def music(frames, seed=0):
    """Noise bursts over decaying tones: something in every band, quiet and loud, never periodic in a hop."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames) / RATE
    tones = sum(np.sin(2 * np.pi * f * t) / (k + 1) for k, f in enumerate((55, 220, 441.7, 1200, 5003)))
    bursts = rng.standard_normal((2, frames)) * (np.sin(2 * np.pi * 3 * t) > 0.9)
    return (0.1 * tones + 0.1 * bursts + 0.01 * rng.standard_normal((2, frames))).astype(np.float32)


def length(separator, seconds=0.5):
    hops = -(-(separator.latency + int(seconds * RATE)) // separator.hop)
    return hops * separator.hop


def test_shapes_and_types(make):
    separator = make()
    out = separator.process(np.zeros((separator.channels, separator.hop), np.float32))
    assert out.shape == (len(separator.stems), separator.channels, separator.hop)
    assert out.dtype == np.float32
    assert separator.sample_rate == RATE
    assert isinstance(separator.latency, int)


def test_stems_add_up_to_the_delayed_mix(make):
    separator = make()
    mix = music(length(separator))
    total = stream(separator, mix).sum(axis=0)
    expected = np.pad(mix, ((0, 0), (separator.latency, 0)))[:, : mix.shape[1]]
    assert np.abs(total - expected).max() < 2e-6


def test_the_future_never_changes_the_past(make):
    separator = make()
    mix = music(length(separator))
    changed = mix.copy()
    cut = mix.shape[1] // separator.hop // 2 * separator.hop
    changed[:, cut:] = music(mix.shape[1], seed=1)[:, cut:] * 3
    before = stream(separator, mix)[..., :cut]
    after = stream(make(), changed)[..., :cut]
    assert np.array_equal(before, after)


def test_reset_equals_a_fresh_object(make):
    separator = make()
    mix = music(length(separator))
    first = stream(separator, mix)
    separator.reset()
    assert np.array_equal(first, stream(separator, mix))


def test_an_impulse_arrives_after_exactly_the_latency(make):
    separator = make()
    mix = np.zeros((2, length(separator)), np.float32)
    at = separator.hop + 3
    mix[:, at] = 0.5
    total = stream(separator, mix).sum(axis=0)
    assert int(np.abs(total).max(axis=0).argmax()) == at + separator.latency


def test_silence_in_silence_out(make):
    separator = make()
    out = stream(separator, np.zeros((2, length(separator)), np.float32))
    assert not out.any()


def test_silence_comes_back_after_music(make):
    separator = make()
    frames = length(separator)
    stream(separator, music(frames))
    out = stream(separator, np.zeros((2, 4 * frames), np.float32))
    assert np.abs(out[..., -separator.hop :]).max() < 1e-6


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 10.0, 1e6])
def test_any_level_stays_finite(make, scale):
    separator = make()
    assert np.isfinite(stream(separator, music(length(separator)) * np.float32(scale))).all()
