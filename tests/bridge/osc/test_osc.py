"""OSC over real sockets: every address, patterns, subscriptions, time tags, floods and rubbish."""

import contextlib
import math
import socket
import struct
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder, build_msg
from pythonosc.osc_packet import OscPacket

from bridge.osc.server import OscServer
from stream_sep.control.state import Parameter
from stream_sep.errors import BridgeError
from stream_sep.protocols import STEMS

PATIENCE = 5.0
QUIET = 0.15
FADER, GAIN_DB = "/stem/vocals/fader", "stem/vocals/gain_db"


def until(condition, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


class Peer:
    """A program on the network that speaks OSC."""

    def __init__(self, port):
        self.port = port
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0)
        self.sizes = []

    @property
    def own_port(self):
        return self.socket.getsockname()[1]

    def send(self, address, *values):
        self.send_raw(build_msg(address, values).dgram)

    def send_typed(self, address, types, *values):
        builder = OscMessageBuilder(address)
        for tag, value in zip(types, values, strict=True):
            builder.add_arg(value, tag)
        self.send_raw(builder.build().dgram)

    def send_raw(self, packet):
        self.socket.sendto(packet, ("127.0.0.1", self.port))

    def listen(self):
        messages = []
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = self.socket.recv(65535)
                self.sizes.append(len(packet))
                messages += [timed.message for timed in OscPacket(packet).messages]
        return [(message.address, *message.params) for message in messages]

    def hear(self, count=1):
        heard = []
        until(lambda: heard.extend(self.listen()) or len(heard) >= count)
        return heard

    def quiet(self):
        """What comes while nothing should."""
        time.sleep(QUIET)
        return self.listen()

    def ask(self, address, *values):
        self.send(address, *values)
        return self.hear()[0]

    def sync(self):
        """Wait until all that was sent was done; return what came before that."""
        self.send("/ping")
        heard = []
        until(lambda: heard.extend(self.listen()) or ("/pong",) in heard)
        return [message for message in heard if message != ("/pong",)]


@pytest.fixture
def serve(desk):
    """Starts a server with settings of the test's."""
    running = []

    def started(**settings):
        running.append(OscServer(desk, port=settings.pop("port", 0), **settings))
        running[-1].start()
        return running[-1]

    yield started
    for server in running:
        server.stop()


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture
def join():
    """Connects peers to a server."""
    with contextlib.ExitStack() as stack:

        def joined(server, *subscription):
            peer = Peer(server.port)
            stack.callback(peer.socket.close)
            if subscription:
                peer.send("/subscribe", *subscription)
                peer.sync()
                peer.quiet()
            return peer

        yield joined


@pytest.fixture
def peer(server, join):
    return join(server)


# what addresses do


@pytest.mark.parametrize(
    ("address", "value", "path", "stored"),
    [
        ("/stem/vocals/fader", 0.75, "stem/vocals/gain_db", 0.0),
        ("/stem/vocals/fader", 0.5, "stem/vocals/gain_db", -10.0),
        ("/stem/vocals/fader", 0.0, "stem/vocals/gain_db", -90.0),
        ("/stem/drums/gain", -6.0, "stem/drums/gain_db", -6.0),
        ("/stem/drums/gain", -math.inf, "stem/drums/gain_db", -90.0),
        ("/stem/drums/gain", 20.0, "stem/drums/gain_db", 10.0),
        ("/stem/bass/mute", 1, "stem/bass/mute", True),
        ("/stem/bass/solo", 1.0, "stem/bass/solo", True),
        ("/stem/other/pan", -0.5, "stem/other/pan", -0.5),
        ("/stem/other/chain/bypass", True, "stem/other/chain/bypass", True),
        ("/stem/1/gain", -3.0, f"stem/{STEMS[0]}/gain_db", -3.0),
        ("/master/fader", 0.25, "master/gain_db", -30.0),
        ("/master/gain", -1.0, "master/gain_db", -1.0),
        ("/master/mute", 1, "master/mute", True),
        ("/master/limiter", 1, "master/limiter", True),
        ("/bypass", 1, "bypass", True),
        ("/karaoke", 1, "karaoke", 1.0),
        ("/karaoke", 0.5, "karaoke", 0.5),
        ("/ramp_ms", 50, "ramp_ms", 50.0),
    ],
)
def test_an_address_moves_its_control_and_answers_when_asked(desk, peer, *, address, value, path, stored):
    peer.send(address, value)
    assert peer.sync() == []
    assert desk.controls[path] == pytest.approx(stored)
    asked, answer = peer.ask(address)
    assert asked == address
    if "fader" in address or abs(value) <= 1:
        assert answer == pytest.approx(float(value))


