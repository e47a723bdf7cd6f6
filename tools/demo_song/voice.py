"""Singing made from speech: the WORLD vocoder keeps the spectral envelope of the spoken line and follows the melody.

Every syllable's vowel is stretched onto its note while the consonants keep their natural length before it, and the
pitch is replaced: the notes with glides between them, a scoop into the first, vibrato on the long ones.
"""

from dataclasses import dataclass

import numpy as np
import pyworld
from demo_song.score import BEAT_SECONDS, SAMPLE_RATE, SECONDS, Line, Note, seconds
from demo_song.speech import Phoneme, Spoken
from numpy.typing import NDArray
from scipy import ndimage, signal

Signal = NDArray[np.float64]

_PERIOD = 0.005  # seconds between WORLD's frames
_FORMANTS = 1.12  # ratio: a smaller head than that of espeak's speaker
_AIR_HZ = 4800  # espeak's vowels hold next to nothing above
_AIR_DB, _AIR_DB_OCTAVE = -13, -15  # added there: level under the octave below, and slope
_CONSONANTS = 0.5  # the most of a note that the consonants before the next may take
_GLIDE = 0.025  # seconds, the deviation of the bell that rounds the corners of the melody
_VIBRATO_HZ, _VIBRATO_SEMITONES = 5.4, 0.35
_LONG = 0.4  # seconds: from here on a note is worth a vibrato


@dataclass(frozen=True)
class VoiceAnalysis:
    """WORLD's analysis of a spoken line: voicing, spectral envelope and breath of every frame."""

    voiced: Signal
    envelope: NDArray[np.float64]
    breath: NDArray[np.float64]
    phonemes: tuple[Phoneme, ...]


def analyze(spoken: Spoken) -> VoiceAnalysis:
    """Analyze a spoken line, at the rate of the song."""
    audio = signal.resample_poly(spoken.audio, SAMPLE_RATE, spoken.sample_rate)
    pitch, times = pyworld.harvest(audio, SAMPLE_RATE, f0_floor=60, f0_ceil=300, frame_period=1000 * _PERIOD)
    envelope = pyworld.cheaptrick(audio, pitch, times, SAMPLE_RATE)
    breath = pyworld.d4c(audio, pitch, times, SAMPLE_RATE)
    phonemes = tuple(phoneme for phoneme in spoken.phonemes if not phoneme.name.startswith("_"))
    voiced = (pitch > 0).astype(np.float64)
    return VoiceAnalysis(voiced, _airy(_smaller_head(envelope), voiced), breath, phonemes)


