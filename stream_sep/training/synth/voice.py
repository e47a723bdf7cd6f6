"""A singer: recorded syllables, analysed by WORLD and resynthesised on the notes of a melody."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr

from stream_sep.errors import ConfigError
from stream_sep.extras import install_hint
from stream_sep.training.data.cache import RATE
from stream_sep.training.synth.samples import read_sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.protocols import Block
    from stream_sep.training.synth.score import Note

_FRAME_MS = 5.0
_FRAMES_A_SECOND = 1000 / _FRAME_MS
_MIN_RUN_SECONDS = 0.25
_RATE = 32000
"""WORLD works at this rate: half the time of ours, and all that singing has but the last octave of its breath."""


@dataclass(frozen=True)
class Syllables:
    """WORLD's analysis of a recording, in frames of 5 ms.

    Attributes:
        pitch: float64 ``(frames,)``, in Hz; 0 where no voice is.
        shape: float64 ``(frames, bins)``, the spectral envelope.
        breath: float64 ``(frames, bins)``, how much of it is noise.
        runs: first and last frame of each stretch without a rest.
    """

    pitch: NDArray[np.float64]
    shape: NDArray[np.float64]
    breath: NDArray[np.float64]
    runs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Manner:
    """How someone sings.

    Attributes:
        formant: size of the head: 1.1 is smaller, and brighter.
        vibrato_cents: how wide, and ``vibrato_hz`` how fast.
        vibrato_hz: see ``vibrato_cents``.
        glide: seconds from note to note.
        off_cents: how far out of tune notes are, on average.
    """

    formant: float
    vibrato_cents: float
    vibrato_hz: float
    glide: float
    off_cents: float


def any_manner(random: np.random.Generator) -> Manner:
    """Return a manner by chance."""
    return Manner(
        formant=float(random.uniform(0.86, 1.2)),
        vibrato_cents=float(random.choice([0, 15, 35, 60])),
        vibrato_hz=float(random.uniform(4.5, 6.5)),
        glide=float(random.uniform(0.02, 0.12)),
        off_cents=float(random.uniform(3, 18)),
    )


def find_singers(folder: Path) -> list[tuple[Path, ...]]:
    """List the singers of a folder of folders, each by their recordings of syllables."""
    singers = [tuple(sorted(inner.glob("*.ogg"))) for inner in sorted(folder.iterdir())] if folder.is_dir() else []
    return [recordings for recordings in singers if len(recordings) > 1]


def sing(
    recordings: Sequence[Path], melody: Sequence[Note], seconds: float, manner: Manner, random: np.random.Generator
) -> Block:
    """Return a melody sung, float32 ``(2, frames)``, in the octave that suits the recordings.

    Args:
        recordings: syllables of one singer.
        melody: the notes.
        seconds: length of the result.
        manner: the singing style.
        random: source of randomness.

    Raises:
        ConfigError: WORLD is not installed.
    """
    frames = int(seconds * _FRAMES_A_SECOND)
    chosen = [recordings[int(n)] for n in random.choice(len(recordings), min(8, len(recordings)), replace=False)]
    syllables = [found for path in chosen if (found := analyse(path)).runs]
    if not syllables or not melody:
        return np.zeros((2, int(seconds * RATE)), np.float32)
    octave = _octave(syllables, melody)
    bins = syllables[0].shape.shape[1]
    pitch = np.zeros(frames)
    shape, breath = np.full((frames, bins), 1e-12), np.ones((frames, bins))
    for note in melody:
        begin, end = int(note.start * _FRAMES_A_SECOND), min(int(note.end * _FRAMES_A_SECOND), frames)
        if end - begin < 4:
            continue
        words = syllables[int(random.integers(len(syllables)))]
        source = _stretch(words, end - begin, random)
        voiced = words.pitch[source] > 0
        pitch[begin:end] = np.where(voiced, note.pitch + octave, 0)
        loud = (0.3 + 0.7 * note.velocity) ** 2
        shape[begin:end] = _moved(words.shape[source], manner.formant) * _swell(end - begin)[:, None] * loud
        breath[begin:end] = words.breath[source]
    return _synthesize(_in_tune(pitch, manner, random), shape, breath, seconds)


@functools.lru_cache(maxsize=64)
def analyse(path: Path) -> Syllables:
    """Analyse a recording with WORLD: pitch, spectral envelope, aperiodicity and syllables.

    Raises:
        ConfigError: WORLD is not installed.
    """
    world = _world()
    sound = read_sample(path).mean(axis=0).astype(np.float64)
    sound = np.ascontiguousarray(soxr.resample(sound, RATE, _RATE))
    rough, times = world.dio(sound, _RATE, f0_floor=70.0, f0_ceil=900.0, frame_period=_FRAME_MS)
    pitch = world.stonemask(sound, rough, times, _RATE)
    shape = world.cheaptrick(sound, pitch, times, _RATE)
    breath = world.d4c(sound, pitch, times, _RATE)
    audible = shape.mean(axis=1) > 1e-3 * shape.mean(axis=1).max()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (audible & (pitch > 0)).astype(int), [0]])))
    pairs = edges.reshape(-1, 2)
    shortest = _MIN_RUN_SECONDS * _FRAMES_A_SECOND
    runs = tuple((int(first), int(last)) for first, last in pairs if last - first >= shortest)
    return Syllables(pitch, shape, breath, runs)


def _world() -> Any:  # noqa: ANN401 - a module without types
    try:
        import pyworld  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(f"singing needs pyworld ({error}); {install_hint('train')}") from error
    return pyworld


def _octave(syllables: Sequence[Syllables], melody: Sequence[Note]) -> int:
    """Return by how many semitones to move a melody, in octaves, to where the recordings were sung."""
    sung = np.concatenate([words.pitch[words.pitch > 0] for words in syllables])
    own = 69 + 12 * np.log2(np.median(sung) / 440)
    octaves: float = (own - float(np.median([note.pitch for note in melody]))) / 12
    return 12 * round(octaves)


def _stretch(words: Syllables, frames: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the recording's frame for each output frame: a random run, slowed down where it is too short."""
    first, last = words.runs[int(random.integers(len(words.runs)))]
    speed = random.uniform(0.6, 1.1)
    length = min(int(frames * speed) + 1, last - first)
    begin = first + int(random.integers(0, last - first - length + 1))
    lead = min(8, begin)  # a consonant before the voice
    return np.linspace(begin - lead, begin + length - 1, frames).astype(np.int64)


