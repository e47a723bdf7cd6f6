"""Play a song with its stems on faders: seek, loop a bar, slow it down. No sound card is needed."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import soundfile

from stream_sep import PacedBackend
from stream_sep.files.demo_song import load_demo_song
from stream_sep.player.engine import PlayEngine

song = load_demo_song()
with TemporaryDirectory() as folder:
    file = Path(folder) / "song.wav"
    soundfile.write(file, song.mix.T, song.sample_rate)

    # PortAudioBackend(playback_only=True) plays it on a sound card
    with PlayEngine(PacedBackend(song.sample_rate), [file]) as engine:
        engine.set("stem/vocals/gain_db", -90)
        engine.set("transport/seek", 8.0)
        time.sleep(0.5)
        print(f"at {engine.transport.position:.1f} s of {engine.controls['transport/title']}")

        engine.controls.update({"transport/loop/start": 4.0, "transport/loop/end": 4.4, "transport/loop/on": True})
        time.sleep(1.0)
        print(f"in the loop: {engine.transport.position:.1f} s")