def _smaller_head(envelope: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move every formant up by the same ratio."""
    bins = np.arange(envelope.shape[1])
    logarithms = np.log(envelope + 1e-16)
    return np.exp(np.array([np.interp(bins / _FORMANTS, bins, frame) for frame in logarithms]))


def _airy(envelope: NDArray[np.float64], voiced: Signal) -> NDArray[np.float64]:
    """Extend the spectrum of voiced frames with a gentle slope where espeak's ends abruptly."""
    hertz = np.linspace(0, SAMPLE_RATE / 2, envelope.shape[1])
    below = envelope[:, (hertz > _AIR_HZ / 2) & (hertz < _AIR_HZ)].mean(axis=1) * voiced
    octaves = np.log2(np.maximum(hertz, _AIR_HZ) / _AIR_HZ)
    slope = 10 ** ((_AIR_DB + _AIR_DB_OCTAVE * octaves) / 10) * (hertz > _AIR_HZ)
    return np.maximum(envelope, below[:, None] * slope)


def _stretched(vowel: Phoneme, start: float, end: float) -> list[tuple[float, float]]:
    """Pairs (sung, spoken) of times: the vowel's attack and its glide into the next phoneme keep their pace."""
    spoken, sung = vowel.end - vowel.start, end - start
    if sung <= spoken:
        return [(start, vowel.start), (end, vowel.end)]
    held = (start + 0.4 * spoken, vowel.start + 0.4 * spoken)
    released = (end - 0.5 * spoken, vowel.start + 0.5 * spoken)
    return [(start, vowel.start), held, released, (end, vowel.end)]


def _sung_times(phonemes: tuple[Phoneme, ...], notes: tuple[Note, ...]) -> list[tuple[float, float]]:
    """Pairs (sung, spoken) of times for a whole line, sung time counted from the start of the song."""
    vowels = [phoneme for phoneme in phonemes if phoneme.vowel]
    names = " ".join(phoneme.name for phoneme in phonemes)
    assert len(vowels) == len(notes), f"{len(notes)} notes for {len(vowels)} vowels: {names}"
    first, last = seconds(notes[0].beat), phonemes[-1].end
    pairs = [(first - (vowels[0].start - phonemes[0].start), phonemes[0].start)]
    for vowel, note, following in zip(vowels, notes, [*vowels[1:], None], strict=True):
        start, end = seconds(note.beat), seconds(note.beat + note.beats)
        consonants = (following.start if following else last) - vowel.end
        pairs += _stretched(vowel, start, end - min(consonants, _CONSONANTS * (end - start)))
    return [*pairs, (seconds(notes[-1].beat + notes[-1].beats), last)]


def _melody(times: Signal, notes: tuple[Note, ...], random: np.random.Generator) -> Signal:
    """Pitch in Hz at every time: glides, a scoop, vibrato, and the small wandering of any voice."""
    starts = np.array([seconds(note.beat) for note in notes]) - _GLIDE
    index = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, None)
    semitones = np.array([note.pitch for note in notes], dtype=np.float64)[index]
    semitones -= 1.5 * np.exp(-np.maximum(times - times[0], 0) / 0.05)
    semitones = ndimage.gaussian_filter1d(semitones, _GLIDE / _PERIOD, mode="nearest")
    wandering = ndimage.gaussian_filter1d(random.normal(size=times.size), 0.08 / _PERIOD)
    semitones += 0.12 * wandering / (np.std(wandering) + 1e-9)
    for note in notes:
        length, since = note.beats * BEAT_SECONDS, times - seconds(note.beat)
        if length > _LONG:
            depth = _VIBRATO_SEMITONES * np.clip((since - 0.2) / 0.3, 0, 1) * (since < length)
            semitones += depth * np.sin(2 * np.pi * _VIBRATO_HZ * since)
    return 440 * 2 ** ((semitones - 69) / 12)


def _evened(audio: Signal) -> Signal:
    """Bring loud and soft vowels half the way to one level, as a singer near the microphone does."""
    power = ndimage.gaussian_filter1d(audio**2, 0.04 * SAMPLE_RATE)
    loud = np.sqrt(np.mean(power[power > 0.05 * power.max()]))
    level = np.sqrt(power) / loud
    return audio * np.clip(level, 0.15, None) ** -0.5


def sing_line(analysis: VoiceAnalysis, line: Line, seed: int) -> tuple[int, Signal]:
    """Sing one line; another seed gives another take of it.

    Returns:
        The frame of the song at which it starts, and the mono audio.
    """
    random = np.random.default_rng(seed)
    sung, spoken = np.array(_sung_times(analysis.phonemes, line.notes)).T
    times = np.arange(sung[0], sung[-1], _PERIOD)
    frames = np.interp(times, sung, spoken) / _PERIOD
    rows = np.clip(frames, 0, len(analysis.envelope) - 1)
    envelope = np.exp(_row_at(np.log(analysis.envelope), rows))
    breath = np.clip(_row_at(analysis.breath, rows), 0, 1)
    voiced = analysis.voiced[np.round(rows).astype(int)] > 0
    pitch = np.where(voiced, _melody(times, line.notes, random), 0.0)
    audio = _evened(pyworld.synthesize(pitch, envelope, breath, SAMPLE_RATE, 1000 * _PERIOD))
    edge = np.minimum(np.arange(audio.size), np.arange(audio.size)[::-1]) / (0.02 * SAMPLE_RATE)
    return round(float(times[0]) * SAMPLE_RATE), audio * np.clip(edge, 0, 1)


def _row_at(table: NDArray[np.float64], rows: Signal) -> NDArray[np.float64]:
    """Interpolate between the rows of a table."""
    low = np.floor(rows).astype(int)
    part = (rows - low)[:, None]
    return (1 - part) * table[low] + part * table[np.minimum(low + 1, len(table) - 1)]


def sing(analyses: list[VoiceAnalysis], lines: tuple[Line, ...], seed: int) -> Signal:
    """Sing all lines, mono, as long as the song."""
    track = np.zeros(round(SECONDS * SAMPLE_RATE))
    for number, (analysis, line) in enumerate(zip(analyses, lines, strict=True)):
        start, audio = sing_line(analysis, line, 100 * seed + number)
        audio = audio[: track.size - start]
        track[start : start + audio.size] += audio
    return track
