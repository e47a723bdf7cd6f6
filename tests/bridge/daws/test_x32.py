"""A mixer for everything that is made for an X32: bytes in, bytes out."""

import struct

import pytest

from bridge.daws.x32_server import X32Server
from bridge.osc.codec import read_packet, write_message

PHONE, TABLET = ("127.0.0.1", 50001), ("127.0.0.1", 50002)
XREMOTE = b"/xremote\0\0\0\0,\0\0\0"
HALF, THREE_QUARTERS = b"\x3f\0\0\0", b"\x3f\x40\0\0"


class Network:
    """A console without sockets; collects its packets by client."""

    def __init__(self, mixer):
        self.sent, self.now = [], 100.0
        self.console = X32Server(
            mixer, lambda packet, client: self.sent.append((client, packet)) is None, "127.0.0.1"
        )
        mixer.controls.subscribe(self.console.changed)

    def send(self, *packets, client=PHONE):
        self.console.receive([(packet, client) for packet in packets], self.now)
        return self.take_sent()

    def receive(self, after=1.0):
        self.now += after
        self.console.work(self.now)
        return self.take_sent()

    def take_sent(self):
        sent, self.sent[:] = self.sent.copy(), []
        return sent


@pytest.fixture
def network(mixer):
    return Network(mixer)


def test_a_fader_moves_its_stem_by_the_law_printed_on_it(network, mixer):
    assert network.send(b"/ch/01/mix/fader\0\0\0\0,f\0\0" + HALF) == []
    assert mixer.controls["stem/vocals/gain_db"] == -10.0
    network.send(b"/ch/04/mix/fader\0\0\0\0,f\0\0" + THREE_QUARTERS, b"/main/st/mix/fader\0\0,f\0\0" + HALF)
    assert mixer.controls["stem/other/gain_db"] == 0.0
    assert mixer.controls["master/gain_db"] == -10.0


def test_on_is_not_muted(network, mixer):
    network.send(b"/ch/02/mix/on\0\0\0,i\0\0\0\0\0\0")
    assert mixer.controls["stem/drums/mute"] is True
    network.send(b"/ch/02/mix/on\0\0\0,i\0\0\0\0\0\1")
    assert mixer.controls["stem/drums/mute"] is False


def test_solo_and_pan(network, mixer):
    network.send(b"/-stat/solosw/03\0\0\0\0,i\0\0\0\0\0\1", b"/ch/03/mix/pan\0\0,f\0\0" + THREE_QUARTERS)
    assert mixer.controls["stem/bass/solo"] is True
    assert mixer.controls["stem/bass/pan"] == 0.5


def test_an_address_without_a_value_is_a_query(network, mixer):
    mixer.apply({"stem/vocals/gain_db": -10.0, "stem/drums/mute": True})
    assert network.send(b"/ch/01/mix/fader\0\0\0\0,\0\0\0") == [(PHONE, b"/ch/01/mix/fader\0\0\0\0,f\0\0" + HALF)]
    assert network.send(b"/ch/02/mix/on\0\0\0") == [(PHONE, b"/ch/02/mix/on\0\0\0,i\0\0\0\0\0\0")]
    assert network.send(write_message("/ch/03/config/name")) == [
        (PHONE, write_message("/ch/03/config/name", ("bass",)))
    ]
    (received,) = network.send(write_message("/ch/03/config/color"))
    assert read_packet(received[1]).messages[0].arguments[0] in range(16)


def test_a_query_after_a_move_returns_the_moved_value(network):
    fader = "/ch/01/mix/fader"
    assert network.send(write_message(fader, (0.5,)), write_message(fader)) == [(PHONE, write_message(fader, (0.5,)))]


def test_it_describes_itself(network):
    assert network.send(b"/info\0\0\0") == [
        (PHONE, b"/info\0\0\0,ssss\0\0\0V2.07\0\0\0stream_sep\0\0X32\x004.06\0\0\0\0"),
    ]
    assert network.send(b"/xinfo\0\0") == [
        (PHONE, b"/xinfo\0\0,ssss\0\0\x00127.0.0.1\0\0\0stream_sep\0\0X32\x004.06\0\0\0\0"),
    ]
    assert network.send(b"/status\0") == [(PHONE, b"/status\0,sss\0\0\0\0active\0\x00127.0.0.1\0\0\0stream_sep\0\0")]


def test_changes_are_sent_to_subscribers_only(network, mixer):
    network.send(XREMOTE)
    mixer.apply({"stem/vocals/gain_db": -10.0, "stem/vocals/mute": True})
    assert sorted(network.receive()) == [
        (PHONE, b"/ch/01/mix/fader\0\0\0\0,f\0\0" + HALF),
        (PHONE, b"/ch/01/mix/on\0\0\0,i\0\0\0\0\0\0"),
    ]
    assert network.receive() == []


