"""A separator in a stream of twice or four times its rate: nothing is late but by a millisecond, nothing is lost."""

import numpy as np
import pytest
from scipy.signal import resample_poly

from stream_sep.errors import ConfigError
from stream_sep.models.separator import load_causal
from stream_sep.separators.decimated import DecimatedSeparator
from stream_sep.separators.passthrough import PassthroughSeparator

FACTORS = (1, 2, 4)


def make(factor, *, hop=512, latency=448, carrier="vocals"):
    return DecimatedSeparator(PassthroughSeparator(hop=hop, latency=latency, carrier=carrier), factor)


def tone(frames, rate, frequency):
    sine = 0.5 * np.sin(2 * np.pi * frequency * np.arange(frames) / rate)
    return np.tile(sine, (2, 1)).astype(np.float32)


def noise(frames, seed=0):
    return (0.2 * np.random.default_rng(seed).standard_normal((2, frames))).astype(np.float32)


def stream(separator, mix):
    hops = mix.shape[1] // separator.hop
    parts = [separator.process(mix[:, k * separator.hop : (k + 1) * separator.hop]).copy() for k in range(hops)]
    return np.concatenate(parts, axis=2)


def delayed(mix, frames):
    return np.pad(mix, ((0, 0), (frames, 0)))[:, : mix.shape[1]]


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize(("hop", "latency"), [(512, 448), (441, 0), (1, 3)])
def test_a_stem_comes_exactly_the_latency_late(factor, hop, latency):
    separator = make(factor, hop=hop, latency=latency)
    mix = tone(separator.hop * (2000 // hop + 2), separator.sample_rate, 997.0)
    vocals = stream(separator, mix)[0]
    settled = slice(separator.latency + 400, None)
    assert np.abs(vocals - delayed(mix, separator.latency))[:, settled].max() < 1e-4
    assert separator.latency == factor * latency + 2 * 24 * factor


@pytest.mark.parametrize("factor", FACTORS[1:])
def test_what_can_be_heard_passes_and_what_cannot_is_left_to_other(factor):
    separator = make(factor)
    for frequency, passed, left in ((17000, 0.0, -60.0), (24000, -70.0, 0.0)):
        separator.reset()
        mix = tone(20 * separator.hop, separator.sample_rate, frequency)
        stems = stream(separator, mix)[:, :, separator.latency + 400 :]
        levels = [20 * np.log10(np.sqrt(np.square(stems[k]).mean() / 0.125) + 1e-9) for k in (0, 3)]
        assert levels[0] <= passed + 0.05
        assert levels[1] <= left + 0.05
        assert max(levels) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("factor", FACTORS)
def test_stems_add_up_to_the_delayed_mix(factor):
    separator = make(factor)
    mix = noise(10 * separator.hop)
    assert np.abs(stream(separator, mix).sum(axis=0) - delayed(mix, separator.latency)).max() < 1e-6


@pytest.mark.parametrize("factor", FACTORS[1:])
def test_the_filters_are_those_of_scipy(factor):
    """As the slow way has it: filter and leave frames out; fill in zeros and filter."""
    separator = make(factor, latency=0)
    mix = noise(20 * separator.hop)
    taps = separator._filter.astype(np.float64)
    low = resample_poly(mix.astype(np.float64), 1, factor, axis=1, window=taps)
    back = resample_poly(low, factor, 1, axis=1, window=taps)
    vocals = stream(separator, mix)[0]
    late = separator.latency
    inner = slice(4 * late, -4 * late)
    assert np.abs(np.roll(vocals, -late, axis=1) - back[:, : vocals.shape[1]])[:, inner].max() < 1e-5


@pytest.mark.parametrize("factor", FACTORS)
def test_reset_forgets_everything(factor):
    separator, mix = make(factor), noise(4 * 2048)
    first = stream(separator, mix)
    separator.reset()
    assert np.array_equal(stream(separator, mix), first)


def test_a_factor_that_makes_no_sense_is_refused():
    with pytest.raises(ConfigError, match="0 times"):
        make(0)


@pytest.mark.parametrize(("rate", "factor"), [(88200, 2), (96000, 2), (176400, 4), (192000, 4)])
def test_networks_play_at_high_rates_a_millisecond_later(tiny_weights, rate, factor):
    weights = tiny_weights() / "tiny.onnx"
    plain = load_causal("instant", sample_rate=rate // factor, weights=weights)
    high = load_causal("instant", sample_rate=rate, weights=weights)
    assert (high.hop, high.sample_rate) == (factor * plain.hop, rate)
    assert 1000 * high.latency / rate - 1000 * plain.latency / plain.sample_rate < 1.2
