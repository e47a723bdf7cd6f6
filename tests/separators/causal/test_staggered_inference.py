"""A step of the network, spread over hops."""

import dataclasses

import numpy as np
import pytest
from causal_networks import RecordingRuntime, no_hints, spectrum

from stream_sep.separators.causal.compiled.runtime import CompiledRuntime
from stream_sep.separators.causal.config import SIZES
from stream_sep.separators.causal.staggered_inference import StaggeredInference


@pytest.mark.parametrize("hops", [1, 2, 3, 4])
def test_step_takes_the_first_hop_of_a_group_and_returns_after_half_of_it(hops):
    runtime = RecordingRuntime(dataclasses.replace(SIZES["tiny"], blocks=3), certain=None)
    inference, outputs, most_stages = StaggeredInference(runtime, hops), [], 0
    for hop in range(5 * hops):
        runtime.stages.clear()
        hints = no_hints(runtime) + np.float32(hop + 1)
        outputs.append(int(inference.step(spectrum(runtime), hints).flat[0]))
        most_stages = max(most_stages, len(runtime.stages))
    half = -(-hops // 2)
    assert outputs == [0] * (half - 1) + [at // hops * hops + 1 for at in range(5 * hops - half + 1)]
    assert most_stages == min(-(-2 * 4 // hops), 4)


def test_network_of_fewer_stages_than_hops_rests_in_some():
    runtime = RecordingRuntime(SIZES["tiny"])
    inference, stage_counts = StaggeredInference(runtime, 8), []
    for _ in range(16):
        inference.step(spectrum(runtime), no_hints(runtime))
        stage_counts.append(len(runtime.stages))
    assert np.bincount(np.diff(stage_counts)).tolist() == [12, 3]


def test_state_stays_bounded_over_a_long_stream(weights):
    runtime = CompiledRuntime(weights / "tiny.safetensors")
    rng, inference = np.random.default_rng(0), StaggeredInference(runtime)
    for _ in range(3000):
        sound = rng.standard_normal((1, 2, 2 * runtime.size.bins)).astype(np.float32) * 10 ** rng.uniform(-3, 3)
        inference.step(sound.view(np.complex64), no_hints(runtime))
    assert np.abs(inference._state[1][0]).max() <= 1
