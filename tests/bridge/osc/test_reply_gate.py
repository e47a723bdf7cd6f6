"""Replies to an unproven address are never larger than the packets received from it, whatever the request."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from mixer_double import MixerDouble
from osc_peer import bundle
from pythonosc.osc_bundle_builder import IMMEDIATELY
from pythonosc.osc_message_builder import build_msg

from bridge.osc.codec import write_message
from bridge.osc.reply_gate import BURST_BYTES, BYTES_PER_SECOND
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
