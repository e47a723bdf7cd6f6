"""Effects in the engine's mix."""

import numpy as np
from requirements import require_package

from stream_sep import Engine, EngineConfig, OfflineBackend

require_package("pedalboard", "effects")


def test_mix_has_the_effects_with_all_faders_at_unity():
    song = (0.1 * np.random.default_rng(0).standard_normal((2, 8192))).astype(np.float32)
    backend = OfflineBackend()
    config = EngineConfig(model="passthrough", worker="inline", chains={"other": [{"plugin": "Invert"}]})
    with Engine(backend, config) as engine:
        mix, stems = backend.run(song)
        np.testing.assert_array_equal(mix, -song)
        np.testing.assert_array_equal(stems.sum(axis=0), mix)
        engine.set_chains({})
        mix, _ = backend.run(song)
    np.testing.assert_allclose(mix[:, -2048:], song[:, -2048:], atol=1e-6)
