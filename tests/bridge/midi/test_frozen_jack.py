"""MIDI ports on a JACK server that is frozen: they close all the same."""

import os
import signal
import subprocess
import sys

CLOSE = """
import os, signal, sys
from bridge.midi.jack import JackMidiPorts
ports = JackMidiPorts()
port = ports.open_virtual("faders", print)
os.kill(int(sys.argv[1]), signal.SIGSTOP)
port.close()
ports.close()
print("closed", flush=True)
"""


def test_ports_close_although_the_server_does_not_respond(start_jackd):
    name = "stream_sep_frozen"
    with start_jackd(name) as server:
        env = {**os.environ, "JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
        command = [sys.executable, "-c", CLOSE, str(server.pid)]
        try:
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
        finally:
            os.kill(server.pid, signal.SIGCONT)
    assert (done.stdout, done.returncode) == ("closed\n", 0), done.stderr
