"""Chains that fail are left out, without a step, and reported once."""

import os
import signal

import numpy as np
import pytest
from effect_chains import FADE, HOP, QUIET, largest_step, sine
from noise import gaussian_noise
from requirements import require_package
from streaming import stream

from stream_sep.effects import loader
from stream_sep.effects.chained_separator import ChainSpec
from stream_sep.errors import SeparatorError

require_package("pedalboard", "effects")


def break_chain(separator, stem, fault):
    chain = separator._aligned[stem].chain
    play = chain.collect
    chain.collect = lambda: fault(play())


def raising(_):
    raise loader.ChainError("failed: RuntimeError: no")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (raising, "failed: RuntimeError: no"),
        (lambda frames: frames * np.float32(np.nan), "produced NaN, infinity or more than 120 dB over full scale"),
        (lambda frames: frames[:, :-5], "exceeded its measured latency"),
    ],
)
def test_failing_chain_is_bypassed_without_a_step_and_reported_once(chain, fault, words):
    reports = []
    separator = chain({"vocals": [QUIET], "drums": [QUIET]}, reserve=0, reports=reports)
    before = stream(separator, sine(40 * HOP))
    break_chain(separator, "vocals", fault)
    after = stream(separator, sine(40 * HOP, 40 * HOP))
    assert reports == [f"the effect chain on vocals {words}; it is bypassed until the chain is set again"]
    np.testing.assert_array_equal(after[0, :, -HOP:], after[3, :, -HOP:])
    assert np.abs(after[1]).max() < 0.06
    assert largest_step(np.concatenate([before, after], axis=2)[0]) <= 1.02 * (largest_step(sine(4096)) + 1 / FADE)
    separator.set_chains({"vocals": [QUIET], "drums": [QUIET]})
    assert np.abs(stream(separator, sine(40 * HOP))[0, :, -HOP:]).max() < 0.06


def test_effect_that_raises_is_bypassed(chain, monkeypatch):
    reports = []
    separator = chain({"vocals": [QUIET]}, reports=reports)
    monkeypatch.setattr(separator._aligned["vocals"].chain._effects.effects[0], "_plugins", [None])
    assert np.isfinite(stream(separator, gaussian_noise(4 * HOP))).all()
    assert len(reports) == 1
    assert "AttributeError" in reports[0]


def test_vst3_that_crashes_is_bypassed(chain, vst3):
    reports = []
    separator = chain({"vocals": [{"plugin": vst3("ZaMaximX2")}]}, reports=reports)
    before = stream(separator, sine(40 * HOP))
    os.kill(separator._aligned["vocals"].chain.pid, signal.SIGKILL)
    after = stream(separator, sine(40 * HOP, 40 * HOP))
    assert len(reports) == 1
    assert "crashed with code -9" in reports[0]
    np.testing.assert_array_equal(after[0, :, -HOP:], after[3, :, -HOP:])
    assert largest_step(np.concatenate([before, after], axis=2)[0][:, 600:]) <= largest_step(sine(4096)) + 1 / FADE


def test_vst3_that_hangs_is_ended(chain, vst3):
    reports = []
    separator = chain({"vocals": [{"plugin": vst3("ZaMaximX2")}]}, reports=reports)
    os.kill(separator._aligned["vocals"].chain.pid, signal.SIGSTOP)
    stream(separator, gaussian_noise(4 * HOP))
    assert len(reports) == 1
    assert "gave no reply within 0.5 s" in reports[0]


@pytest.mark.parametrize("path", ["/not/there.vst3", __file__])
def test_file_that_is_no_effect_is_rejected_and_nothing_changes(chain, path):
    separator = chain({"vocals": [QUIET]}, reserve=0)
    with pytest.raises(SeparatorError, match=r"effect chain on vocals: effect '.*' cannot be loaded"):
        separator.set_chains({"vocals": [{"plugin": path}]})
    assert separator.chains == ChainSpec.parse({"vocals": [QUIET]})
