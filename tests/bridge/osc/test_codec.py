"""Packets of bytes that are OSC, nearly OSC, and not."""

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from osc_peer import FADER
from pythonosc.osc_message_builder import build_msg

from bridge.osc.codec import read_packet

RUBBISH = {
    "empty": b"",
    "random": bytes(range(1, 200)),
    "no types": b"/stem/vocals/fader\0\0",
    "cut address": b"/stem/vocals/fad",
    "cut value": build_msg(FADER, 0.5).dgram[:-4],
    "cut within a value": build_msg(FADER, 0.5).dgram[:-2],
    "unknown type": build_msg(FADER, 0.5).dgram.replace(b",f", b",Z"),
    "endless bundle": b"#bundle\0" + bytes(7) + b"\1" + struct.pack(">i", -4) + bytes(12),
    "empty elements": b"#bundle\0" + bytes(7) + b"\1" + bytes(40),
    "long element": b"#bundle\0" + bytes(7) + b"\1" + struct.pack(">i", 4000) + bytes(8),
    "bundle cut short": b"#bundle\0\0\0\0\0",
    "bad UTF-8": b"/\xff\xfe\0",
    "bracket": b"/a\0\0,]\0\0",
}


@pytest.mark.parametrize("packet", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_is_counted_and_changes_nothing(mixer, server, peer, packet):
    before = mixer.controls.snapshot()
    peer.send_raw(packet)
    assert [message[0] for message in peer.sync()] == [FADER if packet == RUBBISH["no types"] else "/error"]
    assert mixer.controls.snapshot() == before
    assert server.errors == (0 if packet == RUBBISH["no types"] else 1)


def nested(depth):
    packet = build_msg(FADER, 0.5).dgram
    for _ in range(depth):
        packet = b"#bundle\0" + bytes(7) + b"\1" + struct.pack(">i", len(packet)) + packet
    return packet


def test_bundles_are_read_to_a_depth_of_eight():
    assert len(read_packet(nested(8)).messages) == 1
    assert read_packet(nested(9)).problems == ("bundles are nested more than 8 deep",)


def test_a_bundle_nested_without_end_is_rubbish(server, peer):
    peer.send_raw(nested(2000))
    peer.sync()
    assert server.errors == 1


def test_a_huge_blob_does_no_harm(mixer, server, peer):
    peer.send(FADER, bytes(60_000))
    assert len(peer.receive()[0][1]) < 500
    peer.send("/" + "x" * 60_000, 1)
    assert len(peer.receive()[0][1]) < 500
    peer.send("/stem/" + "*" * 5000, 1)
    assert peer.receive()[0][0] == "/error"
    assert (server.errors, mixer.applied) == (3, [])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=100).map(lambda tail: b"#bundle\0" + tail),
        st.binary(max_size=100).map(lambda tail: b"/stem/vocals/mute\0\0\0" + tail),
        st.text(alphabet="/*?[]{}!,-^abcstemvl\\&~|", max_size=40).map(lambda text: build_msg("/" + text, 2.0).dgram),
    )
)
def test_no_bytes_whatever_stop_it(server, peer, packet):
    peer.send_raw(packet)
    peer.sync()
    assert server._loop._thread.is_alive()
    assert peer.request("/engine/state") == ("/engine/state", "stopped")
