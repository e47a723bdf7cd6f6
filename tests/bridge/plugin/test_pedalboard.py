"""The plug-in as VST3 in Pedalboard: bounces that are the separator's own, at any block and rate."""

import numpy as np
import pytest
from noise import uniform_noise
from requirements import require_package

from bridge.plugin.parameters import plugin_parameters
from bridge.plugin.session import MODELS
from stream_sep import StemSeparator

pedalboard = require_package("pedalboard", "effects")

RATE = 44100


@pytest.fixture
def load(bundles):
    return lambda: pedalboard.load_plugin(str(bundles["vst3"]))


@pytest.mark.usefixtures("meeting")
@pytest.mark.parametrize("rate", [44100, 48000, 96000])
def test_render_without_an_engine_is_the_input(load, rate):
    plugin, song = load(), uniform_noise(rate)
    plugin.vocals_mute = True
    assert np.array_equal(plugin.process(song, rate, buffer_size=512), song)


@pytest.mark.usefixtures("meeting")
def test_parameters_are_those_of_the_table(load):
    plugin = load()
    assert len(plugin.parameters) == len(plugin_parameters())
    assert plugin.parameters["vocals_gain_db"].range[1] == 10.0
    automatable = {name for name, parameter in plugin.parameters.items() if parameter.is_automatable}
    assert not automatable & {"model", "extra_latency_ms", "engine_state", "late_hops"}
    assert len(automatable) == len(plugin_parameters()) - 4
    assert plugin.parameters["model"].valid_values == list(MODELS)


@pytest.mark.usefixtures("meeting")
def test_state_goes_round(load):
    plugin, other = load(), load()
    fresh = plugin.raw_state
    plugin.vocals_gain_db, plugin.drums_mute = -12.5, True
    plugin.process(uniform_noise(1024), RATE)
    assert plugin.raw_state != fresh
    other.raw_state = plugin.raw_state
    assert other.raw_state == plugin.raw_state


@pytest.mark.usefixtures("meeting")
@pytest.mark.parametrize("state", [b"", b"garbage", bytes(range(256)) * 20])
def test_state_that_is_garbage_does_no_harm(load, state):
    plugin, song = load(), uniform_noise(RATE)
    plugin.raw_state = state
    assert np.array_equal(plugin.process(song, RATE, buffer_size=512), song)


@pytest.mark.parametrize("model", ["live", "instant"])
def test_render_is_that_of_the_separator_bit_for_bit_at_any_block(load, meeting, model):
    meeting.start_host()
    plugin, song = load(), uniform_noise(2 * RATE)
    plugin.model, plugin.vocals_mute = model, True
    plugin.process(np.zeros((2, 512), np.float32), RATE)  # Pedalboard hands a model over with the first block
    expected = StemSeparator(model).process(song, RATE)[1:].sum(axis=0)
    for block in (512, 128, 8192):
        assert np.array_equal(plugin.process(song, RATE, buffer_size=block), expected), block


@pytest.mark.parametrize("model", ["near", "studio"])
def test_render_of_a_model_with_convolutions_is_that_of_the_separator_but_for_rounding(load, meeting, model):
    """Their code may be compiled in another order in the separator's process, and inlined otherwise."""
    meeting.start_host()
    plugin, song = load(), uniform_noise(2 * RATE)
    plugin.model, plugin.vocals_mute = model, True
    plugin.process(np.zeros((2, 512), np.float32), RATE)  # as above
    expected = StemSeparator(model).process(song, RATE)[1:].sum(axis=0)
    rendered = plugin.process(song, RATE, buffer_size=512)
    assert np.abs(rendered - expected).max() < 1e-6
    assert np.array_equal(plugin.process(song, RATE, buffer_size=8192), rendered)


@pytest.mark.parametrize("rate", [48000, 88200])
def test_render_at_another_rate_is_that_of_the_separator(load, meeting, rate):
    meeting.start_host()
    plugin, song = load(), uniform_noise(rate)
    plugin.drums_mute = True
    stems = StemSeparator("live").process(song, rate)
    rendered = plugin.process(song, rate, buffer_size=512)
    assert np.abs(rendered - stems[[0, 2, 3]].sum(axis=0)).max() < 1e-6


def test_chain_of_effects_takes_the_stems_on(load, meeting):
    meeting.start_host()
    plugin, song = load(), uniform_noise(RATE)
    plugin.vocals_mute = True
    board = pedalboard.Pedalboard([plugin, pedalboard.Gain(-6.0)])
    expected = StemSeparator("live").process(song, RATE)[1:].sum(axis=0) * np.float32(10 ** (-6 / 20))
    assert np.abs(board(song, RATE, buffer_size=512) - expected).max() < 1e-5
