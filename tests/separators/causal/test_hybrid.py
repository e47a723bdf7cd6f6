"""A causal network with convolutions, played: compiled code computes what PyTorch does, each stream by itself."""

import dataclasses

import numpy as np
import pytest
from causal_networks import noise, save_random
from requirements import require_package
from streaming import stream
from torch_runtime import TorchRuntime

from stream_sep.files.demo_song import load_demo_song
from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS
from stream_sep.separators.causal.compiled.runtime import CompiledRuntime
from stream_sep.separators.causal.config import SIZES
from stream_sep.separators.causal.separator import CausalSeparator
from stream_sep.separators.causal.staggered_inference import StaggeredInference


@pytest.fixture
def path(tiny_weights):
    return tiny_weights() / "tiny-hybrid-int8.safetensors"


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A network of the size of `live`, with convolutions and random weights in int8."""
    torch = require_package("torch", "train")
    from stream_sep.separators.causal.export import export_int8  # noqa: PLC0415 - heavy

    folder = tmp_path_factory.mktemp("live")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        size = dataclasses.replace(SIZES["live"], width=64, blocks=3, conv_channels=12)
        save_random(size, folder / "w.safetensors")
    export_int8(folder / "w.safetensors", folder / "live.safetensors")
    return folder / "live.safetensors"


def outputs(runtime, hops=60, spread=1):
    rng, inference = np.random.default_rng(0), StaggeredInference(runtime, spread)
    shape = 1, PRIOR_CHANNELS, plan_band_layout(runtime.size).points
    made = []
    for _ in range(hops):
        spectra = rng.standard_normal((1, 2, 2 * runtime.size.bins)).astype(np.float32).view(np.complex64)
        made.append(inference.step(spectra, rng.standard_normal(shape).astype(np.float32)).copy())
    return np.stack(made)


@pytest.mark.parametrize("spread", [1, 2])
def test_compiled_network_computes_what_pytorch_does(path, spread):
    expected, found = (outputs(runtime(path), spread=spread) for runtime in (TorchRuntime, CompiledRuntime))
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_it_does_so_at_the_size_of_live(live):
    expected, found = (outputs(runtime(live), hops=30) for runtime in (TorchRuntime, CompiledRuntime))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_its_sound_is_that_of_pytorch(live):
    mix = load_demo_song().mix[:, 44100 * 8 :][:, : 512 * 60]
    expected, found = (stream(CausalSeparator(runtime(live)), mix) for runtime in (TorchRuntime, CompiledRuntime))
    assert np.abs(expected).max() > 0.1
    assert np.abs(found - expected).max() < 1e-4


def test_streams_of_one_runtime_keep_apart_to_the_bit(path):
    runtime, mixes = CompiledRuntime(path), (noise(64 * 50), noise(64 * 50, seed=1))
    alone = [stream(CausalSeparator(runtime), mix) for mix in mixes]
    both, parts = [CausalSeparator(runtime, hop=64) for _ in mixes], [[], []]
    for at in range(0, 64 * 50, 64):
        for number, mix in enumerate(mixes):
            parts[number].append(both[number].process(mix[:, at : at + 64]).copy())
    for number in range(2):
        assert np.array_equal(np.concatenate(parts[number], axis=2), alone[number])


def test_convolutions_are_in_what_is_played(path):
    runtime = CompiledRuntime(path)
    before = outputs(runtime)
    runtime._conv_in.taps[:] = 0.0
    without = outputs(runtime)
    runtime._conv_out.taps[:] = 0.0
    assert np.abs(before - without).max() > 1e-3
    assert np.abs(outputs(runtime) - without).max() > 1e-3
