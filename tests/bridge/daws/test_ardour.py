"""Ardour: byte streams as version 7 sends them."""

import math
import struct

import pytest
from daw_double import DawDouble

from bridge.daws.ardour import Ardour
from bridge.osc.codec import write_message


@pytest.fixture
def daw(mixer):
    made = DawDouble(mixer, Ardour())
    made.received.clear()
    return made


def strip(ssid, name, gain_db, *, muted=0.0, soloed=0.0, position=0.5):
    """The messages of Ardour 7 on a strip when a surface registers, in its order."""
    return [
        write_message("/strip/select", (ssid, 0.0)),
        write_message("/strip/name", (ssid, name)),
        write_message("/strip/mute/automation_name", (ssid, "Manual")),
        write_message("/strip/mute", (ssid, muted)),
        write_message("/strip/solo", (ssid, soloed)),
        write_message("/strip/gain", (ssid, gain_db)),
        write_message("/strip/gain/automation", (ssid, 0.0)),
        write_message("/strip/pan_stereo_position", (ssid, position)),
    ]


def cleared(ssid):
    """The messages of Ardour 7 on a strip that is removed, in its order: the name last but one."""
    return [
        write_message("/strip/mute", (ssid, 0.0)),
        write_message("/strip/solo", (ssid, 0.0)),
        write_message("/strip/name", (ssid, " ")),
        write_message("/strip/gain", (ssid, -193.0)),
    ]


def test_strips_feedback_in_decibels_and_the_list_are_requested(mixer):
    daw = DawDouble(mixer, Ardour())
    surface = b"/set_surface\0\0\0\0,iiiiiii\0\0\0\0" + struct.pack(">7i", 0, 159, 16411, 0, 0, 0, 0)
    assert daw.received == [surface, b"/strip/list\0,\0\0\0"]


def test_strips_of_any_order_move_the_stems_of_their_names(daw, mixer):
    daw.send(*strip(1, "Guitar", -40.0), *strip(2, "Bass", -3.0, muted=1.0), *strip(3, "Vocals", 2.0, position=0.0))
    daw.send(*strip(4, "drums", -6.0, soloed=1.0))
    assert mixer.applied == []
    daw.receive()
    assert daw.session.of_stem == {"vocals": 3, "drums": 4, "bass": 2}
    controls = mixer.controls
    assert [controls[f"stem/{stem}/gain_db"] for stem in mixer.stems] == [2.0, -6.0, -3.0, 0.0]
    assert controls["stem/bass/mute"] is controls["stem/drums/solo"] is True
    assert controls["stem/vocals/pan"] == -1.0


def test_the_list_names_strips_too_in_either_spelling(daw):
    daw.send(
        write_message("/reply", ("AT", "drums", 1, 2, 0, 0, 7, 0)),
        write_message("/reply", ("AT", "bass", 1, 2, 0, 0, 9, 0)).replace(b"/", b"#", 1),
        write_message("/reply", ("end_route_list", 44100, 0, 0)),
    )
    daw.receive()
    assert daw.session.of_stem == {"vocals": 1, "drums": 7, "bass": 9, "other": 4}
    assert daw.session.errors == 0


def test_a_gain_is_four_bytes_after_the_strip(daw, mixer):
    daw.send(*strip(2, "drums", 0.0))
    daw.receive()
    daw.send(b"/strip/gain\0,if\0\0\0\0\2\xc0\xc0\0\0")
    assert mixer.controls["stem/drums/gain_db"] == -6.0


def test_the_mixer_moves_its_faders(daw, mixer):
    daw.send(*strip(5, "bass", 0.0))
    daw.receive()
    mixer.apply({"stem/bass/gain_db": -6.0, "stem/bass/mute": True, "master/gain_db": -90.0})
    assert sorted(daw.receive()) == [
        b"/master/gain\0\0\0\0,f\0\0\xc3\x41\0\0",
        b"/strip/gain\0,if\0\0\0\0\5\xc0\xc0\0\0",
        b"/strip/mute\0,ii\0\0\0\0\5\0\0\0\1",
    ]


def test_a_silent_stem_is_closed_there_and_its_own_silence_is_ours(daw, mixer):
    daw.send(*strip(1, "vocals", 0.0))
    daw.receive()
    mixer.apply({"stem/vocals/gain_db": -90.0})
    assert daw.receive(after=0.1) == [write_message("/strip/gain", (1, -193.0))]
    applied = len(mixer.applied)
    daw.send(write_message("/strip/gain", (1, -200.0)))
    assert len(mixer.applied) == applied
    assert daw.receive() == []


