"""Notes from songs in MIDI, cut, moved to another key and tempo."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import mido

from stream_sep.errors import AudioFileError, reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np


@dataclass(frozen=True)
class Note:
    """A note: seconds from the beginning, seconds long, MIDI pitch, velocity from 0 to 1."""

    start: float
    length: float
    pitch: float
    velocity: float = 0.7

    @property
    def end(self) -> float:
        """End time in seconds."""
        return self.start + self.length


@dataclass(frozen=True)
class Score:
    """A stretch of a song.

    Attributes:
        seconds: how long it is.
        beat: seconds of a beat.
        tracks: notes by name of the track, in order of their start.
    """

    seconds: float
    beat: float
    tracks: dict[str, tuple[Note, ...]]

    def notes(self, name: str) -> tuple[Note, ...]:
        """Return the notes of a track, none if it is not there."""
        return self.tracks.get(name, ())


def read_score(path: Path, random: np.random.Generator, seconds: float) -> Score:
    """Read a MIDI song, cut ``seconds`` out of it, and play it in another key, up to 4 semitones off, and tempo.

    Args:
        path: a MIDI file.
        random: source of randomness.
        seconds: length of the excerpt.

    Raises:
        AudioFileError: it cannot be read, or has no note.
    """
    try:
        song = mido.MidiFile(path)
        tracks = {track.name.lower(): _notes(track, song) for track in song.tracks}
    except (OSError, ValueError, EOFError, KeyError, IndexError) as error:
        raise AudioFileError(f"{path} cannot be read as MIDI: {reason(error)}") from error
    tracks = {name: notes for name, notes in tracks.items() if notes}
    if not tracks:
        raise AudioFileError(f"{path} has no note; leave it out")
    beat = _tempo(song) / 1e6
    while beat > 0.8:  # counted in half notes: a drummer would fall asleep
        beat /= 2
    speed, key = random.uniform(0.85, 1.2), int(random.integers(-4, 5))
    end = max(notes[-1].end for notes in tracks.values())
    bars = max(1, int((end - seconds * speed) / (4 * beat)))
    start = int(random.integers(0, bars)) * 4 * beat
    cut = {name: tuple(_cut(notes, start, seconds * speed, speed, key)) for name, notes in tracks.items()}
    return Score(seconds, beat / speed, cut)


def _cut(notes: Iterable[Note], start: float, length: float, speed: float, key: int) -> Iterable[Note]:
    for note in notes:
        if start <= note.start < start + length:
            yield replace(
                note, start=(note.start - start) / speed, length=note.length / speed, pitch=note.pitch + key
            )


def _notes(track: mido.MidiTrack, song: mido.MidiFile) -> Sequence[Note]:
    """Return the notes of a track; one tempo is enough, as these songs have hardly more."""
    second = mido.tick2second(1, song.ticks_per_beat, _tempo(song))
    sounding: dict[int, tuple[int, int]] = {}
    notes, tick = [], 0
    for message in track:
        tick += message.time
        if message.type not in ("note_on", "note_off"):
            continue
        if message.note in sounding:
            since, velocity = sounding.pop(message.note)
            notes.append(Note(since * second, (tick - since) * second, message.note, velocity / 127))
        if message.type == "note_on" and message.velocity:
            sounding[message.note] = (tick, message.velocity)
    return sorted(notes, key=lambda note: (note.start, note.pitch))


def _tempo(song: mido.MidiFile) -> int:
    tempi = [message.tempo for track in song.tracks for message in track if message.type == "set_tempo"]
    return int(tempi[0]) if tempi else 500000
