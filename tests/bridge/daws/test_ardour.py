"""Ardour as it speaks: byte streams as version 7 sends them."""

import math
import struct

import pytest
from daw_talk import Talk

from bridge.daws.ardour import Ardour
from bridge.osc.codec import write_message


@pytest.fixture
def talk(mixer):
    made = Talk(mixer, Ardour())
    made.sent.clear()
    return made


def strip(ssid, name, gain_db, *, muted=0.0, soloed=0.0, position=0.5):
    """What Ardour 7 says of a strip when a surface makes itself known, in its order."""
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
    """What Ardour 7 says of a strip that goes, in its order: the name last but one."""
    return [
        write_message("/strip/mute", (ssid, 0.0)),
        write_message("/strip/solo", (ssid, 0.0)),
        write_message("/strip/name", (ssid, " ")),
        write_message("/strip/gain", (ssid, -193.0)),
    ]


def test_it_is_asked_for_strips_feedback_in_decibels_and_the_list(mixer):
    talk = Talk(mixer, Ardour())
    surface = b"/set_surface\0\0\0\0,iiiiiii\0\0\0\0" + struct.pack(">7i", 0, 159, 16411, 0, 0, 0, 0)
    assert talk.sent == [surface, b"/strip/list\0,\0\0\0"]


def test_strips_of_any_order_move_the_stems_of_their_names(talk, mixer):
    talk.says(*strip(1, "Guitar", -40.0), *strip(2, "Bass", -3.0, muted=1.0), *strip(3, "Vocals", 2.0, position=0.0))
    talk.says(*strip(4, "drums", -6.0, soloed=1.0))
    assert mixer.applied == []
    talk.hears()
    assert talk.session.of_stem == {"vocals": 3, "drums": 4, "bass": 2}
    controls = mixer.controls
    assert [controls[f"stem/{stem}/gain_db"] for stem in mixer.stems] == [2.0, -6.0, -3.0, 0.0]
    assert controls["stem/bass/mute"] is controls["stem/drums/solo"] is True
    assert controls["stem/vocals/pan"] == -1.0


def test_the_list_names_strips_too_in_either_spelling(talk):
    talk.says(
        write_message("/reply", ("AT", "drums", 1, 2, 0, 0, 7, 0)),
        write_message("/reply", ("AT", "bass", 1, 2, 0, 0, 9, 0)).replace(b"/", b"#", 1),
        write_message("/reply", ("end_route_list", 44100, 0, 0)),
    )
    talk.hears()
    assert talk.session.of_stem == {"vocals": 1, "drums": 7, "bass": 9, "other": 4}
    assert talk.session.errors == 0


def test_a_gain_is_four_bytes_after_the_strip(talk, mixer):
    talk.says(*strip(2, "drums", 0.0))
    talk.hears()
    talk.says(b"/strip/gain\0,if\0\0\0\0\2\xc0\xc0\0\0")
    assert mixer.controls["stem/drums/gain_db"] == -6.0


def test_the_mixer_moves_its_faders(talk, mixer):
    talk.says(*strip(5, "bass", 0.0))
    talk.hears()
    mixer.apply({"stem/bass/gain_db": -6.0, "stem/bass/mute": True, "master/gain_db": -90.0})
    assert sorted(talk.hears()) == [
        b"/master/gain\0\0\0\0,f\0\0\xc3\x41\0\0",
        b"/strip/gain\0,if\0\0\0\0\5\xc0\xc0\0\0",
        b"/strip/mute\0,ii\0\0\0\0\5\0\0\0\1",
    ]


def test_a_silent_stem_is_closed_there_and_its_own_silence_is_ours(talk, mixer):
    talk.says(*strip(1, "vocals", 0.0))
    talk.hears()
    mixer.apply({"stem/vocals/gain_db": -90.0})
    assert talk.hears(later=0.1) == [write_message("/strip/gain", (1, -193.0))]
    applied = len(mixer.applied)
    talk.says(write_message("/strip/gain", (1, -200.0)))
    assert len(mixer.applied) == applied
    assert talk.hears() == []


def test_what_is_louder_than_it_can_be_stays_louder_here(talk, mixer):
    talk.says(*strip(1, "vocals", 0.0))
    talk.hears()
    mixer.apply({"stem/vocals/gain_db": 9.0})
    assert talk.hears(later=0.1) == [write_message("/strip/gain", (1, 6.0))]
    talk.says(write_message("/strip/gain", (1, 6.0)))
    assert mixer.controls["stem/vocals/gain_db"] == 9.0


def test_strips_that_are_built_anew_silence_nothing(talk, mixer):
    talk.says(*strip(1, "vocals", -3.0, muted=1.0), *strip(2, "drums", -6.0))
    talk.hears()
    applied = len(mixer.applied)
    talk.says(*cleared(1), *cleared(2))
    talk.says(*strip(1, "Click", -50.0), *strip(2, "vocals", -3.0, muted=1.0), *strip(3, "drums", -6.0))
    talk.hears()
    assert talk.session.of_stem["vocals"] == 2
    assert all(values.get("stem/vocals/mute", True) for values, _, _ in mixer.applied[applied:])
    levels = [values.get("stem/vocals/gain_db") for values, _, _ in mixer.applied[applied:]]
    assert set(levels) <= {None, -3.0}
    assert mixer.controls["stem/drums/gain_db"] == -6.0


def test_its_master_is_ours(talk, mixer):
    talk.says(write_message("/master/name", ("Master",)), write_message("/master/gain", (-4.5,)))
    talk.hears()
    talk.says(b"/master/mute\0\0\0\0,f\0\0\x3f\x80\0\0")
    assert mixer.controls["master/gain_db"] == -4.5
    assert mixer.controls["master/mute"] is True


def test_it_is_greeted_again_when_its_heart_stops(talk):
    talk.says(*strip(1, "vocals", 0.0))
    talk.hears()
    for _ in range(5):
        talk.says(write_message("/heartbeat", (1.0,)))
        assert talk.hears(later=2.0) == []
    sent = [packet for _ in range(6) for packet in talk.hears(later=2.0)]
    assert sent
    assert sent[0].startswith(b"/set_surface\0")


def test_a_daw_that_is_gone_moves_nothing(talk, mixer):
    talk.says(*strip(6, "vocals", -6.0), *strip(1, "Click", -40.0))
    talk.hears()
    before = mixer.controls.snapshot()
    for _ in range(10):
        talk.hears(later=2.0)
    assert mixer.controls.snapshot() == before


def test_subscriptions_end_when_we_leave(talk):
    talk.session.shutdown()
    assert talk.sent == [write_message("/set_surface/feedback", (0,))]


def test_what_makes_no_sense_is_counted(talk, mixer):
    talk.says(*strip(1, "vocals", 0.0))
    talk.hears()
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
        talk.says(packet)
        assert talk.session.errors == count, packet
    assert mixer.controls.snapshot() == before


def test_an_infinite_pan_costs_no_move_that_came_with_it(talk, mixer):
    talk.says(*strip(1, "vocals", 0.0), *strip(2, "drums", 0.0))
    talk.hears()
    talk.says(
        write_message("/strip/pan_stereo_position", (1, math.inf)),
        write_message("/strip/gain", (1, -math.inf)),
        write_message("/strip/gain", (2, -12.0)),
    )
    assert mixer.controls["stem/vocals/pan"] == 0
    assert mixer.controls["stem/vocals/gain_db"] == -90
    assert mixer.controls["stem/drums/gain_db"] == -12
    assert talk.session.errors == 1
