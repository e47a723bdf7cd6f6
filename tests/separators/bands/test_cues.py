"""The cues of `bands`, each beside its formula."""

import numpy as np
import pytest

from stream_sep.separators.bands.cues import CUES, measure_cues
from stream_sep.separators.bands.separator import median_hops
from stream_sep.separators.bands.state import TINY, initial_bands_state, make_config

RATE, WINDOW, HOP, HOPS = 44100, 1024, 256, 40
BINS = WINDOW // 2 + 1


@pytest.fixture(scope="module")
def spectra():
    """Noise that comes and goes, a tone in the middle, and a click."""
    rng = np.random.default_rng(0)
    sound = rng.standard_normal((HOPS, 2, WINDOW)) * 10 ** rng.uniform(-3, 0, (HOPS, 1, 1))
    sound[:, 0] += 2 * np.sin(0.3 * np.arange(WINDOW))
    sound[25, :, 500] += 50
    return np.fft.rfft(sound * np.hanning(WINDOW)).astype(np.complex64)


@pytest.fixture(scope="module")
def measured(spectra):
    layout, state = make_config(RATE, WINDOW, HOP), initial_bands_state(BINS, median_hops(WINDOW, HOP))
    made = np.zeros((HOPS, len(CUES), BINS), np.float32)
    for (mid, side), cues in zip(spectra, made, strict=True):
        measure_cues(mid, side, layout, state, cues)
    return made


@pytest.fixture(scope="module")
def expected(spectra):
    layout = make_config(RATE, WINDOW, HOP)
    mid, side = spectra.astype(np.complex128).transpose(1, 0, 2)
    powers = [np.abs(mid) ** 2, np.abs(side) ** 2, (mid * side.conj()).real]
    p, q, r = (averages(power, layout.short) for power in powers)
    energy = (powers[0] + powers[1]).sum(axis=1)
    fading = np.maximum.accumulate(energy / layout.fall ** np.arange(HOPS)) * layout.fall ** np.arange(HOPS)
    floor = np.log(fading)[:, None] - 25
    logs = np.maximum(np.log(powers[0] + powers[1] + TINY), floor)
    slow, slow_before = above(logs, floor, layout.slow)
    long, _ = above(logs, floor, layout.long)
    onset = over_bands(np.clip(logs - np.maximum(slow_before, floor), -4, 4), layout) / 2
    rise = np.clip(logs - np.maximum(slow_before, floor), -4, 4)
    low, high = rise[:, : layout.kick].mean(axis=1) / 2, rise[:, layout.hiss : layout.top].mean(axis=1) / 2
    total = averages(np.stack([(power * np.arange(BINS)).sum(axis=1) for power in powers], axis=1), layout.long)
    spread = 4 * np.maximum(total[:, 0] * total[:, 1] - total[:, 2] ** 2, 0) / (total[:, 0] + total[:, 1]) ** 2
    width = (spread / (spread + 0.01))[:, None]
    ratio, place = np.log(p / q), 2 * np.abs(r) / (p + q)
    history = np.concatenate([np.full((median_hops(WINDOW, HOP), BINS), np.log(TINY)), logs])
    past = [np.median(history[hop + 1 : hop + 1 + median_hops(WINDOW, HOP)], axis=0) for hop in range(HOPS)]
    wide = np.pad(logs, ((0, 0), (8, 8)), mode="edge")
    beside = np.median(np.lib.stride_tricks.sliding_window_view(wide, 17, axis=1), axis=2)
    band = over_bands(logs, layout)
    tonal = np.clip(logs - band, -4, 4) / 4
    loudness = np.log(averages(energy[:, None], layout.long))
    return {
        "constant": np.ones_like(logs),
        "mono": 1 - width + 0 * logs,
        "centre": width * np.clip(ratio, -3, 3) / 3,
        "clear_centre": width * np.clip(ratio - 2, 0, 5) / 5,
        "panned": width * place,
        "percussive": np.clip(beside - past, -4, 4) / 4,
        "onset": onset,
        "low_onset": low[:, None] + 0 * logs,
        "high_onset": high[:, None] + 0 * logs,
        "tonal": tonal,
        "sustained": np.clip(slow - long, -4, 4) / 2,
        "loud": np.clip(band - loudness + 8, -12, 12) / 4,
        "struck": fade(onset, layout.ring),
        "low_struck": fade(low[:, None] + 0 * logs, layout.ring),
        "high_struck": fade(high[:, None] + 0 * logs, layout.ring),
        "noisy": 1 - 4 * over_bands(np.abs(tonal), layout),
        "beside": np.maximum(width * place - 0.8, 0) * 5,
    }


def averages(rows, share):
    """Return a fading average of rows, from nothing on."""
    made, now = [], np.full(rows.shape[1:], 0.0)
    for row in rows:
        now = now + share * (row - now)
        made.append(now)
    return np.array(made)


def above(rows, floor, share):
    """Return a decaying average that is never below the floor, and its value one row before."""
    made, before, now = [], [], np.full(rows.shape[1], np.log(TINY))
    for row, least in zip(rows, floor, strict=True):
        before.append(now)
        now = np.maximum(now, least)
        now = now + share * (row - now)
        made.append(now)
    return np.array(made), np.array(before)


def over_bands(rows, layout):
    return np.stack([rows[:, a:b].mean(axis=1) for a, b in zip(layout.low, layout.high, strict=True)], axis=1)


def fade(rows, factor):
    made, now = [], np.zeros(rows.shape[1])
    for row in rows:
        now = np.maximum(np.maximum(now * factor, row), 1e-9)
        made.append(now)
    return np.array(made)


@pytest.mark.parametrize("name", CUES)
def test_cue_equals_its_formula(name, measured, expected):
    np.testing.assert_allclose(measured[:, CUES.index(name)], expected[name], atol=3e-5)
