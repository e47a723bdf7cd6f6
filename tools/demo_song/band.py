"""General MIDI tracks turned into sound by fluidsynth."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np
import soundfile
from demo_song.parts import Track
from demo_song.score import BEAT_SECONDS, SAMPLE_RATE, SECONDS, TEMPO, seconds
from numpy.typing import NDArray

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
"""The MIT-licensed soundfont of Debian's fluid-soundfont-gm."""
_TICKS = 480


def _tick(beat: float) -> int:
    return round(seconds(beat) / BEAT_SECONDS * _TICKS)


def _midi_track(track: Track) -> mido.MidiTrack:
    """Order the starts and ends of the notes; MIDI stores the ticks since the previous event."""
    channel = track.channel
    timed = [
        (0, mido.Message("program_change", channel=channel, program=track.program)),
        (0, mido.Message("control_change", channel=channel, control=10, value=track.pan)),
        (0, mido.Message("control_change", channel=channel, control=7, value=track.volume)),
    ]
    for hit in track.hits:
        on = mido.Message("note_on", channel=channel, note=hit.pitch, velocity=hit.velocity)
        off = mido.Message("note_off", channel=channel, note=hit.pitch)
        timed += [(_tick(hit.beat), on), (_tick(hit.beat + hit.beats), off)]
    timed.sort(key=lambda pair: (pair[0], pair[1].type == "note_on"))
    messages, now = mido.MidiTrack(), 0
    for tick, message in timed:
        messages.append(message.copy(time=tick - now))
        now = tick
    return messages


def _save_midi(path: Path, tracks: tuple[Track, ...]) -> None:
    song = mido.MidiFile(ticks_per_beat=_TICKS)
    song.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(TEMPO))]))
    song.tracks.extend(_midi_track(track) for track in tracks)
    song.save(path)


def play(tracks: tuple[Track, ...]) -> NDArray[np.float64]:
    """Render tracks, dry, cut or padded to the length of the song.

    Shape:
        returns: (2, frames)
    """
    program = shutil.which("fluidsynth")
    if program is None:
        raise SystemExit("fluidsynth is missing: apt-get install fluidsynth")
    if not SOUNDFONT.exists():
        raise SystemExit(f"{SOUNDFONT} is missing: apt-get install fluid-soundfont-gm")
    with tempfile.TemporaryDirectory() as folder:
        midi, wave = Path(folder, "part.mid"), Path(folder, "part.wav")
        _save_midi(midi, tracks)
        command = [program, "-ni", "-R0", "-C0", "-g", "0.4", "-r", str(SAMPLE_RATE), "-O", "float"]
        done = subprocess.run([*command, "-F", wave, SOUNDFONT, midi], capture_output=True, text=True, check=False)
        if done.returncode or not wave.exists():
            raise SystemExit(f"fluidsynth failed: {done.stderr.strip()}")
        audio, _ = soundfile.read(wave, dtype="float64", always_2d=True)
    frames = round(SECONDS * SAMPLE_RATE)
    return np.pad(audio, ((0, max(0, frames - len(audio))), (0, 0)))[:frames].T
