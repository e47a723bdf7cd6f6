"""The control benchmark on a real JACK server: all figures, and every way of moving a fader."""

import json

import pytest

from bridge.benchmarks.control import measure_control

MOVES = 6


@pytest.fixture(scope="module")
def figures(jackd):  # noqa: ARG001 - it has to run
    measured = measure_control("passthrough", {}, MOVES, seconds=1)
    return json.loads(json.dumps(measured))


@pytest.mark.parametrize("way", ["osc", "midi", "web"])
def test_moves_over_each_way_change_the_sound(figures, way):
    delay = figures[f"{way}_to_sound_ms"]
    assert 0 <= delay["p50"] <= delay["p99"] <= delay["max"]
    assert 0 <= delay["lost"] < MOVES  # how many depends on what else the machine does


def test_browser_receives_meters(figures):
    assert figures["web_meters_bytes_a_second"] > 0


def test_a_storm_ends_on_its_newest_value(figures):
    assert figures["storm"]["messages"] == 1000
    assert figures["storm"]["newest_value_right"]


def test_cost_of_idle_bridges_is_reported(figures):
    assert 0 < figures["idle_percent_of_a_core"] < 100
