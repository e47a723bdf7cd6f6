"""The compiled runtime beside PyTorch."""

import numpy as np
import pytest
from causal_networks import save_random
from requirements import require_package
from streaming import stream
from torch_runtime import TorchRuntime

from stream_sep.files.demo_song import load_demo_song
from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS
from stream_sep.separators.causal.bundled import bundled, bundled_weights
from stream_sep.separators.causal.compiled.runtime import CompiledRuntime
from stream_sep.separators.causal.config import SIZES
from stream_sep.separators.causal.features import FEATURES
from stream_sep.separators.causal.separator import CausalSeparator


@pytest.fixture(params=["tiny", "tiny-odd"])
def runtimes(request, weights):
    """A network as it is computed exactly, and in compiled code with rounded weights."""
    path = weights / f"{request.param}.safetensors"
    return TorchRuntime(path), CompiledRuntime(path)


def test_compiled_blocks_equal_torch(runtimes):
    exact = runtimes[0]
    rng, bands = np.random.default_rng(0), plan_band_layout(exact.size).bands
    for number in range(1, exact.size.blocks + 1):
        x = 3 * rng.standard_normal((1, 1, bands, exact.size.width)).astype(np.float32)
        memory = rng.uniform(-1, 1, (1, bands, exact.size.width)).astype(np.float32)
        (messages, after), (expected, expected_after) = (each.run_stage(number, x, memory) for each in runtimes)
        assert (messages.shape, after.shape) == (expected.shape, expected_after.shape)
        assert np.abs(after - expected_after).max() < 1e-5
        if number < exact.size.blocks:
            assert np.abs(messages - expected).max() < 1e-4
        else:  # the decoder's weights are rounded
            assert 0 < np.abs(messages - expected).max() < 0.01 * np.abs(expected).max()


def test_encoder_differs_from_torch_by_quantization_at_most(runtimes):
    exact, compiled = runtimes
    plan, rng = plan_band_layout(exact.size), np.random.default_rng(0)
    given = rng.standard_normal((1, 1, FEATURES + PRIOR_CHANNELS, plan.points)).astype(np.float32)
    seen, expected = (each.run_stage(0, given[:, :, :FEATURES], given[:, :, FEATURES:])[0] for each in runtimes[::-1])
    of_bands = given[0, 0].reshape(-1, plan.bands, exact.size.points).transpose(1, 0, 2).reshape(plan.bands, -1)
    most = (np.abs(of_bands) * compiled._encoder.scales[:, : of_bands.shape[1]]).sum(axis=1) / 2
    assert seen.shape == expected.shape
    assert (np.abs(seen - expected)[0, 0].max(axis=1) < most + 1e-5).all()
    assert 0 < np.square(seen - expected).sum() < 1e-4 * np.square(expected).sum()


@pytest.mark.parametrize("name", bundled())
def test_bundled_weights_play_as_torch_computes_them(name):
    require_package("torch", "train")
    mix = load_demo_song().mix[:, 44100 * 8 :][:, : 512 * 100]
    runtimes = TorchRuntime(bundled_weights(name)), CompiledRuntime(bundled_weights(name))
    exact, played = (stream(CausalSeparator(runtime), mix) for runtime in runtimes)
    assert np.abs(exact).max() > 0.1
    assert np.abs(exact - played).max() < 1e-4


def test_quantization_is_55_db_below_the_stems(tmp_path):
    """Each stem of a song is 55 dB louder than what rounding does to it."""
    require_package("torch", "train")
    path = save_random(SIZES["live"], tmp_path / "w.safetensors")
    mix = load_demo_song().mix[:, 44100 * 8 :][:, : 512 * 100]
    exact, played = (stream(CausalSeparator(runtime(path)), mix) for runtime in (TorchRuntime, CompiledRuntime))
    for stem, other in zip(exact, played, strict=True):
        assert 10 * np.log10(np.square(stem).sum() / np.square(other - stem).sum()) > 55
