import numpy as np
import pytest
import soxr
from noise import gaussian_noise
from scipy.signal import resample_poly
from streaming import stream

from stream_sep.errors import ConfigError
from stream_sep.protocols import STEMS
from stream_sep.separators.causal.separator import load_causal
from stream_sep.separators.decimated import DecimatedSeparator
from stream_sep.separators.passthrough import PassthroughSeparator
from stream_sep.separators.resampled import ResampledSeparator, longest_lag, matching_hop

INNER = 44100
RATES = (48000, 88200, 96000)
FACTORS = (1, 2, 4)


class Halves(PassthroughSeparator):
    """A stem of half the mix, one of a quarter, none called `other`."""

    def __init__(self, **options):
        super().__init__(stems=("half", "quarter"), carrier="half", **options)

    def process(self, block):
        stems = super().process(block)
        stems[1], stems[0] = stems[0] / 4, stems[0] / 2
        return stems


def tone(frames, rate, frequency=997.0):
    t = np.arange(frames) / rate
    return np.tile(0.5 * np.sin(2 * np.pi * frequency * t), (2, 1)).astype(np.float32)


def make(rate, *, hop=441, latency=100, carrier="vocals"):
    return ResampledSeparator(
        PassthroughSeparator(sample_rate=INNER, hop=hop, latency=latency, carrier=carrier), rate
    )


def delayed(mix, frames):
    return np.pad(mix, ((0, 0), (frames, 0)))[:, : mix.shape[1]]


