"""Play a song through the live engine with a MIDI device on its faders; needs neither a device nor a sound card."""

import argparse
import time

from bridge.midi.apis import list_midi_ports
from bridge.midi.surface import MidiSurface
from stream_sep import Engine, EngineConfig, PacedBackend
from stream_sep.errors import BridgeError
from stream_sep.files.demo_song import load_demo_song

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument(
    "-p", "--port", default="stream_sep", help="part of a port's name; stream_sep opens a virtual one"
)
parser.add_argument("-m", "--map", help="map, a name or a file (default: chosen by the port's name)")
parser.add_argument("-s", "--seconds", type=float, default=5.0, help="how long to play")
arguments = parser.parse_args()

song = load_demo_song()
engine = Engine(PacedBackend(song.sample_rate), EngineConfig(model="live"), source=song.mix)
surface = MidiSurface(engine, arguments.port, arguments.map, report=print)
with engine:
    try:
        print("MIDI ports:", ", ".join(list_midi_ports().inputs) or "none")
        surface.start()
    except BridgeError as error:
        print(f"no faders: {error}")
    end, shown = time.monotonic() + arguments.seconds, ""
    while time.monotonic() < end:
        if surface.last != shown:
            shown = surface.last
            print(shown)
        time.sleep(0.02)
    surface.stop()
print(f"vocals at {engine.controls['stem/vocals/gain_db']:.1f} dB")
