"""What a session makes of messages: errors, prefixes, time tags, addresses that come and go."""

import contextlib
import math
import socket
import struct
import threading
import time

import pytest
from osc_peer import FADER, GAIN_DB, bundle
from pythonosc.osc_bundle_builder import IMMEDIATELY
from pythonosc.osc_message_builder import build_msg
from waiting import PATIENCE, QUIET, until

from bridge.osc.server import OscServer
from stream_sep.control.parameters import Parameter
from stream_sep.control.transport import transport_parameters

ROOM = Parameter("stem/vocals/chain/1/room_size", 0.5)
ROOM_OSC = "/stem/vocals/chain/1/room_size"


def test_addresses_may_have_a_prefix(mixer, serve, join):
    server = serve(prefix="/stem_sep/")
    peer = join(server)
    peer.send("/stem_sep/stem/vocals/pan", 0.5)
    peer.send("/stem/vocals/pan", -1.0)
    assert peer.request("/stem_sep/ping") == ("/stem_sep/pong",)
    assert mixer.controls["stem/vocals/pan"] == 0.5
    assert peer.request("/stem_sep/stem/*/nothing")[0] == "/stem_sep/error"
    assert server.errors == 1


@pytest.mark.parametrize(
    ("address", "types", "values", "text"),
    [
        ("/stem/vocal/fader", "f", [0.5], "no address /stem/vocal/fader; did you mean '/stem/vocals/fader'?"),
        ("/stem/5/fader", "f", [0.5], "there is no address"),
        ("/stem/0/fader", "f", [0.5], "there is no address"),
        (FADER, "s", ["loud"], "takes a number, not 'loud'"),
        (FADER, "f", [math.nan], "takes a number"),
        (FADER, "s", ["nan"], "takes a number"),
        (FADER, "b", [b"1234"], "takes a number"),
        (FADER, "N", [None], "takes a number"),
        (FADER, "ff", [0.5, 0.5], "takes one value, not 2"),
        ("/stem/vocals/mute", "f", [math.nan], "takes a number"),
        ("/stem/vocals/meter", "f", [0.5], "read-only"),
        ("/engine/latency", "f", [0.5], "read-only"),
        ("/engine/state", "s", ["running"], "read-only"),
        ("/preset/current", "s", ["karaoke"], "read-only"),
        ("/preset/store", "i", [3], "takes the name"),
        ("/subscribe", "i", [70000], "port"),
        ("/subscribe", "ii", [0, 1000], "mask"),
        ("/subscribe", "s", ["here"], "port"),
        ("/meters/rate", "s", ["fast"], "takes a number"),
    ],
)
def test_nonsense_gets_an_error_message_and_is_counted_once(mixer, server, peer, *, address, types, values, text):
    before = mixer.controls.snapshot()
    peer.send_typed(address, types, *values)
    (received,) = peer.receive()
    assert received[0] == "/error"
    assert text in received[1]
    assert peer.sync() == []
    assert server.errors == 1
    assert mixer.controls.snapshot() == before


def test_one_bad_message_of_a_bundle_leaves_the_others(mixer, server, peer):
    peer.send_raw(bundle(IMMEDIATELY, ("/stem/vocals/pan", 0.5), ("/nothing", 1), ("/stem/drums/pan", -0.5)))
    assert peer.receive()[0][0] == "/error"
    peer.sync()
    assert (mixer.controls["stem/vocals/pan"], mixer.controls["stem/drums/pan"], server.errors) == (0.5, -0.5, 1)


def test_repeated_nonsense_gets_a_reply_now_and_then_and_is_always_counted(server, peer):
    for _ in range(200):
        peer.send("/nothing", 1)
    assert len(peer.sync()) < 5
    assert server.errors == 200


def test_errors_of_others_get_no_reply(server, peer):
    peer.send("/error", "there is no address /error")
    peer.send("/pong")
    assert peer.sync() == []
    assert server.errors == 0


def test_it_goes_on_after_an_error_of_its_own(mixer, server, peer, caplog):
    mixer.peaks = dict
    for _ in range(20):
        peer.send("/master/meter")
    assert "KeyError" in peer.receive()[0][1]
    peer.sync()
    assert server.errors == 20
    assert caplog.text.count("goes on") == 1
    assert peer.request("/engine/state") == ("/engine/state", "stopped")


