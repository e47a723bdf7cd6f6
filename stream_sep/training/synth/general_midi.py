"""Any of the 128 instruments of General MIDI, played by the program fluidsynth with a soundfont."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import mido
import numpy as np
import soundfile

from stream_sep.errors import AudioFileError
from stream_sep.training.data.cache import RATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream_sep.protocols import Block
    from stream_sep.training.synth.score import Note

FOLDERS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts")
"""Where systems keep soundfonts."""

_TICKS = 960


def find_soundfonts() -> list[Path]:
    """List the soundfonts of this system; none where fluidsynth is not installed."""
    if shutil.which("fluidsynth") is None:
        return []
    found = [path for folder in FOLDERS for path in sorted(Path(folder).glob("*.sf[23]"))]
    return [path for path in found if not path.is_symlink()]


def play_program(soundfont: Path, program: int, notes: Iterable[Note], seconds: float) -> Block:
    """Return notes played by an instrument, 0 to 127, or 128 for drums, float32 ``(2, frames)``.

    Args:
        soundfont: an ``.sf2`` file.
        program: 0 to 127, or 128 for drums.
        notes: the notes.
        seconds: length of the result.

    Raises:
        AudioFileError: fluidsynth failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        _write_midi(Path(folder) / "song.mid", program, notes)
        command = ["fluidsynth", "-niq", "-g", "0.5", "-r", str(RATE), "-T", "wav", "-O", "float"]
        command += ["-F", f"{folder}/song.wav", str(soundfont), f"{folder}/song.mid"]
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - no shell, all arguments are ours
        try:
            sound, _ = soundfile.read(Path(folder) / "song.wav", dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise AudioFileError(
                f"fluidsynth made no sound of {soundfont}: {done.stderr.decode().strip()}"
            ) from error
    out = np.zeros((2, int(seconds * RATE)), np.float32)
    frames = min(out.shape[1], len(sound))
    out[:, :frames] = sound[:frames].T
    return out


def _write_midi(path: Path, program: int, notes: Iterable[Note]) -> None:
    channel = 9 if program == 128 else 0
    events = []
    for note in notes:
        pitch, velocity = round(note.pitch), max(1, min(127, int(note.velocity * 127)))
        if 0 <= pitch <= 127:
            events.append((note.start, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
            events.append((note.end, mido.Message("note_off", channel=channel, note=pitch)))
    song = mido.MidiFile(ticks_per_beat=_TICKS)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    track.append(mido.Message("program_change", channel=channel, program=program % 128))
    before = 0
    for seconds, message in sorted(events, key=lambda event: (event[0], event[1].type)):
        tick = int(seconds * _TICKS)
        track.append(message.copy(time=max(tick - before, 0)))
        before = max(tick, before)
    song.tracks.append(track)
    song.save(path)