@pytest.mark.parametrize(
    ("tag", "value", "muted"),
    [
        ("i", 1, True),
        ("i", 0, False),
        ("i", -1, False),
        ("f", 0.5, True),
        ("f", -0.5, False),
        ("d", 1.0, True),
        ("h", 2**40, True),
        ("T", True, True),
        ("F", False, False),
        ("s", "1", True),
        ("s", "0.0", False),
    ],
)
def test_every_kind_of_number_is_understood(desk, server, peer, *, tag, value, muted):
    desk.apply({"stem/bass/mute": not muted})
    peer.send_typed("/stem/bass/mute", tag, value)
    peer.sync()
    assert desk.controls["stem/bass/mute"] is muted
    assert server.errors == 0


def test_what_only_tells_is_answered_with_the_types_every_program_reads(desk, peer):
    desk.controls.publish(
        {
            "engine/latency_ms": 23.0,
            "engine/latency_frames": 1014,
            "engine/load": 0.25,
            "engine/xruns": 3,
            "engine/late_hops": 2**40,
            "engine/state": "running",
            "engine/model": "bands",
            "engine/device": "none",
            "preset": "karaoke",
        }
    )
    desk.metered = {**desk.metered, "mix": (1.0, 0.5), "vocals": (0.0, 0.1), "input": (2.0, 0.0)}
    answers = {
        address: peer.ask(address)[1:]
        for address in (
            *(f"/engine/{name}" for name in ("latency", "load", "xruns", "late_hops", "state", "model", "device")),
            *("/preset/current", "/preset/list", "/stem/vocals/name", "/stem/vocals/meter"),
            *("/master/meter", "/input/meter"),
        )
    }
    assert answers == {
        "/engine/latency": (23.0, 1014),
        "/engine/load": (0.25,),
        "/engine/xruns": (3,),
        "/engine/late_hops": (2**31 - 1,),
        "/engine/state": ("running",),
        "/engine/model": ("bands",),
        "/engine/device": ("none",),
        "/preset/current": ("karaoke",),
        "/preset/list": ("acapella", "karaoke"),
        "/stem/vocals/name": ("vocals",),
        "/stem/vocals/meter": (-90.0, -20.0),
        "/master/meter": (0.0, pytest.approx(-6.02)),
        "/input/meter": (pytest.approx(6.02), -90.0),
    }


def test_nothing_but_floats_integers_and_texts_is_ever_told(server, join):
    peer = join(server)
    peer.send("/subscribe")
    types = set()
    until(lambda: types.update(type(value) for message in peer.listen() for value in message[1:]) or len(types) == 3)
    assert types == {float, int, str}


def test_every_stem_has_a_colour_of_its_own(peer):
    colours = {peer.ask(f"/stem/{stem}/color")[1] for stem in STEMS}
    assert len(colours) == len(STEMS)
    assert all(len(colour) == 7 and int(colour[1:], 16) >= 0 for colour in colours)