def test_a_bundle_is_one_change(mixer, peer):
    peer.send_raw(bundle(IMMEDIATELY, ("/stem/vocals/pan", 0.5), ("/stem/drums/mute", 1), ("/karaoke", 1)))
    peer.sync()
    assert mixer.applied == [({"stem/vocals/pan": 0.5, "stem/drums/mute": True, "karaoke": 1.0}, None, None)]


def test_a_bundle_ahead_is_applied_for_its_moment_without_waiting_for_it(mixer, server, peer):
    earliest = time.monotonic() + 1.9
    peer.send_raw(bundle(time.time() + 1.9, ("/stem/vocals/pan", 0.5), ("/stem/drums/pan", 0.25)))
    peer.sync()
    now = time.monotonic()
    ((values, fade, at),) = mixer.applied
    assert values == {"stem/vocals/pan": 0.5, "stem/drums/pan": 0.25}
    assert fade is None
    assert max(now, earliest - 0.01) < at < now + 1.91
    assert server.errors == 0


def test_bundles_of_different_moments_are_different_changes(mixer, peer):
    now = time.time()
    for ahead in (0.5, 1.0):
        peer.send_raw(bundle(now + ahead, ("/stem/vocals/pan", ahead)))
    peer.sync()
    (_, _, first), (_, _, second) = mixer.applied
    assert second - first == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("moment", [IMMEDIATELY, 1e9, 0.5])
def test_a_bundle_of_the_past_is_applied_now(mixer, server, peer, moment):
    peer.send_raw(bundle(moment, ("/stem/vocals/pan", 0.5)))
    assert peer.sync() == []
    assert (mixer.applied, server.errors) == ([({"stem/vocals/pan": 0.5}, None, None)], 0)


def test_bundle_too_far_ahead_is_applied_now_and_reported(mixer, server, peer):
    peer.send_raw(bundle(time.time() + 60, ("/stem/vocals/pan", 0.5), ("/stem/drums/pan", 0.5)))
    (received,) = peer.sync()
    assert received[0] == "/error"
    assert "2 s ahead" in received[1]
    assert mixer.applied == [({"stem/vocals/pan": 0.5, "stem/drums/pan": 0.5}, None, None)]
    assert server.errors == 1
    peer.send_raw(bundle(time.time() + 60, ("/stem/vocals/pan", 0.1)))
    assert peer.sync() == []
    assert server.errors == 2


def test_added_and_removed_addresses_are_sent_and_work_meanwhile(mixer, server, peer):
    peer.send("/subscribe", 0, 63)
    peer.sync()
    peer.sync()  # all that there was before
    mixer.controls.replace_parameters((), (ROOM,))
    received = peer.receive(2)
    assert received == [("/list/added", ROOM_OSC, "f", "rw"), (ROOM_OSC, 0.5)]
    assert peer.request(ROOM_OSC) == (ROOM_OSC, 0.5)
    peer.send(ROOM_OSC, 0.25)
    until(lambda: mixer.controls[ROOM.path] == 0.25)
    peer.send("/list")
    assert (("/list", ROOM_OSC, "f", "rw")) in peer.sync()
    mixer.controls.replace_parameters((ROOM.path,), ())
    assert peer.receive() == [("/list/removed", ROOM_OSC)]
    assert peer.request(ROOM_OSC)[0] == "/error"
    assert server.errors == 1


# what costs only itself


def deep(packet, levels):
    for _ in range(levels):
        packet = b"#bundle\0" + bytes(7) + b"\1" + struct.pack(">i", len(packet)) + packet
    return packet


BROKEN = {
    "nested arrays": (b"/stem/vocals/pan\0\0\0\0," + b"[" * 3000 + b"]" * 3000 + bytes(3), "nested"),
    "nested bundles": (deep(build_msg(FADER, 0.5).dgram, 9), "nested"),
    "no slash": (b"stem/vocals/fader\0\0\0,f\0\0" + bytes(4), "begins with /"),
    "no type tags": (b"/stem/vocals/fader\0\0" + bytes(4), "type tags"),
    "an unknown type": (build_msg(FADER, 0.5).dgram.replace(b",f", b",Z"), "unknown types: Z"),
    "cut short": (build_msg(FADER, 0.5).dgram[:-4], "cut short"),
}


