"""Stems behind chains: latency, alignment, channels and reset."""

import numpy as np
import pytest
from effect_chains import GAIN, HOP, LIMITER, LIMITER_LATE, QUIET, RATE, late, sine
from noise import gaussian_noise
from requirements import require_package
from streaming import stream

from stream_sep.effects.chained_separator import ChainSpec
from stream_sep.errors import ConfigError

pedalboard = require_package("pedalboard", "effects")


def test_chain_on_an_unknown_stem_is_rejected(chain):
    with pytest.raises(ConfigError, match=r"no stem 'vocal' to put a chain on; did you mean 'vocals'\?"):
        chain({"vocal": GAIN})


@pytest.mark.parametrize("hop", [1, 16, 64, 256, 1000])
def test_stems_without_effects_pass_bit_for_bit(chain, hop):
    mix = gaussian_noise(hop * (2000 // hop + 5))
    for stem in stream(chain(hop=hop, reserve=777), mix):
        np.testing.assert_array_equal(stem, late(mix, 777))
    assert chain(hop=hop, reserve=777).latency == 777
    assert chain(hop=hop).latency == 0


@pytest.mark.parametrize("hop", [40, 256, 1000])
def test_chain_hop_by_hop_equals_pedalboard_on_the_whole_song(chain, hop):
    mix = gaussian_noise(hop * (20000 // hop))
    separator = chain({"drums": [{"plugin": "Compressor", "parameters": {"threshold_db": -20, "ratio": 4}}, *GAIN,
                                 {"plugin": "Reverb"}]}, hop=hop, reserve=100)  # fmt: skip
    board = pedalboard.Pedalboard([pedalboard.Compressor(-20, 4), pedalboard.Gain(-6), pedalboard.Reverb()])
    expected = board.process(mix, RATE, buffer_size=hop)
    stems = stream(separator, mix)
    np.testing.assert_allclose(stems[1], late(expected, 100), atol=1e-6)
    np.testing.assert_array_equal(stems[0], late(mix, 100))


@pytest.mark.parametrize("hop", [64, 256, 1000])
def test_stems_stay_aligned_when_a_chain_has_lookahead(chain, hop):
    separator = chain({"vocals": LIMITER, "bass": [*LIMITER, *LIMITER]}, hop=hop)
    assert separator.chain_latency == separator.latency == 2 * LIMITER_LATE
    mix = np.zeros((2, 4 * 1000 // hop * hop), np.float32)
    mix[:, hop + 7] = 0.5
    stems = stream(separator, mix)
    assert np.abs(stems).max(axis=1).argmax(axis=1).tolist() == [hop + 7 + 2 * LIMITER_LATE] * 4


def test_latency_of_a_vst3_is_measured_and_delays_the_other_stems(chain, vst3):
    separator = chain({"vocals": [{"plugin": vst3("ZaMaximX2")}], "drums": LIMITER})
    assert separator.chain_latency == 480
    mix = np.zeros((2, 8 * HOP), np.float32)
    mix[:, 300] = 0.5
    stems = stream(separator, mix)
    assert np.abs(stems).max(axis=1).argmax(axis=1).tolist() == [780] * 4
    np.testing.assert_array_equal(stems[3], late(mix, 480))


def test_delay_effect_adds_no_latency(chain):
    echo = {"plugin": "Delay", "parameters": {"delay_seconds": 0.01, "mix": 1.0}}
    separator = chain({"vocals": [echo]})
    assert separator.latency == 0
    mix = np.zeros((2, 4 * HOP), np.float32)
    mix[:, 0] = 0.5
    expected = pedalboard.Delay(delay_seconds=0.01, mix=1.0).process(mix, RATE)
    assert int(expected[0].argmax()) > 400
    np.testing.assert_array_equal(stream(separator, mix)[0], expected)


@pytest.mark.parametrize("plugin", ["MP3Compressor", "Resample"])
@pytest.mark.parametrize("hop", [100, 256])
def test_effect_of_irregular_output_returns_whole_hops(chain, plugin, hop):
    reports = []
    separator = chain({"vocals": [{"plugin": plugin}]}, hop=hop, reports=reports)
    assert separator.latency > 0
    tone = sine(2 * RATE // hop * hop)
    out = stream(separator, tone)
    assert reports == []
    output, expected = out[0, 0, RATE:], out[3, 0, RATE:]
    assert np.abs(output).max() == pytest.approx(0.5, rel=0.1)
    assert np.corrcoef(output, expected)[0, 1] > 0.9


def test_mono_effect_has_an_instance_a_side(chain, vst3):
    separator = chain({"vocals": [{"plugin": vst3("ZamGate")}]})
    mix = gaussian_noise(40 * HOP)
    mix[1] = 0
    stems = stream(separator, mix)
    assert np.abs(stems[0, 0]).max() > 0.01
    assert not stems[0, 1].any()


def test_chain_beyond_the_reserve_is_rejected_with_the_number_to_set(chain):
    with pytest.raises(
        ConfigError, match="'bass' is 220 frames late and 100 are reserved: start with chain_reserve=220"
    ):
        chain({"bass": LIMITER}, reserve=100)
    separator = chain(reserve=300)
    with pytest.raises(ConfigError, match="chain_reserve=440"):
        separator.set_chains({"bass": [*LIMITER, *LIMITER]})
    assert separator.chains == ChainSpec()
    separator.set_chains({"bass": LIMITER})
    with pytest.raises(ConfigError, match="negative"):
        chain(reserve=-1)


def test_reset_equals_a_new_separator(chain, vst3):
    separator = chain({"vocals": [{"plugin": "Reverb"}], "drums": LIMITER, "bass": [{"plugin": vst3("ZaMaximX2")}]})
    mix = gaussian_noise(40 * HOP)
    first = stream(separator, mix)
    separator.reset()
    np.testing.assert_array_equal(stream(separator, mix), first)


def test_nan_from_the_separator_is_not_reported_as_of_a_chain(chain):
    reports = []
    separator = chain({"vocals": [QUIET]}, reports=reports)
    block = gaussian_noise(HOP)
    block[0, 3] = np.nan
    assert np.isnan(separator.process(block)).any()
    separator.reset()
    assert np.abs(separator.process(sine(HOP))[0]).max() < 0.06
    assert reports == []