def test_a_toggle_turns_over_when_pressed_and_not_when_let_go(desk, peer):
    peer.send("/stem/vocals/mute/toggle")
    peer.send("/stem/drums/mute/toggle", 1)
    peer.send("/stem/drums/mute/toggle", 0)
    peer.send("/karaoke/toggle")
    peer.sync()
    values = desk.controls.snapshot()
    assert (values["stem/vocals/mute"], values["stem/drums/mute"], values["karaoke"]) == (True, True, 1.0)
    peer.send("/stem/vocals/mute/toggle")
    peer.send("/stem/vocals/mute/toggle")
    peer.send("/stem/drums/mute/toggle")
    peer.sync()
    assert (desk.controls["stem/vocals/mute"], desk.controls["stem/drums/mute"]) == (True, False)


def test_who_toggles_is_told_what_came_of_it(server, join):
    peer = join(server, 0, 2)
    peer.send("/stem/vocals/mute/toggle")
    assert peer.hear() == [("/stem/vocals/mute", 1)]


@pytest.mark.parametrize(
    ("pattern", "stems"),
    [
        ("/stem/*/mute", STEMS),
        ("/stem/{vocals,drums}/mute", ("vocals", "drums")),
        ("/stem/[!v]*/mute", tuple(stem for stem in STEMS if stem != "vocals")),
        ("/stem/?????/mute", tuple(stem for stem in STEMS if len(stem) == 5)),
        ("/stem/?/mute", STEMS),
        ("/stem/[1-2]/mute", STEMS[:2]),
        ("/stem/[12]/m?te", STEMS[:2]),
        ("/s*/vocals/mu*", ("vocals",)),
    ],
)
def test_a_pattern_moves_all_it_fits(desk, server, peer, pattern, stems):
    peer.send(pattern, 1)
    peer.sync()
    assert {stem for stem in STEMS if desk.controls[f"stem/{stem}/mute"]} == set(stems)
    assert not desk.controls["master/mute"]
    assert server.errors == 0


@pytest.mark.parametrize("pattern", ["/stem/*", "/*/mute/x", "/stem*mute", "//mute", "/stem/[!v/mute", "/stem/{a"])
def test_a_pattern_that_fits_nothing_is_an_error(desk, server, peer, pattern):
    before = desk.controls.snapshot()
    assert peer.ask(pattern, 1)[0] == "/error"
    assert server.errors == 1
    assert desk.controls.snapshot() == before


def test_a_pattern_that_asks_is_answered_by_name(peer):
    peer.send("/stem/*/pan")
    assert sorted(peer.hear(4)) == sorted((f"/stem/{stem}/pan", 0.0) for stem in STEMS)


def test_a_number_that_asks_is_answered_by_number(peer):
    assert peer.ask("/stem/2/pan") == ("/stem/2/pan", 0.0)


# presets


@pytest.mark.parametrize(
    ("arguments", "recalled"),
    [
        (["karaoke"], ("karaoke", None)),
        ([2], ("karaoke", None)),
        ([1.0, 500], ("acapella", 500.0)),
        (["2", 0.5], ("karaoke", 0.5)),
    ],
)
def test_a_preset_is_recalled_by_name_or_number(desk, peer, arguments, recalled):
    peer.send("/preset/recall", *arguments)
    peer.sync()
    assert desk.recalled == [recalled]
    assert peer.ask("/preset/current")[1] == recalled[0]


@pytest.mark.parametrize("arguments", [[], ["nobody"], [0], [3], [1.5], [-1], ["karaoke", "soon"], ["karaoke", 1, 2]])
def test_a_preset_that_is_not_there_is_an_error(desk, server, peer, arguments):
    assert peer.ask("/preset/recall", *arguments)[0] == "/error"
    assert (desk.recalled, server.errors) == ([], 1)


def test_a_preset_is_stored_and_the_list_told_when_it_grew(desk, server, join):
    peer = join(server, 0, 32)
    desk.presets = lambda: ("acapella", "karaoke", *desk.stored)
    peer.send("/preset/store", "mine")
    assert peer.hear() == [("/preset/list", "acapella", "karaoke", "mine")]
    assert desk.stored == ["mine"]


