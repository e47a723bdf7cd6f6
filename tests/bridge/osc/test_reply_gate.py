"""Replies to an unproven address are never larger than the packets received from it, whatever the request."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixer_double import MixerDouble
from osc_peer import bundle
from pythonosc.osc_bundle_builder import IMMEDIATELY
from pythonosc.osc_message_builder import build_msg

from bridge.osc import reply_gate
from bridge.osc.codec import read_packet, write_message
from bridge.osc.reply_gate import BURST_BYTES, BYTES_PER_SECOND, UNPROVED_BURST_BYTES, UNPROVED_BYTES_PER_SECOND
from bridge.osc.session import OscSession, ReceiveLog

HOSTS = ("192.0.2.1", "192.0.2.2")
ADDRESSES = [(host, port) for host in HOSTS for port in (9, 1000)]
REQUESTS = [
    write_message("/list"),
    write_message("/refresh"),
    write_message("/ping"),
    write_message("/subscribe", (9, 63)),
    write_message("/subscribe", (1000,)),
    write_message("/subscribe"),
    write_message("/query", ("/list", 9)),
    write_message("/query", ("/stem/*/*", 1000)),
    write_message("/stem/*/*"),
    write_message("/stem/vocals/fader", (0.5,)),
    write_message("/stem/vocals/toggle"),
    write_message("/nothing", (1,)),
    write_message("/echo", (1,)),
    write_message("/meters/rate", (100.0,)),
    write_message("/preset/list"),
    write_message("/preset/recall", ("nobody",)),
    write_message("/unsubscribe"),
    bundle(IMMEDIATELY, *[("/list",)] * 20, ("/subscribe", 9, 63)),
    b"rubbish",
    b"",
    build_msg("/stem/vocals/pan", [1.0, 2.0, 3.0]).dgram,
]


class Network:
    """A session that trusts nobody, and the bytes received from and sent to each address."""

    def __init__(self, mixer, *, trusted=False):
        self.received, self.sent = Counter(), Counter()
        self.session = OscSession(
            mixer, self.send, lambda: None, ReceiveLog(), meter_rate=100.0, trusted=lambda _: trusted
        )

    def send(self, address, packet):
        self.sent[address] += len(packet)
        return True

    def request(self, packet, address):
        for port in {address[1], 9, 1000}:  # a reply may go to another port of the requesting host
            self.received[address[0], port] += len(packet) if port == address[1] or b"\0," in packet else 0
        self.session.receive([(packet, address)])
        self.session.run_due()


@settings(max_examples=60, deadline=None)
@given(requests=st.lists(st.tuples(st.sampled_from(REQUESTS), st.sampled_from(ADDRESSES)), max_size=40))
def test_no_host_is_sent_more_than_came_from_it(requests):
    network = Network(MixerDouble())  # a new one for each example of hypothesis
    total = Counter()
    for packet, address in requests:
        total[address[0]] += len(packet)
        network.request(packet, address)
    for host in HOSTS:
        assert sum(size for address, size in network.sent.items() if address[0] == host) <= total[host]


def test_a_trusted_host_is_sent_no_more_than_the_limit(mixer):
    network = Network(mixer, trusted=True)
    for _ in range(500):
        network.request(write_message("/list"), ADDRESSES[0])
    assert BURST_BYTES / 2 < network.sent[ADDRESSES[0]] < BURST_BYTES + 10 * BYTES_PER_SECOND
    sent_before = network.sent[ADDRESSES[0]]
    network.request(write_message("/ping"), ADDRESSES[2])
    assert network.sent[ADDRESSES[2]] > 0
    assert network.sent[ADDRESSES[0]] == sent_before


# the work for replies, sent or not


@pytest.fixture
def computed(monkeypatch):
    """The sizes of the messages that were computed for replies."""
    sizes = []

    def write(at, arguments):
        message = write_message(at, arguments)
        if at != reply_gate.ECHO:
            sizes.append(len(message))
        return message

    monkeypatch.setattr(reply_gate, "write_message", write)
    return sizes


@pytest.fixture
def stopped(mixer):
    """A session that trusts nobody, its clock, which only the test moves, and the messages that it sent."""
    now, sent = [1000.0], []
    session = OscSession(
        mixer,
        lambda address, packet: sent.append((address, read_packet(packet).messages)) is None,
        lambda: None,
        ReceiveLog(),
        trusted=lambda _: False,
        clock=lambda: now[0],
    )
    return session, now, sent


QUERIES = {
    "a list": ("/list",),
    "everything": ("/refresh",),
    "a pattern": ("/stem/*/*",),
    "presets": ("/preset/list",),
    "a query of the list": ("/query", "/list"),
    "a query of everything": ("/query", "/refresh"),
    "a query of a pattern": ("/query", "/stem/*/*"),
}
MAX_REPLY = 2**14


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_few_replies_are_computed_for_a_packet_of_queries(mixer, stopped, computed, query):
    mixer.presets = lambda: tuple(f"the preset with the number {number}" for number in range(256))
    session, _, sent = stopped
    packets = [write_message("/nothing", ("x" * 2000,)), bundle(IMMEDIATELY, *[query] * 1500)]
    session.receive([(packet, ADDRESSES[0]) for packet in packets])
    assert sum(computed) <= UNPROVED_BURST_BYTES + MAX_REPLY
    assert [message.address for _, messages in sent for message in messages].count("/echo") > 100


def test_forged_addresses_share_one_limit(stopped, computed):
    session, now, _ = stopped
    for number in range(1000):
        session.receive([(write_message("/list"), ("192.0.2.1", number))])
    assert sum(computed) <= UNPROVED_BURST_BYTES + MAX_REPLY
    now[0] += 1.0
    computed.clear()
    for number in range(1000):
        session.receive([(write_message("/list"), ("192.0.2.1", number))])
    assert 0 < sum(computed) <= UNPROVED_BYTES_PER_SECOND + MAX_REPLY


def test_a_flood_from_unproved_addresses_keeps_nobody_from_a_proof_and_replies(stopped):
    session, _, sent = stopped
    session.receive([(bundle(IMMEDIATELY, *[("/list",)] * 3000), ADDRESSES[1])])
    sent.clear()
    session.receive([(write_message("/subscribe", (0, 1)), ADDRESSES[0])])
    ((_, (challenge,)),) = sent
    session.receive([(write_message(challenge.address, challenge.arguments), ADDRESSES[0])])
    assert session.clients.of(ADDRESSES[0]) is not None
    sent.clear()
    session.receive([(write_message("/list"), ADDRESSES[0])])
    assert sent[-1][1][-1].address == "/list/end"


def test_a_host_at_its_limit_may_still_subscribe_and_prove_itself(stopped):
    session, _, sent = stopped
    session.receive([(write_message("/subscribe", (0, 1)), ADDRESSES[0])])
    ((_, (challenge,)),) = sent
    session.receive([(write_message(challenge.address, challenge.arguments), ADDRESSES[0])])
    session.receive([(write_message("/list"), ADDRESSES[0])] * 1000)
    session.receive([(write_message("/unsubscribe"), ADDRESSES[0])])
    assert session.clients.of(ADDRESSES[0]) is None
    session.receive([(write_message("/subscribe", (0, 1)), ADDRESSES[0])])
    assert session.clients.of(ADDRESSES[0]) is not None
