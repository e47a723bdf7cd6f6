"""Play a song through the live engine and move its faders from Python; no sound card is needed."""

import argparse
import time

from stream_sep import Engine, EngineConfig, PacedBackend
from stream_sep.files.demo_song import load_demo_song

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("-m", "--model", default="live")
parser.add_argument("-s", "--seconds", type=float, default=3.0, help="how long each fader position plays")
arguments = parser.parse_args()

song = load_demo_song()
engine = Engine(PacedBackend(song.sample_rate), EngineConfig(model=arguments.model), source=song.mix)
with engine:
    for gain_db in (0, -90, 0):
        engine.set("stem/vocals/gain_db", gain_db)
        time.sleep(arguments.seconds)
        levels = ", ".join(f"{name} {peak:.2f}" for name, peak in engine.meters().items())
        print(f"vocals at {gain_db} dB: {levels}")
print(f"latency {engine.latency.milliseconds(engine.latency.total):.1f} ms, late hops {engine.stats().late_hops}")
