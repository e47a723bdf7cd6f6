import shutil
from pathlib import Path

import numpy as np
import pytest
from requirements import require
from streaming import separate

from stream_sep.errors import ConfigError
from stream_sep.evaluation.sdr import ACCOMPANIMENT, BASELINES, evaluate
from stream_sep.lowlevel.numba_intrinsics import _FLUSHES, _MACHINE, flush_denormals, njit_cached, restore_denormals
from stream_sep.separators.bands.separator import BandsSeparator, asymmetric_windows

RATE = 44100
CLIPS = Path(__file__).parents[4] / "shared/audio/train/musdb18_7s"


@pytest.fixture(scope="module", params=[44100, 48000, 96000])
def rate(request):
    return request.param


def seconds(rate, length=3.0):
    return np.arange(int(rate * length)) / rate


def voice(rate):
    """A sung vowel: harmonics of 220 Hz with vibrato, three formants, syllables."""
    t = seconds(rate)
    phase = 2 * np.pi * 220 * t + 6 * np.sin(2 * np.pi * 5.5 * t)
    gains = {k: sum(np.exp(-(((220 * k - f) / 250) ** 2)) for f in (700, 1200, 2600)) for k in range(1, 18)}
    tone = sum((gain + 0.05) * np.sin(k * phase) for k, gain in gains.items())
    return 0.1 * tone * np.clip(3 * np.sin(2 * np.pi * 1.5 * t) ** 2, 0, 1)


def pad(rate, detune=0.0):
    t = seconds(rate)
    return sum(0.03 * np.sin(2 * np.pi * (f + detune) * t + f) for f in (261.6, 329.6, 392, 523.3, 784))


def drums(rate, seed=0):
    """Bursts of noise, four a second, that die within milliseconds."""
    t = seconds(rate)
    return 0.5 * np.random.default_rng(seed).standard_normal(len(t)) * np.exp(-(t % 0.25) * 80)


def clicks(rate):
    sound = np.zeros(len(seconds(rate)))
    sound[:: rate // 4] = 1.0
    return sound


def bass(rate):
    t = seconds(rate)
    return 0.3 * np.sin(2 * np.pi * 60 * t) + 0.1 * np.sin(2 * np.pi * 120 * t)


def centred(sound):
    return np.stack([sound, sound])


def wide_pad(rate):
    return np.stack([pad(rate), pad(rate, 3.0)])


def gain_of(sound, mix, stem, rate, **options):
    """How much of a sound in a mix a stem holds: 1 is all of it, 0 nothing."""
    start = rate // 2
    bands = BandsSeparator(sample_rate=rate, **options)
    estimate = separate(bands, mix.astype(np.float32))[stem][:, start:]
    return float((estimate * sound[:, start:]).sum() / np.square(sound[:, start:]).sum())


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 32000, 44100, 48000, 88200, 96000, 192000])
def test_latency_is_within_25_ms_at_every_rate(rate):
    bands = BandsSeparator(sample_rate=rate)
    assert (bands.latency + bands.hop) / rate <= 0.025
    assert bands.hop / rate <= 0.00625


@pytest.mark.parametrize("latency_ms", [3, 6, 12, 50])
@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000, 192000])
def test_latency_is_within_the_requested_one_and_over_half_of_it(rate, latency_ms):
    bands = BandsSeparator(sample_rate=rate, latency_ms=latency_ms)
    assert 0.5 < (bands.latency + bands.hop) / rate * 1000 / latency_ms <= 1


@pytest.mark.parametrize("latency_ms", [0, 2.9, 51, float("nan"), "6"])
def test_other_latencies_are_refused(latency_ms):
    with pytest.raises(ConfigError, match="latency_ms"):
        BandsSeparator(latency_ms=latency_ms)


@pytest.mark.parametrize("overlap", [2, 4, 8])
def test_windows_add_up_to_one(overlap):
    analysis, synthesis = asymmetric_windows(256, 64, overlap)
    total = (analysis[-64:] * synthesis).reshape(overlap, -1).sum(axis=0)
    assert np.abs(total - 1).max() < 1e-6


@pytest.mark.parametrize("rate", [0, 7999, 200_000])
def test_other_rates_are_refused(rate):
    with pytest.raises(ConfigError, match="sample rate"):
        BandsSeparator(sample_rate=rate)


def test_a_centred_voice_is_vocals(rate):
    sound = centred(voice(rate))
    mix = sound + wide_pad(rate)
    assert gain_of(sound, mix, "vocals", rate) > 0.6
    assert gain_of(sound, mix, "other", rate) < 0.3


def test_a_voice_on_one_side_is_other():
    sound = np.stack([voice(RATE), 0 * voice(RATE)])
    mix = sound + wide_pad(RATE)[::-1]
    assert gain_of(sound, mix, "other", RATE) > 0.5
    assert gain_of(sound, mix, "vocals", RATE) < 0.4


def test_voice_is_separated_within_6_ms_as_well():
    sound = centred(voice(RATE))
    mix = sound + wide_pad(RATE)
    assert gain_of(sound, mix, "vocals", RATE, latency_ms=6) > 0.6
    assert gain_of(sound, mix, "other", RATE, latency_ms=6) < 0.3


