"""A sender's address is unproven until it replies: no packet larger than the request goes there before."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from osc_peer import FADER, Peer, bundle
from pythonosc.osc_bundle_builder import IMMEDIATELY
from pythonosc.osc_message_builder import build_msg
from waiting import until

from bridge.osc.address_proof import CHALLENGE_SECONDS, PROOF_SECONDS, AddressProofs

HERE, ELSEWHERE = ("192.0.2.1", 9138), ("192.0.2.2", 9138)


@pytest.fixture
def network(serve):
    """A server that more than this machine can reach."""
    return serve(host="0.0.0.0")


class Count(Peer):
    """Counts the bytes that it sends and that come back."""

    sent = 0

    def send_raw(self, packet):
        self.sent += len(packet)
        super().send_raw(packet)

    @property
    def received(self):
        return sum(self.sizes)


@pytest.fixture
def stranger(network):
    peer = Count(network.port)
    with contextlib.closing(peer.socket):
        yield peer


def echo_challenges(peer):
    """Send every challenge back."""
    for message in peer.receive():
        if message[0] == "/echo":
            peer.send(*message)


REQUESTS = {
    "a list": build_msg("/list").dgram,
    "everything": build_msg("/refresh").dgram,
    "a pattern": build_msg("/stem/*/*").dgram,
    "a subscription": build_msg("/subscribe").dgram,
    "a mistake": build_msg("/nothing/here", 1).dgram,
    "rubbish": b"/rubbish without types\0\0" + bytes(8),
    "no slash": b"stem",
    "a meter rate": build_msg("/meters/rate", 100).dgram,
    "many lists": bundle(IMMEDIATELY, *[("/list",)] * 500),
    "a query": build_msg("/query", ["/list", 0]).dgram,
}


@pytest.mark.parametrize("packet", REQUESTS.values(), ids=REQUESTS)
def test_unproven_address_never_receives_more_than_it_sent(stranger, packet):
    for _ in range(5):
        stranger.send_raw(packet)
    stranger.quiet()
    assert stranger.received <= stranger.sent


def test_host_cannot_subscribe_for_another_host(network, stranger, join):
    victim = join(network)
    stranger.send("/meters/rate", 100)
    for _ in range(5):
        stranger.send("/subscribe", victim.own_port, 63)
    assert {message[0] for message in victim.quiet()} <= {"/echo"}
    assert sum(victim.sizes) <= stranger.sent


def test_client_that_replies_receives_everything(mixer, network, stranger):
    stranger.send("/subscribe", 0, 1)
    echo_challenges(stranger)
    assert len(stranger.receive(5)) > 4
    mixer.apply({"stem/vocals/pan": 0.5})
    until(lambda: ("/stem/vocals/pan", 0.5) in stranger.listen())
    assert network.errors == 0


def test_a_client_may_reply_for_its_receiving_port(mixer, network, join):
    sender, listener = join(network), join(network)
    sender.send("/subscribe", listener.own_port, 1)
    (challenge,) = listener.receive()
    sender.send(*challenge)
    listener.receive(5)
    listener.quiet()
    mixer.apply({"stem/vocals/pan": 0.5})
    assert listener.receive() == [("/stem/vocals/pan", 0.5)]


def test_a_wrong_number_proves_nothing_and_is_an_error(network, stranger):
    stranger.send("/subscribe", 0, 1)
    ((_, number),) = stranger.receive()
    stranger.send("/echo", number ^ 1)
    stranger.quiet()
    assert network.errors == 1
    assert stranger.received <= stranger.sent


def test_a_trusted_network_needs_no_proof(serve, join):
    server = serve(host="0.0.0.0", trust=["127.0.0.0/8"])
    peer = join(server)
    peer.send("/list")
    assert len(peer.receive(50)) > 50


def test_a_fader_is_moved_without_a_proof(mixer, network, stranger):
    stranger.send(FADER, 0.5)
    until(lambda: mixer.controls["stem/vocals/gain_db"] == -10.0)
    assert network.errors == 0


def test_an_error_reply_is_cut_to_the_length_of_the_request(stranger):
    stranger.send("/stem/vocals/chain/1/" + "x" * 40, 0.5)
    ((address, message),) = stranger.receive()
    assert address == "/error"
    assert re.match(r"there is no address", message)


def test_one_host_does_not_take_every_place(network, stranger, join):
    for _ in range(16):
        peer = join(network)
        peer.send("/subscribe", 0, 1)
        echo_challenges(peer)
        peer.receive(5)
    assert network.errors == 0
    stranger.send("/subscribe", 0, 1)
    echo_challenges(stranger)
    until(lambda: network.errors == 1)


def test_on_this_machine_alone_there_are_64_places_for_one_host(server, join):
    for _ in range(64):
        join(server).send("/subscribe", 0, 16)
    late = join(server)
    assert late.sync() == []
    late.send("/subscribe", 0, 16)
    (refused,) = late.sync()
    assert "64 clients" in refused[1]


# the bookkeeping alone


@pytest.fixture
def now():
    return [1000.0]


@pytest.fixture
def proofs(now):
    return AddressProofs(lambda address: address[0] == "127.0.0.1", lambda: now[0])


def test_a_challenge_that_took_too_long_proves_nothing(proofs, now):
    number = proofs.challenge(HERE)
    now[0] += CHALLENGE_SECONDS + 1
    assert proofs.confirm(HERE[0], number) is None


def test_a_proof_ends_and_can_be_renewed_without_a_gap(proofs, now):
    assert proofs.confirm(HERE[0], proofs.challenge(HERE)) == HERE
    assert not proofs.is_ageing(HERE)
    now[0] += PROOF_SECONDS - 1
    assert proofs.is_ageing(HERE)
    assert proofs.confirm(HERE[0], proofs.challenge(HERE)) == HERE
    now[0] += PROOF_SECONDS - 1
    assert proofs.is_proved(HERE)
    now[0] += 2
    assert not proofs.is_proved(HERE)


def test_a_number_proves_only_the_host_it_was_sent_to(proofs):
    assert proofs.confirm(ELSEWHERE[0], proofs.challenge(HERE)) is None
    assert not proofs.is_proved(ELSEWHERE)


def test_a_number_cannot_be_guessed_by_trying(proofs):
    number = proofs.challenge(HERE)
    for guess in range(4):
        proofs.confirm(HERE[0], -guess)
    assert proofs.confirm(HERE[0], number) is None


def test_stored_state_is_bounded(proofs):
    for port in range(2000):
        proofs.confirm("192.0.2.1", proofs.challenge(("192.0.2.1", port)))
        proofs.challenge(("192.0.2.3", port))
    assert len(proofs._proved) <= 256
    assert len(proofs._challenges) <= 256


@given(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.integers()))
)
def test_nothing_but_the_number_proves_anything(given_back):
    proofs = AddressProofs(lambda _: False)
    number = proofs.challenge(HERE)
    assert (proofs.confirm(HERE[0], given_back) is None) == (given_back != number)


def test_a_challenge_fits_into_the_smallest_subscription():
    assert len(build_msg("/echo", 1).dgram) <= len(build_msg("/subscribe").dgram)