def test_a_lease_ends_after_ten_seconds_unless_it_is_renewed(network, mixer):
    network.send(XREMOTE)
    network.receive(after=9.0)
    network.send(XREMOTE)
    network.receive(after=9.0)
    mixer.apply({"stem/vocals/mute": True})
    assert len(network.receive(after=0.1)) == 1
    network.receive(after=1.0)
    mixer.apply({"stem/vocals/mute": False})
    assert network.receive() == []


def test_move_of_one_client_is_sent_to_the_others_only(network):
    for client in (PHONE, TABLET):
        network.send(XREMOTE, client=client)
    move = b"/ch/01/mix/fader\0\0\0\0,f\0\0" + HALF
    network.send(move, client=PHONE)
    assert network.receive() == [(TABLET, move)]


def test_value_out_of_range_is_corrected_for_its_sender(network, mixer):
    network.send(XREMOTE)
    for _ in range(2):
        network.send(write_message("/ch/01/mix/fader", (1.5,)))
        assert network.receive() == [(PHONE, write_message("/ch/01/mix/fader", (1.0,)))]
    assert mixer.controls["stem/vocals/gain_db"] == 10.0


def test_switches_flicked_at_once_are_no_echoes(network, mixer):
    network.send(XREMOTE)
    mixer.apply({"stem/vocals/mute": True})
    network.receive(after=0.04)
    for on in (1, 0, 1, 0, 1):
        network.send(write_message("/ch/01/mix/on", (on,)))
    assert mixer.controls["stem/vocals/mute"] is False


def test_it_has_room_for_four(network):
    for port in range(4):
        network.send(XREMOTE, client=("127.0.0.1", 50010 + port))
    assert network.console.errors == 0
    network.send(XREMOTE)
    assert network.console.errors == 1
    network.receive(after=11.0)
    network.send(XREMOTE)
    assert network.console.errors == 1


METERS = b"/meters\0,s\0\0/meters/1\0\0\0"
ELSEWHERE = "192.168.1.20"


@pytest.mark.parametrize("request_", [XREMOTE, METERS], ids=["changes", "meters"])
def test_no_other_host_takes_every_place(network, request_):
    for port in range(4):
        network.send(request_, client=(ELSEWHERE, 50010 + port))
    assert network.console.errors == 2
    network.send(request_, client=(ELSEWHERE, 50010))
    network.send(request_, client=("192.168.1.21", 50010))
    network.send(request_)
    assert network.console.errors == 2


def test_another_host_is_sent_a_limited_number_of_replies(network):
    flood = [b"/xinfo\0\0"] * 3000
    replies = network.send(*flood, client=(ELSEWHERE, 50010)) + network.send(*flood, client=(ELSEWHERE, 50011))
    assert 0 < len(replies) <= 512
    assert network.console.errors == 6000 - len(replies)
    assert len(network.send(b"/xinfo\0\0", client=("192.168.1.21", 50010))) == 1
    assert len(network.send(*flood)) == 3000  # programs of this machine
    network.now += 1.0
    assert 0 < len(network.send(*flood, client=(ELSEWHERE, 50010))) <= 256


def test_meters_are_a_blob_of_little_endian_floats_for_ten_seconds(network, mixer):
    mixer.metered["drums"] = (0.25, 0.5)
    network.send(METERS)
    ((client, packet),) = network.receive()
    assert client == PHONE
    assert packet.startswith(b"/meters/1\0\0\0,b\0\0" + struct.pack(">i", 4 + 4 * 96) + struct.pack("<i", 96))
    assert struct.unpack("<96f", packet[-96 * 4 :])[:4] == (0.0, 0.5, 0.0, 0.0)
    assert network.receive(after=11.0) == []


def test_what_makes_no_sense_is_counted_and_changes_nothing(network, mixer):
    before = mixer.controls.snapshot()
    nonsense = [
        b"",
        b"\xff" * 12,
        write_message("/ch/01/mix/fader", ("up",)),
        write_message("/ch/01/mix/fader", (0.1, 0.2)),
        write_message("/ch/09/mix/fader", (0.1,)),
        write_message("/ch/00/mix/fader", (0.1,)),
        write_message("/ch/09/mix/fader"),
        write_message("/fx/1/type"),
        write_message("/ch/01/config/name", ("mine",)),
        b"/ch/01/mix/fader\0\0\0\0,f\0\0\x7f\xc0\0\0",
    ]
    for count, packet in enumerate(nonsense, 1):
        assert network.send(packet) == []
        assert network.console.errors == count, packet
    assert mixer.controls.snapshot() == before