def _moved(shape: NDArray[np.float64], formant: float) -> NDArray[np.float64]:
    """Move the formants up, or down, by a ratio."""
    places = np.minimum(np.arange(shape.shape[1]) / formant, shape.shape[1] - 1.001)
    low = places.astype(int)
    part = places - low
    moved: NDArray[np.float64] = shape[:, low] ** (1 - part) * shape[:, low + 1] ** part
    return moved


def _swell(frames: int) -> NDArray[np.float64]:
    fade = max(2, min(12, frames // 3))
    gain = np.ones(frames)
    gain[:fade], gain[-fade:] = np.linspace(0.05, 1, fade), np.linspace(1, 0.05, fade)
    return gain**2


def _in_tune(pitch: NDArray[np.float64], manner: Manner, random: np.random.Generator) -> NDArray[np.float64]:
    """Convert semitones to Hz, with glides, vibrato and small errors."""
    voiced = pitch > 0
    if not voiced.any():
        return np.zeros(len(pitch))
    filled = np.interp(np.arange(len(pitch)), np.flatnonzero(voiced), pitch[voiced])
    span = max(1, int(manner.glide * _FRAMES_A_SECOND))
    smooth = np.convolve(np.pad(filled, span, "edge"), np.hanning(span + 2) / np.hanning(span + 2).sum(), "same")
    smooth = smooth[span : span + len(pitch)]
    time = np.arange(len(pitch)) / _FRAMES_A_SECOND
    wave = np.sin(2 * np.pi * manner.vibrato_hz * time + 0.7 * np.sin(2 * np.pi * 0.4 * time))
    drift = np.convolve(random.normal(0, 1, len(pitch) + 80), np.hanning(81) / np.hanning(81).sum() * 4, "valid")
    cents = manner.vibrato_cents * wave + manner.off_cents * drift
    return np.where(voiced, 440 * 2 ** ((smooth + cents / 100 - 69) / 12), 0)


def _synthesize(
    pitch: NDArray[np.float64], shape: NDArray[np.float64], breath: NDArray[np.float64], seconds: float
) -> Block:
    sound = _world().synthesize(pitch, np.ascontiguousarray(shape), np.ascontiguousarray(breath), _RATE, _FRAME_MS)
    sound = soxr.resample(sound, _RATE, RATE)
    out = np.zeros((2, int(seconds * RATE)), np.float32)
    frames = min(out.shape[1], len(sound))
    out[:, :frames] = sound[:frames]
    return out
