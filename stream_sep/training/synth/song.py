"""A song of the band, from a seed: instruments and parts, written as a folder of stems."""

from __future__ import annotations

import functools
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from stream_sep.errors import AudioFileError, reason
from stream_sep.training.data.cache import RATE
from stream_sep.training.synth.arrangement import arpeggio, bass_line, loosened, pad, strum
from stream_sep.training.synth.drums import Kit, drum, find_kits
from stream_sep.training.synth.general_midi import find_soundfonts, play_program
from stream_sep.training.synth.samples import Instrument, find_instruments, play
from stream_sep.training.synth.score import Note, Score, read_score
from stream_sep.training.synth.sound import amplifier, balance, panned, process
from stream_sep.training.synth.voice import any_manner, find_singers, sing

if TYPE_CHECKING:
    from pathlib import Path

    from stream_sep.protocols import Block

_KEYS, _GUITARS, _BASSES = tuple(range(24)), tuple(range(24, 32)), tuple(range(32, 40))
_PADS = (*range(40, 56), *range(80, 104))
_LEADS = (*range(56, 80), *range(104, 109))


@dataclass(frozen=True)
class Band:
    """All samples and MIDI files, found once.

    Attributes:
        songs: MIDI files.
        kits: drums.
        basses: by the note.
        guitars: by the note.
        keys: by the note; strings too.
        singers: recordings of syllables, a singer each.
        soundfonts: General MIDI, if there is any.
    """

    songs: tuple[Path, ...]
    kits: tuple[Kit, ...]
    basses: tuple[Instrument, ...]
    guitars: tuple[Instrument, ...]
    keys: tuple[Instrument, ...]
    singers: tuple[tuple[Path, ...], ...]
    soundfonts: tuple[Path, ...]


@functools.lru_cache(maxsize=2)
def find_band(samples: Path) -> Band:
    """Find the instruments of a folder of samples.

    Raises:
        AudioFileError: it lacks MIDI songs, drums, basses or singers.
    """
    band = Band(
        tuple(sorted(samples.glob("pop909/*.mid"))),
        tuple(find_kits(samples)),
        tuple(find_instruments(samples / "bass")),
        tuple(find_instruments(samples / "guitar")),
        tuple(find_instruments(samples / "keys")),
        tuple(find_singers(samples / "singing")),
        tuple(find_soundfonts()),
    )
    for name in ("songs", "kits", "basses", "guitars", "keys", "singers"):
        if not getattr(band, name):
            raise AudioFileError(
                f"{samples} contains no {name} for the band; docs/how-to/train.md lists what it needs"
            )
    return band


def write_song(samples: Path, out: Path, seed: int, number: int, seconds: float) -> Path:
    """Write song ``number`` of a seed as a folder of FLAC stems, whole or not at all; return the folder.

    The same samples, seed, number and length, in seconds within a third, give the same song.

    Args:
        samples: folder of samples.
        out: folder of songs.
        seed: of all randomness.
        number: the song's number.
        seconds: its length.

    Raises:
        AudioFileError: a sample cannot be read, or the folder not written.
    """
    folder = out / f"Band {seed}-{number:04d} - Song"
    if folder.exists():
        return folder
    stems, notes = make_song(find_band(samples), seed, number, seconds)
    part = _part(out, seed, number)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        for stem, sound in stems.items():
            soundfile.write(part / f"{stem}.flac", sound.T, RATE, subtype="PCM_16")
        (part / "song.json").write_text(json.dumps(notes, indent=1))
        part.rename(folder)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioFileError(f"{folder} cannot be written: {reason(error)}; is the disk full?") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def remove_parts(out: Path, seed: int, songs: int) -> None:
    """Delete what `write_song` leaves of songs 0 to ``songs - 1`` where its process is killed.

    Args:
        out: folder of songs.
        seed: of all randomness.
        songs: how many.
    """
    for number in range(songs):
        shutil.rmtree(_part(out, seed, number), ignore_errors=True)


def _part(out: Path, seed: int, number: int) -> Path:
    return out / f".part-{seed}-{number:04d}"


def make_song(band: Band, seed: int, number: int, seconds: float) -> tuple[dict[str, Block], dict[str, str]]:
    """Return the stems of a song, ``(2, frames)`` each, and notes on the arrangement.

    Args:
        band: the samples.
        seed: of all randomness.
        number: the song's number.
        seconds: its length.
    """
    random = np.random.default_rng([seed, number])
    source = band.songs[int(random.integers(len(band.songs)))]
    score = read_score(source, random, seconds * float(random.uniform(2 / 3, 4 / 3)))
    player = _Players(band, score, random)
    stems = {"vocals": player.vocals(), "drums": player.drums(), "bass": player.bass(), "other": player.other()}
    stems = {stem: process(stem, sound, random) for stem, sound in stems.items()}
    return balance(stems, random), {"midi": source.name, **player.sources}


