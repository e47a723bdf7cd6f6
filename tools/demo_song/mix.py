"""The four stems brought together: stereo, rooms, levels, and the Ogg Vorbis files."""

from pathlib import Path

import numpy as np
import soundfile
from demo_song.score import SAMPLE_RATE
from numpy.typing import NDArray
from scipy import signal

Stereo = NDArray[np.float64]

BALANCE_DB = {"vocals": 0.0, "drums": 0.8, "bass": -1.5, "other": -1.5}
"""Loudness of each stem where it sounds, relative to the vocals."""
PEAK_DB = -2.0
"""The peak of the mix, in dBFS."""
_PEAK_RANGE_DB = (-3.0, -1.0)
_QUALITY = 0.35  # of Vorbis, 0 to 1
_FADE_SECONDS = (0.01, 1.2)


def _room(seconds: float, seed: int) -> Stereo:
    """Make the impulse response of a room: two decaying noises, one an ear, darker as they decay."""
    frames = round(1.5 * seconds * SAMPLE_RATE)
    noise = np.random.default_rng(seed).normal(size=(2, frames))
    noise *= 10 ** (-3 * np.arange(frames) / (seconds * SAMPLE_RATE))
    low_cut = signal.butter(1, [250, 5000], "bandpass", fs=SAMPLE_RATE, output="sos")
    wet = signal.sosfilt(low_cut, noise)
    return wet / np.sqrt(np.sum(wet**2, axis=1, keepdims=True))


def in_room(dry: Stereo, wet_db: float, seconds: float, seed: int, delay: float = 0.02) -> Stereo:
    """Add the sound of a room, ``wet_db`` under the dry sound, after ``delay`` seconds."""
    wet = signal.fftconvolve(dry, _room(seconds, seed), axes=1)[:, : dry.shape[1]]
    late = round(delay * SAMPLE_RATE)
    wet = np.pad(wet, ((0, 0), (late, 0)))[:, : dry.shape[1]]
    return dry + 10 ** (wet_db / 20) * wet


def driven(dry: Stereo, drive: float) -> Stereo:
    """Saturate the sound as an amplifier does: harmonics make a bass audible on small speakers."""
    level = dry / _loudness(dry)
    return np.tanh(drive * level) / drive


def vocal_stereo(lead: NDArray[np.float64], left: NDArray[np.float64], right: NDArray[np.float64]) -> Stereo:
    """Put the lead in the centre, two more takes softly on its sides, and all of them in a room."""
    low_cut = signal.butter(2, 110, "highpass", fs=SAMPLE_RATE, output="sos")
    presence = signal.butter(1, 2500, "highpass", fs=SAMPLE_RATE, output="sos")
    late = [np.roll(take, round(delay * SAMPLE_RATE)) for take, delay in ((left, 0.014), (right, 0.021))]
    double = 10 ** (-13 / 20) * np.stack([late[0] + 0.3 * late[1], late[1] + 0.3 * late[0]])
    voices = signal.sosfilt(low_cut, lead[None] + double)
    return in_room(voices + 0.5 * signal.sosfilt(presence, voices), -15, 1.1, seed=7)


def _limited(stem: Stereo, ceiling: float) -> Stereo:
    """Soft-clip from half the ceiling on, so that no sample exceeds it."""
    knee = ceiling / 2
    over = np.maximum(np.abs(stem) - knee, 0)
    bent = knee + (ceiling - knee) * np.tanh(over / (ceiling - knee))
    return np.where(over > 0, np.sign(stem) * bent, stem)


def _loudness(stem: Stereo) -> float:
    """RMS of the blocks in which the stem sounds."""
    block = SAMPLE_RATE // 10
    frames = stem.shape[1] // block * block
    power = np.mean(stem[:, :frames].reshape(2, -1, block) ** 2, axis=(0, 2))
    return float(np.sqrt(np.mean(power[power > 0.01 * power.max()])))


def _faded(stem: Stereo) -> Stereo:
    """Fade both ends, so that the song can start again without a click."""
    fade_in, fade_out = (round(seconds * SAMPLE_RATE) for seconds in _FADE_SECONDS)
    gain = np.ones(stem.shape[1])
    gain[:fade_in] *= np.linspace(0, 1, fade_in)
    gain[-fade_out:] *= np.cos(np.linspace(0, np.pi / 2, fade_out)) ** 2
    return stem * gain


def balanced(stems: dict[str, Stereo]) -> dict[str, Stereo]:
    """Set every stem to its loudness, round its peaks, and scale all of them to the peak of the mix."""
    level = {}
    for name, stem in stems.items():
        loud = stem / _loudness(stem) * 10 ** (BALANCE_DB[name] / 20)
        level[name] = _faded(_limited(loud, 4.5))
    peak = np.max(np.abs(sum(level.values())))
    return {name: stem * 10 ** (PEAK_DB / 20) / peak for name, stem in level.items()}


def _write(path: Path, stem: Stereo) -> None:
    options = {"format": "OGG", "subtype": "VORBIS", "compression_level": 1 - _QUALITY}
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 2, **options) as file:
        # libsndfile's Vorbis encoder overflows its stack when it gets minutes at once
        for start in range(0, stem.shape[1], SAMPLE_RATE):
            file.write(stem[:, start : start + SAMPLE_RATE].T)


def write(folder: Path, stems: dict[str, Stereo]) -> None:
    """Write the stems as Ogg Vorbis, and check that the decoded stems add up to the right peak."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, stem in stems.items():
        _write(folder / f"{name}.ogg", stem)
    decoded = [soundfile.read(folder / f"{name}.ogg")[0] for name in stems]
    peak = 20 * np.log10(np.max(np.abs(np.sum(decoded, axis=0))))
    if not _PEAK_RANGE_DB[0] < peak < _PEAK_RANGE_DB[1]:
        raise SystemExit(f"the decoded mix peaks at {peak:.1f} dBFS, not within {_PEAK_RANGE_DB}: change PEAK_DB")
