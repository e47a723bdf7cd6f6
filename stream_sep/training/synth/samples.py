"""Recorded notes and hits, found by their file names, and played at any pitch near their own."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from stream_sep.errors import AudioFileError
from stream_sep.training.data.cache import RATE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from stream_sep.protocols import Block
    from stream_sep.training.synth.score import Note

_PITCH = re.compile(r"m(\d{3})(?:_|\.|$)")
_RELEASE = int(0.06 * RATE)


@dataclass(frozen=True)
class Instrument:
    """Notes of one instrument.

    Attributes:
        name: its folder's name.
        files: pitch -> its recordings, the softest first as far as names show.
    """

    name: str
    files: dict[int, tuple[Path, ...]]


def find_instruments(folder: Path) -> list[Instrument]:
    """List the instruments of a folder of folders, whose files name their pitch as ``m060``.

    Files that are played with another technique than most, such as ``staccato``, are left out.
    """
    instruments = []
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []:
        files: dict[int, list[Path]] = {}
        for path in sorted(inner.glob("*.ogg"), key=_loudness):
            if (found := _PITCH.search(path.name)) and "staccato" not in path.name:
                files.setdefault(int(found[1]), []).append(path)
        if files:
            instruments.append(Instrument(inner.name, {pitch: tuple(paths) for pitch, paths in files.items()}))
    return instruments


def play(instrument: Instrument, notes: Iterable[Note], seconds: float, random: np.random.Generator) -> Block:
    """Return notes as float32 ``(2, frames)``; each is released at its end, or rings for its whole recording.

    Args:
        instrument: recorded notes.
        notes: the notes.
        seconds: length of the result.
        random: source of randomness.
    """
    out = np.zeros((2, int(seconds * RATE) + RATE), np.float32)
    pitches = np.array(sorted(instrument.files))
    for note in notes:
        nearest = int(pitches[np.abs(pitches - note.pitch).argmin()])
        recordings = instrument.files[nearest]
        layer = min(int((note.velocity + random.uniform(-0.1, 0.1)) * len(recordings)), len(recordings) - 1)
        sound = _pitched(recordings[max(layer, 0)], note.pitch - nearest)
        place(out, sound, note.start, note.length, 0.4 + 0.6 * note.velocity)
    return out[:, : int(seconds * RATE)]


def place(out: Block, sound: Block, start: float, length: float | None, gain: float) -> None:
    """Add a sound to ``out`` from second ``start`` on, for ``length`` seconds, or all of it.

    Args:
        out: ``(2, frames)``, which is added to.
        sound: ``(2, frames)``.
        start: position in seconds.
        length: seconds to use of ``sound``, or None for all.
        gain: linear gain.
    """
    at = int(start * RATE)
    frames = min(sound.shape[1], out.shape[1] - at)
    if length is not None:
        frames = min(frames, int(length * RATE) + _RELEASE)
    if at < 0 or frames <= 0:
        return
    piece = sound[:, :frames] * np.float32(gain)
    if frames < sound.shape[1]:
        fade = min(_RELEASE, frames)
        piece[:, -fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    out[:, at : at + frames] += piece


@functools.lru_cache(maxsize=512)
def read_sample(path: Path) -> Block:
    """Return a recording as float32 ``(2, frames)``.

    Raises:
        AudioFileError: it cannot be read.
    """
    try:
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise AudioFileError(f"{path} cannot be read ({error}); remove it, or copy it again") from error
    sound = soxr.resample(sound[:, [0, -1]], rate, RATE) if rate != RATE else sound[:, [0, -1]]
    return np.ascontiguousarray(sound.T)


@functools.lru_cache(maxsize=1024)
def _pitched(path: Path, semitones: float) -> Block:
    sound = read_sample(path)
    if not semitones:
        return sound
    return np.ascontiguousarray(soxr.resample(sound.T, 2 ** (semitones / 12), 1.0, quality="MQ").T)


def _loudness(path: Path) -> tuple[float, str]:
    """Return the sort key of a recording: the loudness that its name states."""
    marks = {"pp": 0.1, "p": 0.3, "mp": 0.45, "mf": 0.6, "f": 0.8, "ff": 1.0}
    words = path.stem.split("_")
    written = [marks[word] for word in words if word in marks]
    layers = [int(found[1]) / 20 for word in words if (found := re.fullmatch(r"vl?(\d+)", word))]
    return ((written or layers or [0.5])[0], path.name)
