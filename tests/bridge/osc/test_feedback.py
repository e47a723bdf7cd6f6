"""Feedback of changes and meters: batched, in small packets, and only while there are subscribers."""

import time

import pytest
from osc_peer import FADER
from waiting import until

from stream_sep.control.parameters import Parameter
from stream_sep.protocols import STEMS

ROOM = Parameter("stem/vocals/chain/1/room_size", 0.5)


def test_a_decibel_reading_follows_the_fader_that_its_own_client_moves(server, join):
    peer = join(server, 0, 1)
    peer.send(FADER, 0.5)
    assert peer.receive() == [("/stem/vocals/gain", -10.0)]
    assert peer.quiet() == []


def test_many_changes_are_gathered_into_few_packets(mixer, server, join):
    peer = join(server, 0, 1)
    peer.sizes.clear()
    started = time.monotonic()
    for step in range(500):
        mixer.apply({f"stem/{stem}/pan": step / 500 for stem in STEMS})
    received = []
    until(lambda: received.extend(peer.listen()) or ("/stem/vocals/pan", pytest.approx(0.998)) in received)
    assert len(peer.sizes) <= 3 + 30 * (time.monotonic() - started)


def test_no_packet_is_larger_than_a_network_passes(server, join):
    peer = join(server)
    peer.send("/subscribe")
    peer.receive(56)
    assert len(peer.sizes) > 1
    assert max(peer.sizes) <= 1400


def test_meters_come_at_the_requested_rate(mixer, serve, join):
    server = serve(meter_rate=50.0)
    peer = join(server, 0, 4)
    for step in range(1, 20):
        mixer.metered = {**mixer.metered, "mix": (step / 20, 0.0)}
        assert peer.receive()[0][0] == "/master/meter"
    assert peer.request("/meters/rate") == ("/meters/rate", 50.0)
    peer.send("/meters/rate", 0)
    peer.sync()
    mixer.metered = {**mixer.metered, "mix": (1.0, 1.0)}
    assert peer.quiet() == []


def test_meters_are_read_only_while_someone_watches(mixer, server, join):
    reads = []
    metered = mixer.metered
    mixer.peaks = lambda: reads.append(1) or metered
    peer = join(server, 0, 1 + 2)
    assert (peer.quiet(), reads) == ([], [])
    peer.send("/subscribe", 0, 4)
    until(lambda: reads)


def test_it_sleeps_while_nothing_happens(server, join):
    join(server, 0, 63 - 4)
    turns = []
    real = server._session.feedback.run_due
    server._session.feedback.run_due = lambda: turns.append(1) or real()
    time.sleep(0.5)
    assert turns == []


def test_client_without_faders_receives_no_new_ones(mixer, server, peer):  # noqa: ARG001 - the peer's other end
    peer.send("/subscribe", 0, 16)
    peer.sync()
    peer.quiet()
    mixer.controls.replace_parameters((), (ROOM,))
    assert peer.quiet() == []