@pytest.mark.parametrize(("packet", "text"), BROKEN.values(), ids=BROKEN)
def test_packet_that_is_not_osc_gets_an_error_and_affects_no_other(mixer, server, peer, packet, text):
    peer.send("/stem/vocals/mute", 1)
    peer.send_raw(packet)
    peer.send("/stem/drums/mute", 1)
    (received,) = peer.sync()
    assert received[0] == "/error"
    assert text in received[1]
    assert mixer.controls["stem/vocals/mute"] is mixer.controls["stem/drums/mute"] is True
    assert server.errors == 1


@pytest.mark.parametrize(("packet", "text"), BROKEN.values(), ids=BROKEN)
def test_a_broken_element_of_a_bundle_costs_only_itself(mixer, server, peer, packet, text):
    elements = [build_msg("/stem/vocals/mute", 1).dgram, packet, build_msg("/stem/drums/mute", 1).dgram]
    packed = b"".join(struct.pack(">i", len(element)) + element for element in elements)
    peer.send_raw(b"#bundle\0" + bytes(7) + b"\1" + packed)
    (received,) = peer.sync()
    assert text in received[1]
    assert mixer.controls["stem/vocals/mute"] is mixer.controls["stem/drums/mute"] is True
    assert server.errors == 1


@pytest.mark.parametrize(
    ("types", "data", "moved"),
    [
        (b",S\0\0", b"0.5\0", -10.0),
        (b",c\0\0", b"\0\0\0" + b"1", 10.0),
        (b",I\0\0", b"", 10.0),
        (b",T\0\0", b"", 10.0),
    ],
    ids=["symbol", "character", "impulse", "true"],
)
def test_every_type_of_the_specification_is_read(mixer, server, peer, *, types, data, moved):
    peer.send_raw(b"/stem/vocals/fader\0\0" + types + data)
    assert peer.sync() == []
    assert mixer.controls[GAIN_DB] == moved
    assert server.errors == 0


@pytest.mark.parametrize("tag", [b"r", b"m"])
def test_a_colour_is_not_a_number(mixer, server, peer, tag):
    peer.send_raw(b"/stem/vocals/fader\0\0," + tag + b"\0\0" + b"\xff\xff\xff\xff")
    (received,) = peer.sync()
    assert "takes a number" in received[1]
    assert mixer.controls[GAIN_DB] == 0
    assert server.errors == 1


@pytest.mark.parametrize("rate", [1e-7, 1e-30, 1e30, -1.0, math.inf])
def test_no_rate_of_meters_ends_osc(server, join, rate):
    peer = join(server, 0, 4)
    peer.send("/meters/rate", rate)
    peer.quiet()
    peer.send("/meters/rate")
    assert ("/meters/rate", pytest.approx(min(max(rate, 0.1), 100) if rate > 0 else 0)) in peer.sync()


@pytest.mark.parametrize("control", ["transport/seek", "transport/loop/start", "transport/track", "stem/vocals/pan"])
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_infinity_is_stored_nowhere(mixer, server, peer, control, value):
    mixer.controls.replace_parameters((), transport_parameters())
    peer.sync()
    before = mixer.controls[control]
    peer.send(f"/{control}", value)
    assert "number" in peer.receive()[0][1]
    assert mixer.controls[control] == before
    assert server.errors == 1


# another stream_sep


def test_two_engines_that_mirror_each_other_make_no_errors_and_agree(mixer, serve):
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    first = serve(targets=[f"127.0.0.1:{port}"], meter_rate=100.0)
    other = type(mixer)()
    second = OscServer(other, port=port, targets=[f"127.0.0.1:{first.port}"], meter_rate=100.0)
    second.start()
    try:
        for step in range(20):
            mixer.metered = {**mixer.metered, "mix": (step / 20, 0.0)}
            mixer.controls.publish({"engine/load": step / 20})
            time.sleep(0.01)
        mixer.apply({GAIN_DB: -10.0})
        until(lambda: other.controls[GAIN_DB] == -10.0)
        time.sleep(QUIET)
        assert (first.errors, second.errors) == (0, 0)
    finally:
        second.stop()


