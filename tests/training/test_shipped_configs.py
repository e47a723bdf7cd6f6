"""The training configs that ship."""

from pathlib import Path

import pytest
from requirements import require_package

require_package("torch", "train")

from stream_sep.separators.causal.separator import MAX_LATENCY_MS
from stream_sep.training.config_file import read_config
from stream_sep.training.data.cache import RATE
from stream_sep.training.kinds import build_model

CONFIGS = Path(__file__).parents[2] / "presets" / "training"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_config_builds_its_network_within_its_latency(path):
    training = read_config(path)
    network = dict(training.network)
    model = build_model(network.pop("kind"), network, training.training.inference_hop, training.groups)
    assert training.name == path.stem
    others = [*training.teachers, *([training.init_weights] if training.init_weights else [])]
    assert all(other.exists() or (CONFIGS / f"{other.parent.name}.toml").exists() for other in others)
    if path.stem in MAX_LATENCY_MS and training.network["kind"] == "causal":
        assert 1000 * model.network.size.algorithmic_latency / RATE <= MAX_LATENCY_MS[path.stem]
