"""Put the engine on the network, and move the vocals' fader with OSC, as a phone or a controller would."""

import argparse
import math
import time

from pythonosc.udp_client import SimpleUDPClient

from bridge.osc.server import OscServer
from stream_sep import Engine, EngineConfig, PacedBackend
from stream_sep.files.demo_song import load_demo_song

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("-m", "--model", default="live")
parser.add_argument("-p", "--port", type=int, default=0, help="UDP port to listen on; 0 takes a free one")
parser.add_argument("-s", "--seconds", type=float, default=2.0, help="how long the fader moves")
arguments = parser.parse_args()

song = load_demo_song()
engine = Engine(PacedBackend(song.sample_rate), EngineConfig(model=arguments.model), source=song.mix)
server = OscServer(engine, port=arguments.port)
server.start()
try:
    with engine:
        print(f"OSC at 127.0.0.1, port {server.port}: try oscsend localhost {server.port} /stem/vocals/mute i 1")
        controller = SimpleUDPClient("127.0.0.1", server.port)
        steps = max(1, round(30 * arguments.seconds))
        for step in range(steps):
            controller.send_message("/stem/vocals/fader", 0.375 + 0.375 * math.cos(2 * math.pi * step / steps))
            time.sleep(1 / 30)
            if step % 10 == 0:
                print(f"{server.last:<32} {engine.controls['stem/vocals/gain_db']:6.1f} dB")
finally:
    server.stop()