def test_bursts_are_drums(rate):
    sound = np.stack([drums(rate, 0), drums(rate, 1)])
    assert gain_of(sound, sound + wide_pad(rate), "drums", rate) > 0.6


def test_clicks_are_drums_even_in_the_centre(rate):
    sound = centred(clicks(rate))
    assert gain_of(sound, sound + wide_pad(rate), "drums", rate) > 0.55


def test_a_low_tone_is_bass(rate):
    sound = centred(bass(rate))
    assert gain_of(sound, sound + wide_pad(rate), "bass", rate) > 0.55


def test_mono_mix_is_still_separated():
    mix = centred(bass(RATE) + drums(RATE) + voice(RATE))
    assert gain_of(centred(bass(RATE)), mix, "bass", RATE) > 0.6
    assert gain_of(centred(drums(RATE)), mix, "drums", RATE) > 0.5
    assert gain_of(centred(voice(RATE)), mix, "vocals", RATE) > 0.4


def test_a_silent_channel_stays_silent():
    mix = np.stack([bass(RATE) + drums(RATE) + voice(RATE), 0 * bass(RATE)]).astype(np.float32)
    parts = separate(BandsSeparator(sample_rate=RATE), mix)
    assert max(np.abs(stem[1]).max() for stem in parts.values()) < 1e-5
    assert np.abs(sum(parts.values()) - mix).max() < 1e-6
    assert gain_of(np.stack([drums(RATE), 0 * drums(RATE)]), mix, "drums", RATE) > 0.5


@pytest.mark.parametrize("scale", [2.0**-90, 2.0**-12, 2.0**20])
def test_level_changes_nothing_but_the_level(scale):
    mix = (centred(voice(RATE) + drums(RATE) + bass(RATE)) + wide_pad(RATE))[:, :RATE].astype(np.float32)
    plain = separate(BandsSeparator(), mix)
    scaled = separate(BandsSeparator(), mix * np.float32(scale))
    for stem, sound in plain.items():
        assert np.abs(scaled[stem] / np.float32(scale) - sound).max() < 1e-6


def test_frames_that_are_not_finite_leave_no_state():
    bands, mix = BandsSeparator(), centred(voice(RATE)).astype(np.float32)
    for broken in (np.nan, np.inf):
        assert np.isfinite(bands.process(np.full((2, bands.hop), broken, np.float32))).all()
    expected = separate(BandsSeparator(), mix)["vocals"]
    assert np.abs(separate(bands, mix)["vocals"] - expected).max() < 1e-6


def test_long_silence_leaves_no_denormal_numbers_that_would_slow_it_down():
    bands = BandsSeparator(sample_rate=8000)
    separate(bands, np.pad(centred(voice(8000)), ((0, 0), (0, 40 * 8000))).astype(np.float32))
    kept = np.concatenate([np.abs(values.astype(np.float64)).ravel() for values in bands._state])
    assert kept[kept > 0].min() > 1e-200


@njit_cached
def exact_from_here(flushes):
    """Turn flush-to-zero off in this thread, as other tests may have turned it on; return the previous state."""
    before = flush_denormals()
    restore_denormals(before & ~flushes)
    return before


@njit_cached
def as_before(mode):
    restore_denormals(mode)


@pytest.fixture
def exact_thread():
    before = exact_from_here(_FLUSHES[_MACHINE])
    yield
    as_before(before)


@pytest.mark.usefixtures("exact_thread")
@pytest.mark.skipif(_MACHINE not in _FLUSHES, reason="this processor has no such mode")
def test_the_smallest_numbers_are_zero_while_a_hop_is_computed_and_not_after():
    """Each would cost a hundred times what others cost: sound that dies away would be late."""
    frames, small = BandsSeparator(sample_rate=RATE)._frames, np.full(64, 1e-38, np.float32)
    assert (small * np.float32(0.1) > 0).all()
    spectra = frames.analyze(np.full((2, frames._out.shape[2]), 1e-39, np.float32))
    assert not (small * np.float32(0.1)).any()
    assert not spectra.any()
    frames.synthesize(np.zeros((3, *spectra.shape), np.complex64))
    assert (small * np.float32(0.1) > 0).all()


def test_bands_beat_both_baselines_on_music(tmp_path):
    require(CLIPS.is_dir() and shutil.which("ffmpeg"), f"no music at {CLIPS}, or no ffmpeg to read it")
    for clip in sorted(CLIPS.glob("*.stem.mp4"))[1:60:24]:  # three that the table was not fitted to
        (tmp_path / clip.name).symlink_to(clip)
    rows = list(evaluate(tmp_path, "bands"))
    for stem in ("vocals", ACCOMPANIMENT):
        mean = {m: np.mean([r.usdr for r in rows if (r.model, r.stem) == (m, stem)]) for m in ("bands", *BASELINES)}
        assert mean["bands"] > max(mean[name] for name in BASELINES) + 1.0