def test_a_recall_comes_after_what_was_sent_before_it(desk, peer):
    order = []
    desk.apply = lambda values, **_: order.append(dict(values))
    desk.recall = lambda name, **_: order.append(name)
    peer.send_raw(bundle(IMMEDIATELY, ("/karaoke", 1), ("/preset/recall", "acapella"), ("/karaoke", 0)))
    peer.sync()
    assert order == [{"karaoke": 1.0}, "acapella", {"karaoke": 0.0}]


# who is told what


def test_a_subscriber_is_told_everything_then_what_changes(desk, server, join):
    peer = join(server)
    peer.send("/subscribe")
    everything = {message[0] for message in peer.hear(54)}
    listed = {message[1] for message in listing(peer)}
    assert everything == listed
    desk.apply({GAIN_DB: -10.0})
    assert sorted(peer.hear(2)) == [(FADER, 0.5), ("/stem/vocals/gain", -10.0)]


def listing(peer):
    peer.send("/list")
    heard = []
    until(lambda: heard.extend(peer.listen()) or any(message[0] == "/list/end" for message in heard))
    entries = [message for message in heard if message[0] == "/list"]
    assert ("/list/end", len(entries)) in heard
    return entries


def test_the_list_names_types_and_what_can_be_set(peer):
    entries = {address: rest for _, address, *rest in listing(peer)}
    assert entries[FADER] == ["f", "rw"]
    assert entries["/engine/latency"] == ["fi", "r"]
    assert entries["/stem/vocals/mute"] == ["i", "rw"]


@pytest.mark.parametrize(
    ("mask", "addresses"),
    [
        (1, {FADER, "/stem/vocals/gain", "/karaoke"}),
        (2, {"/stem/vocals/mute", "/karaoke", "/bypass"}),
        (4, {"/stem/vocals/meter"}),
        (8, {"/engine/load"}),
        (16, {"/stem/vocals/name", "/stem/vocals/color"}),
        (32, {"/preset/current", "/preset/list"}),
        (64 + 1, {"/stem/1/fader", "/karaoke"}),
        (0, set()),
    ],
)
def test_a_mask_chooses_what_is_told(server, join, mask, addresses):
    watched = {FADER, "/stem/vocals/gain", "/karaoke", "/stem/vocals/mute", "/bypass", "/stem/vocals/meter"}
    watched |= {"/engine/load", "/stem/vocals/name", "/stem/vocals/color", "/preset/current", "/preset/list"}
    if mask & 64:
        watched = {FADER, "/stem/1/fader", "/karaoke", "/bypass"}
    peer = join(server)
    peer.send("/subscribe", 0, mask)
    assert {message[0] for message in peer.quiet()} & watched == addresses


def test_a_client_that_listens_elsewhere_is_told_and_answered_there(desk, server, join):
    sender, listener = join(server), join(server)
    sender.send("/subscribe", listener.own_port, 1)
    listener.hear()
    listener.quiet()
    desk.apply({"stem/vocals/pan": 0.5})
    assert listener.hear() == [("/stem/vocals/pan", 0.5)]
    sender.send("/stem/vocals/pan")
    assert listener.hear() == [("/stem/vocals/pan", 0.5)]
    sender.send("/stem/vocals/pan", -0.5)
    assert (listener.quiet(), sender.listen()) == ([], [])
    assert desk.controls["stem/vocals/pan"] == -0.5


def test_a_decibel_reading_follows_the_fader_that_its_own_client_moves(server, join):
    peer = join(server, 0, 1)
    peer.send(FADER, 0.5)
    assert peer.hear() == [("/stem/vocals/gain", -10.0)]
    assert peer.quiet() == []


def test_a_target_is_told_everything_without_asking(desk, serve, join):
    class Nowhere:
        port = 9

    target = join(Nowhere())
    serve(targets=[f"127.0.0.1:{target.own_port}"], clock=lambda: 0.0)
    assert {FADER, "/stem/vocals/meter", "/engine/latency"} <= {message[0] for message in target.hear(54)}
    desk.apply({"stem/vocals/pan": 0.5})
    assert target.hear() == [("/stem/vocals/pan", 0.5)]