def test_mirror_in_one_direction_counts_few_errors(mixer, serve):
    other = type(mixer)()
    second = OscServer(other, port=0)
    second.start()
    try:
        serve(targets=[f"127.0.0.1:{second.port}"], meter_rate=100.0)
        for step in range(30):
            mixer.metered = {**mixer.metered, "mix": (step / 30, 0.0)}
            mixer.controls.publish({"engine/load": step / 30})
            time.sleep(0.01)
        assert second.errors == 0
    finally:
        second.stop()


# what takes time, or comes too often


def test_a_preset_that_takes_long_holds_up_no_fader_and_yields_to_later_moves(mixer, server, peer):
    loading, loaded = threading.Event(), threading.Event()

    def recall(name, *, fade_ms=None):  # noqa: ARG001 - as the mixer's
        loading.set()
        assert loaded.wait(PATIENCE)
        mixer.controls.update({GAIN_DB: -90.0, "stem/drums/mute": True})

    mixer.recall = recall
    peer.send("/preset/recall", "karaoke")
    until(loading.is_set)
    peer.send(FADER, 0.5)
    peer.sync()
    assert mixer.controls[GAIN_DB] == -10.0
    loaded.set()
    until(lambda: mixer.controls["stem/drums/mute"])
    until(lambda: mixer.controls[GAIN_DB] == -10.0)
    assert server.errors == 0


def test_an_effect_that_takes_long_holds_up_no_fader(mixer, server, peer):
    setting, done = threading.Event(), threading.Event()
    mixer.controls.replace_parameters((), (ROOM,))
    plain = mixer.apply

    def apply(values, **when):
        if ROOM.path in values:
            setting.set()
            assert done.wait(PATIENCE)
        plain(values, **when)

    mixer.apply = apply
    peer.sync()
    for step in range(1, 50):
        peer.send(ROOM_OSC, step / 100)
    until(setting.is_set)
    peer.send(FADER, 0.5)
    peer.sync()
    assert mixer.controls[GAIN_DB] == -10.0
    done.set()
    until(lambda: mixer.controls[ROOM.path] == pytest.approx(0.49))
    assert len(mixer.applied) < 20
    assert server.errors == 0


def test_presets_that_are_stored_too_fast_are_refused_and_faders_go_on(mixer, server, peer):
    for number in range(3000):
        peer.send("/preset/store", f"take {number}")
    peer.send(FADER, 0.5)
    received = peer.sync()
    assert mixer.controls[GAIN_DB] == -10.0
    assert len(mixer.stored) < 20
    assert server.errors == 3000 - len(mixer.stored)
    assert any("once a second" in message[1] for message in received if message[0] == "/error")


def test_no_client_fills_the_folder_of_presets(mixer, server, peer):
    mixer.presets = lambda: tuple(f"preset {number}" for number in range(256))
    peer.send("/preset/store", "one more")
    assert "256 presets" in peer.receive()[0][1]
    peer.send("/preset/store", "preset 7")
    peer.sync()
    until(lambda: mixer.stored == ["preset 7"])
    assert server.errors == 1


@pytest.mark.slow
def test_a_flood_of_requests_gets_replies_only_in_part(server, peer):
    for _ in range(20):
        peer.send_raw(bundle(IMMEDIATELY, *[("/list",)] * 4000))
    until(lambda: server.errors >= 79_000)
    peer.quiet()
    assert sum(peer.sizes) < 2**19


def test_a_flood_of_unknown_addresses_looks_for_few_of_them(server, peer):
    looked = []
    hint = server._session._router.hint
    server._session._router.hint = lambda address: looked.append(address) or hint(address)
    peer.send_raw(bundle(IMMEDIATELY, *[(f"/stem/vocal/{number}", 1) for number in range(1500)]))
    until(lambda: server.errors == 1500)
    assert len(looked) <= 40


@pytest.mark.parametrize("error", [RecursionError("nested"), MemoryError(), ValueError("a mistake")])
def test_a_preset_that_breaks_everything_costs_no_move_after_it(mixer, server, peer, caplog, error):
    def recall(name, *, fade_ms=None):  # noqa: ARG001 - as the mixer's
        raise error

    mixer.recall = recall
    for step in range(1, 51):
        peer.send("/preset/recall", "karaoke")
        peer.send("/stem/drums/pan", step / 50)
        peer.sync()
        assert mixer.controls["stem/drums/pan"] == pytest.approx(step / 50)
    assert server.errors == 50
    assert caplog.text.count("Traceback") <= 1
