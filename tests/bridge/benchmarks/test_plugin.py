"""The benchmark of the plug-in, shortened: its figures are there, and its bounce is exact."""

import shutil

from requirements import require

from bridge.benchmarks.plugin import measure_plugin
from bridge.plugin.models import plugin_latency


def test_plugin_is_measured_and_bounces_exactly():
    require(shutil.which("c++"), "needs a C++ compiler: apt install g++")
    found = measure_plugin("instant", 512, blocks=20, instances=2)
    assert found["latency"] == plugin_latency("instant", 44100, 512)
    assert found["over the engine"] <= 0  # the engine's slack covers what a device adds to a block
    assert 0 < found["callback p50"] <= found["callback p99.9"]
    assert found["start"] > 0
    assert found["idle %"] >= 0
    assert found["offline error"] == 0
    assert found["sum error"] < 1e-6