def test_a_subscription_ends_unless_it_is_renewed(desk, serve, join):
    now = [0.0]
    server = serve(clock=lambda: now[0])
    renewing, forgetting = join(server, 0, 1), join(server, 0, 1)
    now[0] = 9.0
    renewing.send("/subscribe", 0, 1)
    renewing.sync()
    now[0] = 11.0
    desk.apply({"stem/vocals/pan": 0.5})
    assert renewing.hear() == [("/stem/vocals/pan", 0.5)]  # and no second full dump
    assert forgetting.quiet() == []
    forgetting.send("/subscribe", 0, 1)
    assert ("/stem/vocals/pan", 0.5) in forgetting.hear(5)


def test_unsubscribing_ends_it_at_once(desk, server, join):
    peer = join(server, 0, 1)
    peer.send("/unsubscribe")
    peer.sync()
    desk.apply({"stem/vocals/pan": 0.5})
    assert peer.quiet() == []


def test_refreshing_tells_all_again_to_clients_and_once_to_others(server, join):
    client, stranger = join(server, 0, 16), join(server)
    client.send("/refresh")
    assert {message[0] for message in client.hear(8)} == {
        f"/stem/{stem}/{what}" for stem in STEMS for what in ("name", "color")
    }
    stranger.send("/refresh")
    assert len(stranger.hear(54)) == 54
    assert stranger.quiet() == []


def test_a_held_fader_is_told_nothing_until_it_is_let_go(desk, server, join):
    holding, watching = join(server, 0, 1), join(server, 0, 1)
    holding.send("/stem/1/touch", 1)
    holding.sync()
    desk.apply({GAIN_DB: -10.0, "stem/vocals/pan": 0.5})
    assert holding.hear() == [("/stem/vocals/pan", 0.5)]
    assert len(watching.hear(3)) == 3
    assert holding.quiet() == []
    holding.send("/stem/vocals/touch", 0)
    assert sorted(holding.hear(2)) == [(FADER, 0.5), ("/stem/vocals/gain", -10.0)]


def test_a_hand_that_never_lets_go_is_forgotten(desk, serve, join):
    now = [0.0]
    server = serve(clock=lambda: now[0])
    peer = join(server, 0, 1)
    peer.send("/master/touch", 1)
    peer.sync()
    now[0] = 5.0
    peer.send("/subscribe", 0, 1)
    peer.sync()
    desk.apply({"master/gain_db": -10.0})
    assert peer.quiet() == []
    now[0] = 10.5
    told = peer.sync()
    until(lambda: told.extend(peer.listen()) or len(told) == 2)


def test_many_changes_are_gathered_into_few_packets(desk, server, join):
    peer = join(server, 0, 1)
    peer.sizes.clear()
    started = time.monotonic()
    for step in range(500):
        desk.apply({f"stem/{stem}/pan": step / 500 for stem in STEMS})
    heard = []
    until(lambda: heard.extend(peer.listen()) or ("/stem/vocals/pan", pytest.approx(0.998)) in heard)
    assert len(peer.sizes) <= 3 + 30 * (time.monotonic() - started)


def test_no_packet_is_larger_than_a_network_passes(server, join):
    peer = join(server)
    peer.send("/subscribe")
    peer.hear(54)
    assert len(peer.sizes) > 1
    assert max(peer.sizes) <= 1400


def test_meters_come_at_the_rate_that_was_asked_for(desk, serve, join):
    server = serve(meter_rate=50.0)
    peer = join(server, 0, 4)
    for step in range(1, 20):
        desk.metered = {**desk.metered, "mix": (step / 20, 0.0)}
        assert peer.hear()[0][0] == "/master/meter"
    assert peer.ask("/meters/rate") == ("/meters/rate", 50.0)
    peer.send("/meters/rate", 0)
    peer.sync()
    desk.metered = {**desk.metered, "mix": (1.0, 1.0)}
    assert peer.quiet() == []


