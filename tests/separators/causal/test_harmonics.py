"""Which frequencies fit a series of partials: against slow formulas, and of tones whose pitches are known."""

import numpy as np
import pytest

from stream_sep.lowlevel.numba_intrinsics import njit_cached
from stream_sep.separators.causal.config import SIZES
from stream_sep.separators.causal.harmonics import HARMONICS, find_harmonics, harmonic_workspace, plan_harmonics

WINDOW, RATE = 4096, 44100


@njit_cached
def find(spectrum, loudness, plan, workspace):
    find_harmonics(spectrum, loudness, plan, workspace)


def salience(mid, side, plan, loudness=None):
    """Return the harmonics found in a spectrum, ``(HARMONICS, bins)``."""
    mid, side = mid.astype(np.complex64), side.astype(np.complex64)
    power = np.abs(mid).astype(float) ** 2 + np.abs(side).astype(float) ** 2
    workspace = harmonic_workspace(plan, len(mid))
    find(np.stack([mid, side]), float(power.mean()) if loudness is None else loudness, plan, workspace)
    return workspace.salience


def spectrum(*pitches, level=1.0, noise=1e-3, rate=RATE):
    """Return mid and side of tones with twenty partials each, in the middle, in a little noise."""
    rng, time = np.random.default_rng(0), np.arange(WINDOW) / rate
    tones = sum(np.sin(2 * np.pi * pitch * n * time) / n for pitch in pitches for n in range(1, 21))
    sound = level * np.stack([tones + noise * rng.standard_normal(WINDOW), noise * rng.standard_normal(WINDOW)])
    return np.fft.rfft(sound * np.hanning(WINDOW))


def bins_of(pitch, partials, rate=RATE):
    return np.rint(pitch * np.arange(1, partials + 1) * WINDOW / rate).astype(int)


def find_slowly(mid, side, plan):
    """The same, formula by formula."""
    power = np.abs(mid) ** 2 + np.abs(side) ** 2
    logs = np.log(power + 1e-10 * power.mean())
    stands_out = [np.clip(logs[k] - logs[max(k - 8, 0) : k + 9].mean(), -3, 3) for k in range(plan.top + 2)]
    weights = []
    for pitch in plan.pitches:
        partials = [n for n in range(1, 15) if n * pitch <= plan.top]
        on, off = (
            np.interp([(n - shift) * pitch for n in partials], range(plan.top + 2), stands_out) for shift in (0, 0.5)
        )
        weights.append(sum(0.85 ** (n - 1) * (a - b) for n, a, b in zip(partials, on, off, strict=True)) / 6)
    best = plan.high + int(np.argmax(weights[plan.high :]))
    found = np.zeros((HARMONICS, len(mid)))
    for number, (pitch, weight) in enumerate(zip(plan.pitches, weights, strict=True)):
        rows = [int(number >= plan.high)] + [2] * (number == best)
        for n in range(1, 40):
            near = int(n * pitch + 0.5)
            for row in rows if near < len(mid) else ():
                around = slice(max(near - 1, 0), near + 2)
                found[row, around] = np.maximum(found[row, around], weight)
    return found


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("rate", [44100, 48000])
def test_what_is_found_equals_the_formulas(size, rate):
    rng, plan = np.random.default_rng(1), plan_harmonics(rate, size.window)
    mid, side = rng.standard_normal((2, 2 * size.bins)).astype(np.float32).view(np.complex64)
    np.testing.assert_allclose(salience(mid, side, plan), find_slowly(mid, side, plan), atol=1e-6)


@pytest.mark.parametrize("step", [75, 104])  # 191 and 333 Hz
@pytest.mark.parametrize("rate", [44100, 48000])
def test_a_voice_is_found_at_its_partials_and_not_between_them(rate, step):
    plan = plan_harmonics(rate, WINDOW)
    pitch = plan.pitches[step] * rate / WINDOW
    low, high, best = salience(*spectrum(pitch, rate=rate), plan)
    partials = bins_of(pitch, 10, rate)
    between = partials[:-1] + round(plan.pitches[step] / 2)
    assert best[partials].min() == best.max() > 1.5
    assert best[between].max() == 0.0
    np.testing.assert_array_equal(high[partials], best[partials])
    assert low[partials].mean() < 0.7 * high[partials].mean()  # the pitches an octave and two below


def test_bass_and_voice_are_separated():
    plan = plan_harmonics(RATE, WINDOW)
    bass, voice = (plan.pitches[step] * RATE / WINDOW for step in (30, 128))  # 80 and 529 Hz
    low, high, _ = salience(*spectrum(bass, voice), plan)
    assert low[bins_of(bass, 5)].min() == low.max() > 1.0
    assert high[bins_of(voice, 9)].min() > 1.0
    assert high[bins_of(bass, 1)].max() == 0.0


def test_noise_has_no_pitch():
    tone, noise = (salience(*given, plan_harmonics(RATE, WINDOW)) for given in (spectrum(331.0), spectrum(noise=1.0)))
    assert noise.max() < 0.5 * tone.max()


@pytest.mark.parametrize("level", [1e-25, 1e-6, 1e6])
def test_level_and_phase_change_nothing(level):
    plan = plan_harmonics(RATE, WINDOW)
    given = spectrum(331.0)
    np.testing.assert_allclose(salience(*(level * 1j * given), plan), salience(*given, plan), atol=1e-4)


def test_silence_has_no_pitch_and_stays_finite():
    assert salience(*np.zeros((2, 2049)), plan_harmonics(RATE, WINDOW), loudness=1e-20).max() < 1e-9
