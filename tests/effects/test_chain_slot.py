"""Changes of chains while they play: a crossfade at most."""

import threading

import numpy as np
import pytest
from effect_chains import FADE, HOP, LIMITER, QUIET, RATE, largest_step, sine
from noise import gaussian_noise
from requirements import require_package
from streaming import stream

from stream_sep.effects import loader
from stream_sep.errors import ConfigError

require_package("pedalboard", "effects")


REVERB = {"plugin": "Reverb", "parameters": {"wet_level": 0.3, "dry_level": 0.7}}
SHELF = {"plugin": "LowShelfFilter", "parameters": {"gain_db": 6.0}}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ([], [QUIET]),
        ([QUIET], []),
        ([QUIET], [{**QUIET, "bypass": True}]),
        ([{**QUIET, "bypass": True}], [QUIET]),
        ([QUIET], [{**QUIET, "parameters": {"gain_db": 0.0}}]),
        ([REVERB], [{**REVERB, "parameters": {"wet_level": 0.9, "dry_level": 0.2}}]),
        ([REVERB], [REVERB, SHELF]),
        ([SHELF, REVERB, *LIMITER], [*LIMITER, REVERB, SHELF]),
        ([], LIMITER),
        (LIMITER, []),
        (LIMITER, [{"plugin": "BrickwallLimiter", "parameters": {"lookahead_ms": 1.0}}]),
        (LIMITER, [{"plugin": "Invert"}]),
    ],
)
@pytest.mark.parametrize("hop", [64, 256, 2048])
def test_change_of_a_chain_makes_no_larger_step_than_a_crossfade(chain, first, then, hop):
    separator = chain({"vocals": first}, hop=hop, reserve=400)
    hops = RATE // hop
    before = stream(separator, sine(hops * hop))
    separator.set_chains({"vocals": then})
    after = stream(separator, sine(hops * hop, hops * hop))
    sound = np.concatenate([before, after], axis=2)[:, :, 400 + hop :]
    settled = [sound[0][:, RATE // 2 - 8000 : RATE // 2], sound[0][:, -8000:]]
    reference = chain({"vocals": then}, hop=hop, reserve=400)
    expected = stream(reference, sine(2 * hops * hop))[0][:, -8000:]
    np.testing.assert_allclose(sound[0][:, -8000:], expected, atol=2e-2)
    loudest = float(np.abs(sound[0]).max())
    bound = max(largest_step(part) for part in settled) + 2 * loudest / FADE
    assert largest_step(sound[0]) <= 1.02 * bound
    np.testing.assert_array_equal(sound[1], sound[3])
    assert largest_step(sound[3]) <= largest_step(sine(4096)) + 1e-6


def test_automatable_parameter_changes_the_effect_that_plays(chain):
    separator = chain({"vocals": [REVERB]})
    playing = separator._aligned["vocals"]
    separator.set_effect("vocals", 0, "wet_level", 0.9)
    assert separator._aligned["vocals"] is playing
    separator.process(gaussian_noise(HOP))
    assert playing.chain._effects.effects[0]._plugins[0].wet_level == pytest.approx(0.9)
    separator.set_effect("vocals", 0, "freeze_mode", 1.0)
    assert separator._aligned["vocals"] is not playing


def test_parameters_of_a_vst3_are_checked_and_changed(chain, vst3):
    separator = chain({"vocals": [{"plugin": vst3("ZaMaximX2")}]})
    with pytest.raises(ConfigError, match=r"did you mean 'threshold_db'\?"):
        separator.set_effect("vocals", 0, "treshold_db", -6)
    with pytest.raises(ConfigError, match=r"threshold_db -60 is not in -30\.\.0"):
        separator.set_effect("vocals", 0, "threshold_db", -60)
    loud = np.abs(stream(separator, sine(200 * HOP))[0]).max()
    separator.set_effect("vocals", 0, "output_ceiling_db", -20)
    quiet = stream(separator, sine(200 * HOP, 200 * HOP))[0]
    assert np.abs(quiet[:, -4096:]).max() < 0.5 * loud
    assert largest_step(quiet) <= 1.02 * (largest_step(sine(4096)) + 1 / FADE)


def test_added_effect_has_the_audio_from_before(chain):
    echo = {"plugin": "Delay", "parameters": {"delay_seconds": 0.3, "mix": 1.0, "feedback": 0.0}}
    separator = chain(reserve=0)
    stream(separator, sine(RATE // HOP * HOP))
    separator.set_chains({"vocals": [echo]})
    after = stream(separator, sine(20 * HOP))
    assert np.abs(after[0, :, 10 * HOP :]).max() > 0.4


def test_bypass_and_back_is_a_crossfade_and_keeps_the_state(chain):
    separator = chain({"vocals": [QUIET]}, reserve=100)
    parts, at = [], 0
    for bypassed in (False, True, False):
        separator.set_bypass("vocals", bypassed=bypassed)
        parts.append(stream(separator, sine(40 * HOP, at))[0])
        at += 40 * HOP
    loud = [float(np.abs(part[:, 20 * HOP :]).max()) for part in parts]
    assert loud == pytest.approx([0.05, 0.5, 0.05], rel=0.01)
    assert largest_step(np.concatenate(parts, axis=1)[:, HOP:]) <= 1.02 * (largest_step(sine(4096)) + 0.5 / FADE)


def test_hops_go_on_while_effects_load(chain, monkeypatch):
    separator, begun, go_on = chain(reserve=0), threading.Event(), threading.Event()
    load = loader.load_chain

    def slowly(*arguments):
        begun.set()
        assert go_on.wait(30)
        return load(*arguments)

    monkeypatch.setattr(loader, "load_chain", slowly)
    thread = threading.Thread(target=separator.set_chains, args=({"vocals": [{"plugin": "Invert"}]},))
    thread.start()
    assert begun.wait(30)
    mix = gaussian_noise(20 * HOP)
    np.testing.assert_array_equal(stream(separator, mix)[0], mix)
    go_on.set()
    thread.join(30)
    np.testing.assert_array_equal(stream(separator, mix)[0][:, -HOP:], -mix[:, -HOP:])


def test_last_of_several_quick_changes_wins(chain):
    separator = chain(reserve=0)
    for gain in (-3.0, -6.0, -12.0):
        separator.set_chains({"vocals": [{"plugin": "Gain", "parameters": {"gain_db": gain}}]})
    out = stream(separator, sine(40 * HOP))
    assert np.abs(out[0, :, -HOP:]).max() == pytest.approx(0.5 * 10 ** (-12 / 20), rel=0.01)