def test_meters_are_read_only_while_someone_watches(desk, server, join):
    reads = []
    metered = desk.metered
    desk.peaks = lambda: reads.append(1) or metered
    peer = join(server, 0, 1 + 2)
    assert (peer.quiet(), reads) == ([], [])
    peer.send("/subscribe", 0, 4)
    until(lambda: reads)


def test_it_sleeps_while_nothing_happens(server, join):
    join(server, 0, 63 - 4)
    turns = []
    real = server._osc.feedback.work
    server._osc.feedback.work = lambda: turns.append(1) or real()
    time.sleep(0.5)
    assert turns == []


def test_addresses_may_have_a_prefix(desk, serve, join):
    server = serve(prefix="/stem_sep/")
    peer = join(server)
    peer.send("/stem_sep/stem/vocals/pan", 0.5)
    peer.send("/stem/vocals/pan", -1.0)
    assert peer.ask("/stem_sep/ping") == ("/stem_sep/pong",)
    assert desk.controls["stem/vocals/pan"] == 0.5
    assert peer.ask("/stem_sep/stem/*/nothing")[0] == "/stem_sep/error"
    assert server.errors == 1


# what makes no sense


@pytest.mark.parametrize(
    ("address", "types", "values", "sentence"),
    [
        ("/stem/vocal/fader", "f", [0.5], "there is no address /stem/vocal/fader; did you mean /stem/vocals/fader?"),
        ("/stem/5/fader", "f", [0.5], "there is no address"),
        ("/stem/0/fader", "f", [0.5], "there is no address"),
        (FADER, "s", ["loud"], "takes a number, not 'loud'"),
        (FADER, "f", [math.nan], "takes a number"),
        (FADER, "s", ["nan"], "takes a number"),
        (FADER, "b", [b"1234"], "takes a number"),
        (FADER, "N", [None], "takes a number"),
        (FADER, "ff", [0.5, 0.5], "takes one value, not 2"),
        ("/stem/vocals/mute", "f", [math.nan], "takes a number"),
        ("/stem/vocals/meter", "f", [0.5], "only tells"),
        ("/engine/latency", "f", [0.5], "only tells"),
        ("/engine/state", "s", ["running"], "only tells"),
        ("/preset/current", "s", ["karaoke"], "only tells"),
        ("/preset/store", "i", [3], "takes the name"),
        ("/subscribe", "i", [70000], "port"),
        ("/subscribe", "ii", [0, 1000], "mask"),
        ("/subscribe", "s", ["here"], "port"),
        ("/meters/rate", "s", ["fast"], "takes a number"),
    ],
)
def test_nonsense_is_answered_with_a_sentence_and_counted_once(
    desk, server, peer, *, address, types, values, sentence
):
    before = desk.controls.snapshot()
    peer.send_typed(address, types, *values)
    (told,) = peer.hear()
    assert told[0] == "/error"
    assert sentence in told[1]
    assert peer.sync() == []
    assert server.errors == 1
    assert desk.controls.snapshot() == before


def test_one_bad_message_of_a_bundle_leaves_the_others(desk, server, peer):
    peer.send_raw(bundle(IMMEDIATELY, ("/stem/vocals/pan", 0.5), ("/nothing", 1), ("/stem/drums/pan", -0.5)))
    assert peer.hear()[0][0] == "/error"
    peer.sync()
    assert (desk.controls["stem/vocals/pan"], desk.controls["stem/drums/pan"], server.errors) == (0.5, -0.5, 1)


def test_the_same_nonsense_is_answered_now_and_then_and_always_counted(server, peer):
    for _ in range(200):
        peer.send("/nothing", 1)
    assert len(peer.sync()) < 5
    assert server.errors == 200