def test_what_is_louder_than_it_can_be_stays_louder_here(daw, mixer):
    daw.send(*strip(1, "vocals", 0.0))
    daw.receive()
    mixer.apply({"stem/vocals/gain_db": 9.0})
    assert daw.receive(after=0.1) == [write_message("/strip/gain", (1, 6.0))]
    daw.send(write_message("/strip/gain", (1, 6.0)))
    assert mixer.controls["stem/vocals/gain_db"] == 9.0


def test_strips_that_are_built_anew_silence_nothing(daw, mixer):
    daw.send(*strip(1, "vocals", -3.0, muted=1.0), *strip(2, "drums", -6.0))
    daw.receive()
    applied = len(mixer.applied)
    daw.send(*cleared(1), *cleared(2))
    daw.send(*strip(1, "Click", -50.0), *strip(2, "vocals", -3.0, muted=1.0), *strip(3, "drums", -6.0))
    daw.receive()
    assert daw.session.of_stem["vocals"] == 2
    assert all(values.get("stem/vocals/mute", True) for values, _, _ in mixer.applied[applied:])
    levels = [values.get("stem/vocals/gain_db") for values, _, _ in mixer.applied[applied:]]
    assert set(levels) <= {None, -3.0}
    assert mixer.controls["stem/drums/gain_db"] == -6.0


def test_its_master_is_ours(daw, mixer):
    daw.send(write_message("/master/name", ("Master",)), write_message("/master/gain", (-4.5,)))
    daw.receive()
    daw.send(b"/master/mute\0\0\0\0,f\0\0\x3f\x80\0\0")
    assert mixer.controls["master/gain_db"] == -4.5
    assert mixer.controls["master/mute"] is True


def test_setup_is_sent_again_when_heartbeats_stop(daw):
    daw.send(*strip(1, "vocals", 0.0))
    daw.receive()
    for _ in range(5):
        daw.send(write_message("/heartbeat", (1.0,)))
        assert daw.receive(after=2.0) == []
    sent = [packet for _ in range(6) for packet in daw.receive(after=2.0)]
    assert sent
    assert sent[0].startswith(b"/set_surface\0")


def test_a_daw_that_is_gone_moves_nothing(daw, mixer):
    daw.send(*strip(6, "vocals", -6.0), *strip(1, "Click", -40.0))
    daw.receive()
    before = mixer.controls.snapshot()
    for _ in range(10):
        daw.receive(after=2.0)
    assert mixer.controls.snapshot() == before


def test_subscriptions_end_when_we_leave(daw):
    daw.session.shutdown()
    assert daw.received == [write_message("/set_surface/feedback", (0,))]


def test_what_makes_no_sense_is_counted(daw, mixer):
    daw.send(*strip(1, "vocals", 0.0))
    daw.receive()
    before = mixer.controls.snapshot()
    nonsense = [
        write_message("/strip/gain", ("one", -6.0)),
        write_message("/strip/gain", (1,)),
        write_message("/strip/gain", (1, "loud")),
        write_message("/strip/gain", (0, -6.0)),
        write_message("/strip/gain", (10**6, -6.0)),
        write_message("/strip/name", (1, 1.0)),
        write_message("/strip/name"),
        write_message("/reply", ("AT", 5, 1, 2, 0, 0, 1, 0)),
        b"#bundle\0" + b"\x7f" * 40,
    ]
    for count, packet in enumerate(nonsense, 1):
        daw.send(packet)
        assert daw.session.errors == count, packet
    assert mixer.controls.snapshot() == before


def test_an_infinite_pan_costs_no_move_that_came_with_it(daw, mixer):
    daw.send(*strip(1, "vocals", 0.0), *strip(2, "drums", 0.0))
    daw.receive()
    daw.send(
        write_message("/strip/pan_stereo_position", (1, math.inf)),
        write_message("/strip/gain", (1, -math.inf)),
        write_message("/strip/gain", (2, -12.0)),
    )
    assert mixer.controls["stem/vocals/pan"] == 0
    assert mixer.controls["stem/vocals/gain_db"] == -90
    assert mixer.controls["stem/drums/gain_db"] == -12
    assert daw.session.errors == 1
