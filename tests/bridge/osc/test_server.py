"""The OSC server itself: its port, its targets, and floods."""

import contextlib
import math
import socket
import subprocess
import sys

import pytest
from waiting import until

from bridge.osc.server import OscServer
from stream_sep.errors import BridgeError
from stream_sep.protocols import STEMS

BURST = """
import socket, sys
from pythonosc.osc_message_builder import build_msg
packets = [build_msg(f"/stem/{1 + step % 4}/fader", step / 5000).dgram for step in range(5000)]
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.connect(("127.0.0.1", int(sys.argv[1])))
for packet in packets:
    sender.send(packet)
"""


def test_of_a_burst_the_newest_value_of_every_fader_wins(mixer, peer):
    for step in range(5000):
        peer.send(f"/stem/{STEMS[step % 4]}/fader", step / 5000)
    peer.send("/ping")
    expected = {stem: (4996 + index) / 5000 for index, stem in enumerate(STEMS)}
    until(lambda: ("/pong",) in peer.listen())
    replies = {stem: peer.request(f"/stem/{stem}/fader")[1] for stem in STEMS}
    assert replies == pytest.approx(expected)
    assert len(mixer.applied) < 2500


def test_of_a_burst_from_another_process_too(mixer, server, peer):
    subprocess.run([sys.executable, "-c", BURST, str(server.port)], check=True, timeout=120)
    expected = {stem: (4996 + index) / 5000 for index, stem in enumerate(STEMS)}
    peer.sync()
    assert {stem: peer.request(f"/stem/{stem}/fader")[1] for stem in STEMS} == pytest.approx(expected)
    assert mixer.applied


def test_a_taken_port_is_named_with_the_option_for_another(server, serve):
    with pytest.raises(BridgeError, match=f"{server.port}.*--osc-port"):
        serve(port=server.port)


def test_a_host_that_is_not_here_is_refused(serve):
    with pytest.raises(BridgeError, match="--osc-"):
        serve(host="192.0.2.1")


@pytest.mark.parametrize("target", ["nowhere", "127.0.0.1:", ":9", "127.0.0.1:99999", ("127.0.0.1", 0)])
def test_a_target_that_makes_no_sense_is_refused(mixer, target):
    with pytest.raises(BridgeError, match="host:port"):
        OscServer(mixer, targets=[target])


def test_unknown_target_is_refused_and_leaves_the_port_free(serve):
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(BridgeError, match=r"nobody\.invalid:9138"):
        serve(port=port, targets=["nobody.invalid:9138"])
    serve(port=port)


def test_it_is_announced_to_the_network_only_on_request(mixer):
    server = OscServer(mixer)
    assert (server._host, server.port) == ("127.0.0.1", 9137)


@pytest.mark.parametrize("port", [-1, 65536, 99999, 2**31, 2**70])
def test_a_port_that_there_is_not_is_refused_with_its_option(mixer, port):
    with pytest.raises(BridgeError, match=f"--osc-port {port} is not a port"):
        OscServer(mixer, port=port)


@pytest.mark.parametrize("rate", [-1.0, 101.0, math.inf, math.nan])
def test_a_rate_that_there_is_not_is_refused(mixer, rate):
    with pytest.raises(BridgeError, match="--meter-rate"):
        OscServer(mixer, meter_rate=rate)


@pytest.mark.parametrize("network", ["phone", "192.168.1.0/40", "::/200", ""])
def test_a_network_that_there_is_not_is_refused(mixer, network):
    with pytest.raises(BridgeError, match="not an address or a network"):
        OscServer(mixer, trust=[network])
