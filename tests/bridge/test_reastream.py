"""ReaStream: packets against the format, written out here once more by hand."""

import socket

import numpy as np
import pytest
from reastream_packets import parsed

from bridge.reastream import ReaStreamSender, frames_per_packet, write_packet
from stream_sep.errors import BridgeError, ConfigError


def noise(channels, frames):
    return np.random.default_rng(channels * frames).standard_normal((channels, frames), np.float32)


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        listening.settimeout(5)
        yield listening


def port_of(receiver):
    return receiver.getsockname()[1]


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 10, 63, 64])
@pytest.mark.parametrize("frames", [1, 37, 128, 1000])
def test_what_is_sent_arrives_whole_and_in_order(receiver, channels, frames):
    block = noise(channels, frames)
    with ReaStreamSender("127.0.0.1", port_of(receiver), "stems", channels, 48000) as sender:
        count = sender.send(block)
    packets = [parsed(receiver.recv(65535)) for _ in range(count)]
    assert {name for name, _, _ in packets} == {b"stems" + bytes(27)}
    assert {rate for _, rate, _ in packets} == {48000}
    np.testing.assert_array_equal(np.concatenate([part for _, _, part in packets], axis=1), block)


def test_eight_channels_go_thirty_seven_frames_a_packet(receiver):
    assert frames_per_packet(8) == 37
    with ReaStreamSender("127.0.0.1", port_of(receiver), channels=8) as sender:
        assert sender.send(noise(8, 74)) == 2
    assert [len(receiver.recv(65535)) for _ in range(2)] == [47 + 1184] * 2


def test_a_packet_is_these_bytes():
    packet = write_packet(np.array([[1.0, -1.0], [0.5, 0.0]], np.float32), 44100, b"default")
    header = b"MRSR" + b"\x3f\0\0\0" + b"default" + bytes(25) + b"\x02" + b"\x44\xac\0\0" + b"\x10\0"
    assert packet == header + bytes.fromhex("0000803f 000080bf 0000003f 00000000")


def test_blocks_of_any_layout_in_memory_are_sent_right(receiver):
    block = np.asfortranarray(noise(4, 50)[:, ::2].astype(np.float64))
    with ReaStreamSender("127.0.0.1", port_of(receiver), channels=4) as sender:
        sender.send(block)
    np.testing.assert_array_equal(parsed(receiver.recv(65535))[2], block.astype(np.float32))


@pytest.mark.parametrize(
    ("settings", "messages"),
    [
        ({"channels": 0}, "not 0"),
        ({"channels": 65}, "not 65"),
        ({"sample_rate": 0}, "0 Hz"),
        ({"identifier": "x" * 32}, "bytes long"),
        ({"identifier": ""}, "bytes long"),
    ],
)
def test_what_cannot_be_sent_is_refused(settings, messages):
    with pytest.raises(ConfigError, match=messages):
        ReaStreamSender("127.0.0.1", **settings)


def test_a_host_that_is_not_there_is_named():
    with pytest.raises(BridgeError, match=r"nowhere\.invalid"):
        ReaStreamSender("nowhere.invalid")
    with pytest.raises(BridgeError, match="123456"):
        ReaStreamSender("127.0.0.1", 123456)


def test_another_number_of_channels_is_refused():
    with ReaStreamSender("127.0.0.1", channels=4) as sender, pytest.raises(ConfigError, match="4 channels"):
        sender.send(noise(2, 8))


def test_a_target_without_a_receiver_is_no_error():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = port_of(probe)
    with ReaStreamSender("127.0.0.1", port) as sender:
        for _ in range(5):
            sender.send(noise(2, 300))
        assert sender.packets == 10
