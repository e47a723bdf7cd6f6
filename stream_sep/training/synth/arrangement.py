"""Arrangements of a piano part for bass, keys and guitars: roots and fifths; strummed or broken chords; pads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stream_sep.training.synth.score import Note

if TYPE_CHECKING:
    import numpy as np

    from stream_sep.training.synth.score import Score

_BASS_LOW, _BASS_HIGH = 28, 50
_STYLES = ("roots", "eighths", "octaves", "walking", "offbeat")


def chords(score: Score) -> list[tuple[float, tuple[int, ...]]]:
    """Return when harmony changes, in seconds, and the pitches that sound there, by halves of a bar."""
    half = 2 * score.beat
    source = score.notes("piano") or score.notes("bridge") or score.notes("melody")
    found: list[tuple[float, tuple[int, ...]]] = []
    for number in range(int(score.seconds / half)):
        begin, end = number * half, (number + 1) * half
        pitches = {int(note.pitch) for note in source if note.start < end - 0.05 and note.end > begin + 0.05}
        if pitches:
            found.append((begin, tuple(sorted(pitches))))
        elif found:
            found.append((begin, found[-1][1]))
    return found


def bass_line(score: Score, random: np.random.Generator) -> list[Note]:
    """Return a bass part, in the range of a bass guitar.

    Args:
        score: chords and tempo.
        random: source of randomness.
    """
    style = str(random.choice(_STYLES))
    notes: list[Note] = []
    for begin, pitches in chords(score):
        root = _into(pitches[0], _BASS_LOW, _BASS_HIGH)
        fifth = root + (7 if root < 40 else -5)
        steps = {
            "roots": [(0.0, 1.9, root)],
            "eighths": [(n / 2, 0.45, root) for n in range(4)],
            "octaves": [(n / 2, 0.4, root + 12 * (n % 2)) for n in range(4)],
            "walking": [(0.0, 0.9, root), (1.0, 0.9, fifth if random.random() < 0.6 else root + 4)],
            "offbeat": [(0.0, 0.7, root), (1.5, 0.45, root if random.random() < 0.7 else fifth)],
        }[style]
        for beat, length, pitch in steps:
            if random.random() > 0.06:
                at = begin + beat * score.beat + random.normal(0, 0.006)
                notes.append(Note(max(at, 0.0), length * score.beat, pitch, float(random.uniform(0.5, 0.95))))
    return notes


def strum(score: Score, random: np.random.Generator) -> list[Note]:
    """Return chords as a guitar plays them: strings one after the other, up and down.

    Args:
        score: chords and tempo.
        random: source of randomness.
    """
    pattern = str(random.choice(["x.x.", "x..x", "x.xx", "xxxx", "x..."]))
    notes: list[Note] = []
    for begin, pitches in chords(score):
        strings = sorted({_into(pitch, 43, 70) for pitch in pitches[:6]})
        for number, mark in enumerate(pattern):
            order = strings if number % 2 == 0 else strings[::-1]
            for place, pitch in enumerate(order if mark == "x" else ()):
                at = begin + number * score.beat / 2 + 0.012 * place + random.normal(0, 0.004)
                notes.append(Note(max(at, 0.0), 0.48 * score.beat, pitch, float(random.uniform(0.4, 0.85))))
    return notes


def arpeggio(score: Score, random: np.random.Generator) -> list[Note]:
    """Return chords note by note, in eighths or sixteenths.

    Args:
        score: chords and tempo.
        random: source of randomness.
    """
    grid = float(random.choice([0.25, 0.5]))
    notes: list[Note] = []
    for begin, pitches in chords(score):
        ladder = [_into(pitch, 52, 79) for pitch in pitches]
        for number in range(int(2 / grid)):
            pitch = ladder[number % len(ladder)]
            at = begin + number * grid * score.beat
            notes.append(Note(at, grid * score.beat, pitch, float(random.uniform(0.4, 0.8))))
    return notes


def pad(score: Score) -> list[Note]:
    """Return chords held as long as they last."""
    return [
        Note(begin, 2 * score.beat, _into(pitch, 48, 76), 0.55)
        for begin, pitches in chords(score)
        for pitch in pitches
    ]


def loosened(notes: tuple[Note, ...], random: np.random.Generator) -> list[Note]:
    """Return notes as hands play them: a little early or late, not all as loud.

    Args:
        notes: quantized notes.
        random: source of randomness.
    """
    return [
        replace(
            note,
            start=max(note.start + random.normal(0, 0.008), 0.0),
            velocity=min(max(note.velocity + random.normal(0, 0.08), 0.1), 1.0),
        )
        for note in notes
    ]


def _into(pitch: int, low: int, high: int) -> int:
    """Move a pitch by octaves into a range of at least one."""
    while pitch < low:
        pitch += 12
    while pitch > high:
        pitch -= 12
    return pitch