class _Players:
    """Plays the parts of one song."""

    def __init__(self, band: Band, score: Score, random: np.random.Generator) -> None:
        self._band, self._score, self._random = band, score, random
        self.sources: dict[str, str] = {}

    def vocals(self) -> Block:
        """Sing the melody; now and then with a double, and a second voice in thirds or an octave."""
        melody = self._score.notes("melody")
        singer = self._band.singers[int(self._random.integers(len(self._band.singers)))]
        self.sources["vocals"] = singer[0].parent.name
        sound = self._sung(singer, melody)
        if self._chance(0.35):
            for place in (-0.7, 0.7):
                sound = sound + 0.5 * panned(self._sung(singer, loosened(melody, self._random)), place)
        if self._chance(0.3):
            interval = int(self._random.choice([-5, -3, 3, 4, 7, 12]))
            second = [Note(note.start, note.length, note.pitch + interval, note.velocity) for note in melody]
            sound = sound + 0.5 * panned(self._sung(singer, second), float(self._random.uniform(-0.6, 0.6)))
        return sound

    def drums(self) -> Block:
        """Play a kit; one song in ten has none."""
        if self._chance(0.1):
            return self._silence()
        return drum(list(self._band.kits), self._score, self._random)

    def bass(self) -> Block:
        """Play a bass from samples, or one time in four of General MIDI."""
        notes = bass_line(self._score, self._random)
        if self._band.soundfonts and self._chance(0.25):
            return self._general(_BASSES, notes, "bass")
        bass = self._band.basses[int(self._random.integers(len(self._band.basses)))]
        self.sources["bass"] = bass.name
        return play(bass, notes, self._score.seconds, self._random)

    def other(self) -> Block:
        """Play two to five of: keys, guitars left and right, pads, a lead."""
        parts = [self._keys, self._guitar, self._guitar, self._pad, self._lead]
        count = int(self._random.integers(2, 6))
        chosen = self._random.choice(len(parts), count, replace=False)
        return sum((parts[int(index)]() for index in sorted(chosen)), self._silence())

    def _keys(self) -> Block:
        notes = loosened(self._score.notes("piano"), self._random) or arpeggio(self._score, self._random)
        if self._band.soundfonts and self._chance(0.4):
            return self._general(_KEYS, notes, "keys")
        keys = self._band.keys[int(self._random.integers(len(self._band.keys)))]
        self.sources["keys"] = keys.name
        return _at(play(keys, notes, self._score.seconds, self._random), 1.0)

    def _guitar(self) -> Block:
        notes = (strum if self._chance(0.6) else arpeggio)(self._score, self._random)
        place = float(self._random.uniform(-0.9, 0.9))
        if self._band.soundfonts and self._chance(0.25):
            return panned(self._general(_GUITARS, notes, "guitar"), place)
        guitar = self._band.guitars[int(self._random.integers(len(self._band.guitars)))]
        self.sources["guitar"] = guitar.name
        sound = play(guitar, notes, self._score.seconds, self._random)
        return panned(_at(amplifier(sound, self._random) if self._chance(0.6) else sound, 0.8), place)

    def _pad(self) -> Block:
        if not self._band.soundfonts:
            return self._silence()
        return 0.6 * self._general(_PADS, pad(self._score), "pad")

    def _lead(self) -> Block:
        notes = loosened(self._score.notes("bridge"), self._random) or arpeggio(self._score, self._random)
        if not self._band.soundfonts:
            return self._silence()
        return panned(self._general(_LEADS, notes, "lead"), float(self._random.uniform(-0.5, 0.5)))

    def _general(self, programs: tuple[int, ...], notes: list[Note], part: str) -> Block:
        program = int(self._random.choice(programs))
        fonts = self._band.soundfonts
        font = fonts[int(self._random.integers(len(fonts)))]
        self.sources[part] = f"{font.stem} {program}"
        return _at(play_program(font, program, notes, self._score.seconds), 1.0)

    def _sung(self, singer: tuple[Path, ...], notes: tuple[Note, ...] | list[Note]) -> Block:
        manner = any_manner(self._random)
        return _at(sing(singer, list(notes), self._score.seconds, manner, self._random), 1.0)

    def _silence(self) -> Block:
        return np.zeros((2, int(self._score.seconds * RATE)), np.float32)

    def _chance(self, share: float) -> bool:
        return bool(self._random.random() < share)


def _at(sound: Block, gain: float) -> Block:
    """Normalise a part to a common level, whatever the level of its recordings."""
    level = float(np.sqrt(np.square(sound).mean()))
    return sound * np.float32(0.1 * gain / level) if level > 1e-7 else sound