def test_errors_of_others_are_never_answered(server, peer):
    peer.send("/error", "there is no address /error")
    peer.send("/pong")
    assert peer.sync() == []
    assert server.errors == 0


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
def test_rubbish_is_counted_and_changes_nothing(desk, server, peer, packet):
    before = desk.controls.snapshot()
    peer.send_raw(packet)
    assert [message[0] for message in peer.sync()] in ([], [FADER])
    assert desk.controls.snapshot() == before
    assert server.errors == (0 if packet == RUBBISH["no types"] else 1)


def test_a_bundle_nested_without_end_is_rubbish(server, peer):
    packet = build_msg(FADER, 0.5).dgram
    for _ in range(2000):
        packet = b"#bundle\0" + bytes(7) + b"\1" + struct.pack(">i", len(packet)) + packet
    peer.send_raw(packet)
    peer.sync()
    assert server.errors == 1


def test_a_huge_blob_does_no_harm(desk, server, peer):
    peer.send(FADER, bytes(60_000))
    assert len(peer.hear()[0][1]) < 500
    peer.send("/" + "x" * 60_000, 1)
    assert len(peer.hear()[0][1]) < 500
    peer.send("/stem/" + "*" * 5000, 1)
    assert peer.hear()[0][0] == "/error"
    assert (server.errors, desk.applied) == (3, [])


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
    assert server._line._thread.is_alive()
    assert peer.ask("/engine/state") == ("/engine/state", "stopped")


def test_it_goes_on_after_an_error_of_its_own(desk, server, peer, caplog):
    desk.peaks = dict
    peer.send("/master/meter")
    until(lambda: "goes on" in caplog.text)
    assert server.errors == 1
    assert peer.ask("/engine/state") == ("/engine/state", "stopped")


# floods


def test_of_a_burst_the_newest_value_of_every_fader_wins(desk, peer):
    for step in range(5000):
        peer.send(f"/stem/{STEMS[step % 4]}/fader", step / 5000)
    peer.send("/ping")
    wanted = {stem: (4996 + index) / 5000 for index, stem in enumerate(STEMS)}
    until(lambda: ("/pong",) in peer.listen())
    answers = {stem: peer.ask(f"/stem/{stem}/fader")[1] for stem in STEMS}
    assert answers == pytest.approx(wanted)
    assert len(desk.applied) < 2500


BURST = """
import socket, sys
from pythonosc.osc_message_builder import build_msg
packets = [build_msg(f"/stem/{1 + step % 4}/fader", step / 5000).dgram for step in range(5000)]
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.connect(("127.0.0.1", int(sys.argv[1])))
for packet in packets:
    sender.send(packet)
"""


def test_of_a_burst_from_another_process_too(desk, server, peer):
    subprocess.run([sys.executable, "-c", BURST, str(server.port)], check=True, timeout=30)
    wanted = {stem: (4996 + index) / 5000 for index, stem in enumerate(STEMS)}
    peer.sync()
    assert {stem: peer.ask(f"/stem/{stem}/fader")[1] for stem in STEMS} == pytest.approx(wanted)
    assert desk.applied


# time tags


def bundle(moment, *messages):
    builder = OscBundleBuilder(moment)
    for address, *values in messages:
        builder.add_content(build_msg(address, values))
    return builder.build().dgram


def test_a_bundle_is_one_change(desk, peer):
    peer.send_raw(bundle(IMMEDIATELY, ("/stem/vocals/pan", 0.5), ("/stem/drums/mute", 1), ("/karaoke", 1)))
    peer.sync()
    assert desk.applied == [({"stem/vocals/pan": 0.5, "stem/drums/mute": True, "karaoke": 1.0}, None, None)]


def test_a_bundle_ahead_is_applied_for_its_moment_without_waiting_for_it(desk, server, peer):
    earliest = time.monotonic() + 1.9
    peer.send_raw(bundle(time.time() + 1.9, ("/stem/vocals/pan", 0.5), ("/stem/drums/pan", 0.25)))
    peer.sync()
    now = time.monotonic()
    ((values, fade, at),) = desk.applied
    assert values == {"stem/vocals/pan": 0.5, "stem/drums/pan": 0.25}
    assert fade is None
    assert max(now, earliest - 0.01) < at < now + 1.91
    assert server.errors == 0


