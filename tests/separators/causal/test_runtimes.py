"""What every runtime of a network owes the separator."""

import copy

import numpy as np
from causal_networks import no_hints, noise
from torch_runtime import TorchRuntime

from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.compiled.runtime import CompiledRuntime
from stream_sep.separators.causal.features import FEATURES


def test_stage_leaves_its_inputs_unchanged(weights):
    for kind in (CompiledRuntime, TorchRuntime):
        runtime = kind(weights / "tiny.safetensors")
        features = noise(FEATURES * plan_band_layout(runtime.size).points).reshape(2, 1, 1, FEATURES, -1)[0]
        first = (features, no_hints(runtime)[None])
        second = (runtime.run_stage(0, *first)[0].copy(), *runtime.initial_state()[1])
        for number, given in enumerate((first, second)):
            kept = copy.deepcopy(given)
            made = runtime.run_stage(number, *given)
            x = made[0].copy()
            for each in made:
                each[:] = 1.0
            assert all(np.array_equal(one, other) for one, other in zip(kept, given, strict=True))
            assert np.array_equal(x, runtime.run_stage(number, *given)[0])
