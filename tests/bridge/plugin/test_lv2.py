"""The plug-in as LV2: its description passes the format's own check, and jalv plays it on a JACK server."""

import os
import shutil
import subprocess

import numpy as np
import pytest
import waiting
from requirements import require, require_package

from bridge.plugin.lv2_bundle import URI, description
from bridge.plugin.models import plugin_latency
from bridge.plugin.parameters import plugin_parameters
from stream_sep.backends.jack_latency import CAPTURE, PortLatencies


@pytest.fixture
def path(bundles, tmp_path):
    shutil.copytree(bundles["lv2"], tmp_path / "stream_sep.lv2")
    return tmp_path


def run(path, *command):
    found = {**os.environ, "LV2_PATH": f"{path}:/usr/lib/lv2"}
    done = subprocess.run(command, env=found, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


def test_description_passes_the_formats_own_check(path):
    require(shutil.which("lv2_validate"), "needs lv2_validate: apt install lv2-dev")
    require(shutil.which("sord_validate"), "needs sord_validate: apt install sordi")
    output = run(path, "lv2_validate", *map(str, sorted((path / "stream_sep.lv2").glob("*.ttl"))))
    assert "Found 0 errors" in output, output


def test_host_library_finds_every_port(path):
    require(shutil.which("lv2info"), "needs lv2info: apt install lilv-utils")
    output = run(path, "lv2info", URI)
    assert "reported by port 13" in output, output
    assert output.count("Port ") == 14 + len(plugin_parameters())
    assert "Required Features" not in output


def test_ports_are_numbered_in_the_order_of_the_native_code():
    numbers = [int(line.split()[1]) for line in description().splitlines() if "lv2:index" in line]
    assert numbers == list(range(14 + len(plugin_parameters())))


def noise(frames):
    """Noise that depends on the frame's number alone."""
    return ((frames.astype(np.uint64) * 2654435761 & 0xFFFFFFFF) >> 8).astype(np.float32) / 2**24 - 0.5


class Jalv:
    """jalv with the plug-in on a JACK server, a client that sends it noise, and one that receives its main output."""

    def __init__(self, jack, jackd, path):
        self.sender, self.receiver = (
            jack.Client(name, servername=jackd, no_start_server=True) for name in ("sender", "receiver")
        )
        self.send, self.receive = self.sender.outports.register("out"), self.receiver.inports.register("in")
        self.received = 0, np.zeros(1, np.float32)
        self.sender.set_process_callback(self._play)
        self.receiver.set_process_callback(self._record)
        environment = {**os.environ, "LV2_PATH": str(path), "JACK_DEFAULT_SERVER": jackd}
        self.process = subprocess.Popen(
            ["jalv", "-n", "stems", URI], env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )

    def _play(self, frames):
        self.send.get_array()[:] = noise(self.sender.last_frame_time + np.arange(frames))

    def _record(self, _frames):
        self.received = self.receiver.last_frame_time, self.receive.get_array().copy()

    def start(self):
        waiting.until(lambda: len(self.sender.get_ports("stems:.*")) >= 12)
        for client in (self.sender, self.receiver):
            client.activate()
        self.sender.connect(self.send, "stems:in_l")
        self.receiver.connect("stems:main_l", self.receive)

    def delays(self):
        """By how many frames the block that was received last is delayed: none of silence, and after a lost cycle."""
        begin, block = self.received
        delays = np.arange(8192)
        starts = delays[noise(begin - delays) == block[0]]
        return [delay for delay in starts if np.array_equal(noise(begin - delay + np.arange(len(block))), block)]

    def close(self):
        for client in (self.sender, self.receiver):
            client.close()
        self.process.stdin.close()
        self.process.wait(20)


@pytest.mark.usefixtures("meeting")
def test_jalv_plays_it_and_reports_its_latency_to_jack(path, jackd):
    require(shutil.which("jalv"), "needs jalv: apt install jalv")
    jack = require_package("jack", "jack")
    jalv = Jalv(jack, jackd, path)
    try:
        jalv.start()
        ports = jalv.sender.get_ports("stems:.*")
        assert [port.shortname for port in ports] == [
            f"{bus}_{side}" for bus in ("in", "main", "vocals", "drums", "bass", "other") for side in ("l", "r")
        ]
        expected = plugin_latency("live", jalv.sender.samplerate, jalv.sender.blocksize)
        latencies = PortLatencies(jack, jalv.receiver)
        waiting.until(lambda: latencies.longest(ports[:2], CAPTURE) == expected)  # jalv adds it there
        waiting.until(lambda: jalv.delays() == [expected], every=0.1)
        assert jalv.process.poll() is None
    finally:
        jalv.close()