def test_bundles_of_different_moments_are_different_changes(desk, peer):
    now = time.time()
    for ahead in (0.5, 1.0):
        peer.send_raw(bundle(now + ahead, ("/stem/vocals/pan", ahead)))
    peer.sync()
    (_, _, first), (_, _, second) = desk.applied
    assert second - first == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("moment", [IMMEDIATELY, 1e9, 0.5])
def test_a_bundle_of_the_past_is_applied_now(desk, server, peer, moment):
    peer.send_raw(bundle(moment, ("/stem/vocals/pan", 0.5)))
    assert peer.sync() == []
    assert (desk.applied, server.errors) == ([({"stem/vocals/pan": 0.5}, None, None)], 0)


def test_a_bundle_too_far_ahead_is_applied_now_and_said_to_be(desk, server, peer):
    peer.send_raw(bundle(time.time() + 60, ("/stem/vocals/pan", 0.5), ("/stem/drums/pan", 0.5)))
    (told,) = peer.sync()
    assert told[0] == "/error"
    assert "2 s ahead" in told[1]
    assert desk.applied == [({"stem/vocals/pan": 0.5, "stem/drums/pan": 0.5}, None, None)]
    assert server.errors == 1
    peer.send_raw(bundle(time.time() + 60, ("/stem/vocals/pan", 0.1)))
    assert peer.sync() == []
    assert server.errors == 2


# ports


def test_a_taken_port_is_named_with_the_option_for_another(server, serve):
    with pytest.raises(BridgeError, match=f"{server.port}.*--osc-port"):
        serve(port=server.port)


def test_a_host_that_is_not_here_is_refused(serve):
    with pytest.raises(BridgeError, match="--osc-"):
        serve(host="192.0.2.1")


@pytest.mark.parametrize("target", ["nowhere", "127.0.0.1:", ":9", "127.0.0.1:99999", ("127.0.0.1", 0)])
def test_a_target_that_makes_no_sense_is_refused(desk, target):
    with pytest.raises(BridgeError, match="host:port"):
        OscServer(desk, targets=[target])


def test_a_target_that_nobody_knows_is_refused_and_leaves_the_port_free(serve):
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(BridgeError, match=r"nobody\.invalid:9138"):
        serve(port=port, targets=["nobody.invalid:9138"])
    serve(port=port)


def test_the_network_hears_of_it_only_when_asked_to(desk):
    server = OscServer(desk)
    assert (server._host, server.port) == ("127.0.0.1", 9137)


ROOM = Parameter("stem/vocals/chain/1/room_size", 0.5)
ROOM_OSC = "/stem/vocals/chain/1/room_size"


def test_addresses_that_come_and_go_are_told_and_work_meanwhile(desk, server, peer):
    peer.send("/subscribe", 0, 63)
    peer.sync()
    peer.sync()  # all that there was before
    desk.controls.replace((), (ROOM,))
    heard = peer.hear(2)
    assert heard == [("/list/added", ROOM_OSC, "f", "rw"), (ROOM_OSC, 0.5)]
    assert peer.ask(ROOM_OSC) == (ROOM_OSC, 0.5)
    peer.send(ROOM_OSC, 0.25)
    until(lambda: desk.controls[ROOM.path] == 0.25)
    peer.send("/list")
    assert (("/list", ROOM_OSC, "f", "rw")) in peer.sync()
    desk.controls.replace((ROOM.path,), ())
    assert peer.hear() == [("/list/removed", ROOM_OSC)]
    assert peer.ask(ROOM_OSC)[0] == "/error"
    assert server.errors == 1


def test_who_did_not_ask_for_faders_is_not_told_of_new_ones(desk, server, peer):  # noqa: ARG001 - the peer's other end
    peer.send("/subscribe", 0, 16)
    peer.sync()
    peer.quiet()
    desk.controls.replace((), (ROOM,))
    assert peer.quiet() == []
