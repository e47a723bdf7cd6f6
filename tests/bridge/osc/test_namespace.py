"""Every OSC address: its control, arguments and replies."""

import math

import pytest
from waiting import until

from bridge.osc.namespace import nodes_of
from stream_sep.control.parameters import parameters_for
from stream_sep.control.state import ControlState
from stream_sep.control.transport import transport_parameters
from stream_sep.protocols import STEMS


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
def test_an_address_moves_its_control_and_replies_to_queries(mixer, peer, *, address, value, path, stored):
    peer.send(address, value)
    assert peer.sync() == []
    assert mixer.controls[path] == pytest.approx(stored)
    reply_address, reply = peer.request(address)
    assert reply_address == address
    if "fader" in address or abs(value) <= 1:
        assert reply == pytest.approx(float(value))


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
def test_every_kind_of_number_is_understood(mixer, server, peer, *, tag, value, muted):
    mixer.apply({"stem/bass/mute": not muted})
    peer.send_typed("/stem/bass/mute", tag, value)
    peer.sync()
    assert mixer.controls["stem/bass/mute"] is muted
    assert server.errors == 0


def test_read_only_address_replies_with_types_that_every_program_reads(mixer, peer):
    mixer.controls.publish(
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
    mixer.metered = {**mixer.metered, "mix": (1.0, 0.5), "vocals": (0.0, 0.1), "input": (2.0, 0.0)}
    replies = {
        address: peer.request(address)[1:]
        for address in (
            *(f"/engine/{name}" for name in ("latency", "load", "xruns", "late_hops", "state", "model", "device")),
            *("/preset/current", "/preset/list", "/stem/vocals/name", "/stem/vocals/meter"),
            *("/master/meter", "/input/meter"),
        )
    }
    assert replies == {
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


def test_nothing_but_floats_integers_and_texts_is_ever_sent(server, join):
    peer = join(server)
    peer.send("/subscribe")
    types = set()
    until(lambda: types.update(type(value) for message in peer.listen() for value in message[1:]) or len(types) == 3)
    assert types == {float, int, str}


def test_every_stem_has_a_colour_of_its_own(peer):
    colours = {peer.request(f"/stem/{stem}/color")[1] for stem in STEMS}
    assert len(colours) == len(STEMS)
    assert all(len(colour) == 7 and int(colour[1:], 16) >= 0 for colour in colours)


def test_every_address_of_the_engine_and_of_songs_has_a_description(mixer):
    mixer.controls = ControlState((*parameters_for(STEMS), *transport_parameters()))
    assert [node.address for node in nodes_of(mixer) if not node.description] == []
