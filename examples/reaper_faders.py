"""Let REAPER's faders and automation move the stems; with no --host, a few lines pretend to be REAPER."""

import argparse
import math
import socket
import time

from pythonosc.osc_message_builder import build_msg

from bridge.daws.assets import write_daw_files
from bridge.daws.surface import DawSurface
from stream_sep import Engine, EngineConfig, PacedBackend
from stream_sep.files.demo_song import load_demo_song

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("-m", "--model", default="live")
parser.add_argument("--host", help="where REAPER runs, such as 127.0.0.1")
parser.add_argument("-s", "--seconds", type=float, default=2.0, help="how long")
parser.add_argument("--files", help="write the pattern file for REAPER into this folder, and stop")
arguments = parser.parse_args()

if arguments.files:
    print("choose it in REAPER:", *write_daw_files("reaper", arguments.files))
    raise SystemExit

song = load_demo_song()
engine = Engine(PacedBackend(song.sample_rate), EngineConfig(model=arguments.model), source=song.mix)
pretended = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
pretended.bind(("127.0.0.1", 0))
if arguments.host:
    surface = DawSurface(engine, "reaper", arguments.host)
else:
    surface = DawSurface(engine, "reaper", listen=0, send=pretended.getsockname()[1])
surface.start()
try:
    with engine:
        for track, name in enumerate(("Click", "Drums", "Lead vocals") if not arguments.host else (), 1):
            pretended.sendto(build_msg(f"/track/{track}/name", [name]).dgram, ("127.0.0.1", surface.port))
        steps = max(1, round(20 * arguments.seconds))
        for step in range(steps):
            if not arguments.host:
                level = -20 + 20 * math.cos(2 * math.pi * step / steps)
                pretended.sendto(build_msg("/track/3/volume/db", [level]).dgram, ("127.0.0.1", surface.port))
            time.sleep(1 / 20)
            if step % 8 == 7:
                levels = "  ".join(f"{stem} {engine.controls[f'stem/{stem}/gain_db']:6.1f}" for stem in engine.stems)
                print(f"{levels}  tracks {surface.tracks}")
finally:
    surface.stop()
    pretended.close()