@pytest.mark.parametrize("rate", [*RATES, 22050, 32000])
@pytest.mark.parametrize(("hop", "latency"), [(441, 0), (441, 100), (64, 33), (1000, 777), (20000, 1)])
def test_a_stem_comes_exactly_the_latency_late(rate, hop, latency):
    separator = make(rate, hop=hop, latency=latency)
    mix = tone(3 * rate // separator.hop * separator.hop, rate)
    vocals = stream(separator, mix)[0]
    settled = slice(separator.latency + rate // 4, None)
    error = vocals[:, settled] - delayed(mix, separator.latency)[:, settled]
    assert np.abs(error).max() < 1e-4  # a quarter of a frame late would be 1e-2


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hop", [64, 441, 1000])
def test_stems_add_up_to_the_delayed_mix(rate, hop):
    separator = make(rate, hop=hop)
    mix = gaussian_noise(rate // separator.hop * separator.hop)
    assert np.abs(stream(separator, mix).sum(axis=0) - delayed(mix, separator.latency)).max() < 1e-6


def test_stems_without_an_other_add_up_too():
    separator = ResampledSeparator(Halves(sample_rate=INNER, hop=441), 48000)
    mix = tone(96000, 48000)
    out = stream(separator, mix)
    assert np.abs(out.sum(axis=0) - delayed(mix, separator.latency)).max() < 1e-6
    assert np.abs(out[0, :, 48000:] - 0.5 * delayed(mix, separator.latency)[:, 48000:]).max() < 1e-3


@pytest.mark.parametrize("rate", RATES)
def test_the_stem_equals_the_whole_file_resampled(rate):
    separator = make(rate, latency=0)
    mix = gaussian_noise(rate // separator.hop * separator.hop)
    down = soxr.resample(mix.T, rate, INNER, "HQ")
    whole = soxr.resample(down, INNER, rate, "HQ").T
    got = stream(separator, mix)[0][:, separator.latency :]
    assert np.abs(got - whole[:, : got.shape[1]])[:, 2000:].max() < 1e-5  # soxr drops some ringing before a file


@pytest.mark.parametrize("rate", RATES)
def test_reset_equals_a_fresh_object(rate):
    separator = make(rate, hop=256)
    mix = gaussian_noise(rate // separator.hop * separator.hop)
    first = stream(separator, mix)
    separator.reset()
    assert np.array_equal(first, stream(separator, mix))
    assert np.array_equal(first, stream(make(rate, hop=256), mix))


@pytest.mark.parametrize("rate", RATES)
def test_the_future_never_changes_the_past(rate):
    separator = make(rate)
    mix = gaussian_noise(rate // separator.hop * separator.hop)
    changed = mix.copy()
    cut = mix.shape[1] // separator.hop // 2 * separator.hop
    changed[:, cut:] *= -3
    assert np.array_equal(stream(separator, mix)[..., :cut], stream(make(rate), changed)[..., :cut])


@pytest.mark.parametrize("rate", RATES)
def test_silence_in_silence_out_also_before_the_first_frame(rate):
    separator = make(rate)
    assert not stream(separator, np.zeros((2, 20 * separator.hop), np.float32)).any()
    separator.reset()
    out = stream(separator, gaussian_noise(60 * separator.hop))
    assert not out[..., : separator.latency].any()
    assert out[..., separator.latency :].any()


@pytest.mark.parametrize("rate", RATES)
def test_a_matching_hop_costs_the_resamplers_alone_and_one_inner_hop_a_call(rate):
    hops = []

    class Counted(PassthroughSeparator):
        def process(self, block):
            hops.append(block.shape)
            return super().process(block)

    hop = matching_hop(20000, INNER, rate)
    separator = ResampledSeparator(Counted(sample_rate=INNER, hop=hop), rate)
    stream(separator, np.zeros((2, 10 * separator.hop), np.float32))
    assert len(hops) == 10
    assert separator.latency / rate < 0.05


@pytest.mark.parametrize(("source", "target"), [(48000, 44100), (44100, 48000), (44100, 96000)])
@pytest.mark.parametrize("hop", [1, 7, 480, 5000, 40000])
def test_no_hop_meets_a_longer_lag_than_the_longest(source, target, hop):
    resampler = soxr.ResampleStream(source, target, 1, "float32")
    given = 0
    for fed in range(hop, 400000 if hop > 1 else 40000, hop):
        given += len(resampler.resample_chunk(np.zeros((hop, 1), np.float32)))
        assert fed * target / source - given <= longest_lag(source, target)


def test_names_and_rates_are_reported():
    separator = make(48000)
    assert (separator.stems, separator.sample_rate, separator.channels) == (STEMS, 48000, 2)
    with pytest.raises(ConfigError, match="cannot be aligned"):
        make(44101)
    with pytest.raises(ConfigError):
        make(0)


def decimated(factor, *, hop=512, latency=448, carrier="vocals"):
    return DecimatedSeparator(PassthroughSeparator(hop=hop, latency=latency, carrier=carrier), factor)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize(("hop", "latency"), [(512, 448), (441, 0), (1, 3)])
def test_a_decimated_stem_comes_exactly_the_latency_late(factor, hop, latency):
    separator = decimated(factor, hop=hop, latency=latency)
    mix = tone(separator.hop * (2000 // hop + 2), separator.sample_rate, 997.0)
    vocals = stream(separator, mix)[0]
    settled = slice(separator.latency + 400, None)
    assert np.abs(vocals - delayed(mix, separator.latency))[:, settled].max() < 1e-4
    assert separator.latency == factor * latency + 2 * 24 * factor


@pytest.mark.parametrize("factor", FACTORS[1:])
def test_audible_frequencies_pass_and_others_are_left_to_other(factor):
    separator = decimated(factor)
    for frequency, passed, left in ((17000, 0.0, -60.0), (24000, -70.0, 0.0)):
        separator.reset()
        mix = tone(20 * separator.hop, separator.sample_rate, frequency)
        stems = stream(separator, mix)[:, :, separator.latency + 400 :]
        levels = [20 * np.log10(np.sqrt(np.square(stems[k]).mean() / 0.125) + 1e-9) for k in (0, 3)]
        assert levels[0] <= passed + 0.05
        assert levels[1] <= left + 0.05
        assert max(levels) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("factor", FACTORS)
def test_decimated_stems_add_up_to_the_delayed_mix(factor):
    separator = decimated(factor)
    mix = gaussian_noise(10 * separator.hop)
    assert np.abs(stream(separator, mix).sum(axis=0) - delayed(mix, separator.latency)).max() < 1e-6


@pytest.mark.parametrize("factor", FACTORS[1:])
def test_the_filters_are_those_of_scipy(factor):
    """As the slow way has it: filter and leave frames out; fill in zeros and filter."""
    separator = decimated(factor, latency=0)
    mix = gaussian_noise(20 * separator.hop)
    taps = separator._filter.astype(np.float64)
    low = resample_poly(mix.astype(np.float64), 1, factor, axis=1, window=taps)
    back = resample_poly(low, factor, 1, axis=1, window=taps)
    vocals = stream(separator, mix)[0]
    late = separator.latency
    inner = slice(4 * late, -4 * late)
    assert np.abs(np.roll(vocals, -late, axis=1) - back[:, : vocals.shape[1]])[:, inner].max() < 1e-5


@pytest.mark.parametrize("factor", FACTORS)
def test_decimated_separator_resets_its_whole_state(factor):
    separator, mix = decimated(factor), gaussian_noise(4 * 2048)
    first = stream(separator, mix)
    separator.reset()
    assert np.array_equal(stream(separator, mix), first)


def test_a_factor_that_makes_no_sense_is_refused():
    with pytest.raises(ConfigError, match="0 times"):
        decimated(0)


@pytest.mark.parametrize(("rate", "factor"), [(88200, 2), (96000, 2), (176400, 4), (192000, 4)])
def test_networks_play_at_high_rates_a_millisecond_later(tiny_weights, rate, factor):
    weights = tiny_weights() / "tiny.safetensors"
    plain = load_causal("instant", sample_rate=rate // factor, weights=weights)
    high = load_causal("instant", sample_rate=rate, weights=weights)
    assert (high.hop, high.sample_rate) == (factor * plain.hop, rate)
    assert 1000 * high.latency / rate - 1000 * plain.latency / plain.sample_rate < 1.2
