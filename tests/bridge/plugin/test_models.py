"""The latency that is compiled into the plug-in is that of the separators and of the engine's formula."""

from importlib.resources import files
from pathlib import Path

import pytest

from bridge.benchmarks.plugin import latency_table
from bridge.plugin.models import RATES, models_table
from bridge.plugin.session import MODELS
from stream_sep.audio.latency import fixed_prefill
from stream_sep.separators import load_separator

ROOT = Path(__file__).parents[3]
BLOCKS = (1, 32, 64, 100, 128, 256, 333, 441, 512, 1024, 2048, 8192)


def test_latencies_in_the_documentation_are_those_of_the_plugin():
    lines = (ROOT / "docs" / "how-to" / "plugin.md").read_text(encoding="utf-8").splitlines()
    table = latency_table()
    head = lines.index(table[0])
    assert lines[head : head + len(table)] == table


def test_table_of_models_is_that_of_the_separators():
    assert (files("bridge.plugin") / "native" / "models.def").read_text() == models_table()


@pytest.mark.parametrize("model", MODELS)
def test_native_latency_is_that_of_the_formula(harness, model):
    for rate in RATES:
        separator = load_separator(model, rate)
        for block in BLOCKS:
            owed = fixed_prefill(block, separator.hop, rate) + separator.latency
            assert harness.harness_latency(MODELS.index(model), rate, block, 0) == owed
            assert harness.harness_latency(MODELS.index(model), rate, block, 77) == owed + 77


@pytest.mark.parametrize("model", [name for name in MODELS if name != "passthrough"])
@pytest.mark.parametrize("rate", [8000, 11025, 16000, 37800, 44000, 47952, 64000, 128000])
def test_native_latency_at_an_odd_rate_is_enough(harness, model, rate):
    separator = load_separator(model, rate)
    needed = fixed_prefill(512, separator.hop, rate) + separator.latency
    assert harness.harness_latency(MODELS.index(model), rate, 512, 0) >= needed
