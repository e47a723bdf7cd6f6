"""Let Ardour's faders move the stems: turn on OSC in its preferences, and name tracks after the stems."""

import argparse
import time

from bridge.daws.surface import DawSurface
from stream_sep import Engine, EngineConfig, PacedBackend
from stream_sep.files.demo_song import load_demo_song

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("-m", "--model", default="live")
parser.add_argument("--host", default="127.0.0.1", help="where Ardour runs")
parser.add_argument("-s", "--seconds", type=float, default=2.0, help="how long")
arguments = parser.parse_args()

song = load_demo_song()
engine = Engine(PacedBackend(song.sample_rate), EngineConfig(model=arguments.model), source=song.mix)
surface = DawSurface(engine, "ardour", arguments.host)
surface.start()
try:
    with engine:
        end = time.monotonic() + arguments.seconds
        while time.monotonic() < end:
            time.sleep(0.5)
            levels = "  ".join(f"{stem} {engine.controls[f'stem/{stem}/gain_db']:6.1f}" for stem in engine.stems)
            print(f"{levels}  {surface.last or 'no message from Ardour yet'}")
finally:
    surface.stop()
