"""REAPER with the pattern file that ships: bytes in, bytes out."""

import math
import os

import pytest
from daw_double import DawDouble

from bridge.daws.reaper import Reaper
from bridge.osc.codec import write_message

ZERO, MINUS_SIX, MINUS_12_5 = b"\0\0\0\0", b"\xc0\xc0\0\0", b"\xc1\x48\0\0"


@pytest.fixture
def daw(mixer):
    made = DawDouble(mixer, Reaper())
    made.receive()
    return made


def named(*names):
    return [write_message(f"/track/{track}/name", (name,)) for track, name in enumerate(names, 1)]


def test_everything_is_requested(mixer):
    assert DawDouble(mixer, Reaper()).receive() == [b"/action/41743\0\0\0,\0\0\0"]


def test_its_faders_move_the_stems(daw, mixer):
    daw.send(b"/track/1/volume/db\0\0,f\0\0" + MINUS_SIX)
    assert mixer.controls["stem/vocals/gain_db"] == -6.0


def test_its_mutes_solos_and_pans_move_the_stems(daw, mixer):
    daw.send(
        b"/track/4/mute\0\0\0,f\0\0\x3f\x80\0\0",
        b"/track/4/solo\0\0\0,i\0\0\0\0\0\1",
        b"/track/4/pan\0\0\0\0,f\0\0\0\0\0\0",
    )
    controls = mixer.controls
    assert [controls["stem/other/" + one] for one in ("mute", "solo", "pan")] == [True, True, -1.0]


def test_a_bundle_is_one_change(daw, mixer):
    one = b"/track/1/volume/db\0\0,f\0\0" + MINUS_SIX
    two = b"/track/2/mute\0\0\0,f\0\0\x3f\x80\0\0"
    daw.send(b"#bundle\0" + bytes(7) + b"\1" + b"".join(len(part).to_bytes(4, "big") + part for part in (one, two)))
    assert mixer.applied == [({"stem/vocals/gain_db": -6.0, "stem/drums/mute": True}, None, None)]


def test_a_closed_fader_is_silence(daw, mixer):
    daw.send(write_message("/track/1/volume/db", (-150.0,)))
    assert mixer.controls["stem/vocals/gain_db"] == -90.0
    assert daw.receive() == []
    mixer.apply({"stem/drums/gain_db": -90.0})
    assert daw.receive() == [write_message("/track/2/volume/db", (-150.0,))]


def test_what_it_did_can_be_seen(daw):
    daw.send(b"/track/1/volume/db\0\0,f\0\0" + MINUS_SIX)
    assert daw.session.last == "/track/1/volume/db -6: stem/vocals/gain_db -6"


def test_a_move_while_names_come_is_not_lost(daw, mixer):
    daw.send(*named("vocals", "drums"))
    daw.receive()
    daw.send(write_message("/track/7/name", ("Reverb",)), write_message("/track/1/volume/db", (-6.0,)))
    daw.receive()
    assert mixer.controls["stem/vocals/gain_db"] == -6.0


class TestTheDeskLeads:
    """What happens where the mixer is to have its way when the two meet."""

    @pytest.fixture
    def daw(self, mixer):
        mixer.apply({"stem/vocals/gain_db": -12.5, "stem/drums/mute": True})
        return DawDouble(mixer, Reaper(), push_on_connect=True)

    def test_the_daw_goes_where_the_mixer_is(self, daw, mixer):
        daw.send(*named("drums", "vocals"))
        daw.send(write_message("/track/2/volume/db", (0.0,)), write_message("/track/1/volume/db", (0.0,)))
        received = daw.receive()
        assert write_message("/track/2/volume/db", (-12.5,)) in received
        assert write_message("/track/1/mute", (1,)) in received
        assert write_message("/track/1/volume/db", (0.0,)) not in received
        assert mixer.controls["stem/vocals/gain_db"] == -12.5

    def test_it_does_so_if_its_values_arrive_late(self, daw, mixer):
        daw.send(*named("vocals", "drums"))
        daw.receive(after=0.2)
        daw.send(write_message("/track/1/volume/db", (-3.0,)))
        assert mixer.controls["stem/vocals/gain_db"] == -12.5
        assert daw.receive(after=0.1) == [write_message("/track/1/volume/db", (-12.5,))]

    def test_from_then_on_its_faders_move_the_desk(self, daw, mixer):
        daw.send(*named("vocals", "drums"), write_message("/track/1/volume/db", (0.0,)))
        daw.receive(after=0.2)
        daw.send(write_message("/track/1/volume/db", (-3.0,)))
        assert mixer.controls["stem/vocals/gain_db"] == -3.0
        assert daw.receive() == []


def test_tracks_are_found_by_name(daw, mixer):
    daw.send(*named("Click", "Lead VOCALS", "bass_DI", "Drums", "Another", "other"))
    daw.send(b"/track/2/volume/db\0\0,f\0\0" + MINUS_SIX, b"/track/5/volume/db\0\0,f\0\0" + MINUS_SIX)
    daw.receive()
    assert daw.session.of_stem == {"vocals": 2, "drums": 4, "bass": 3, "other": 6}
    assert mixer.controls["stem/vocals/gain_db"] == -6.0
    assert [path for path, value in mixer.controls.snapshot().items() if value == -6.0] == ["stem/vocals/gain_db"]


def test_a_stem_gets_a_new_track_when_tracks_are_renamed(daw, mixer):
    daw.send(*named("drums", "bass", "other", "vocals"))
    daw.send(b"/track/1/volume/db\0\0,f\0\0" + MINUS_SIX, b"/track/4/volume/db\0\0,f\0\0" + MINUS_12_5)
    daw.receive()
    daw.send(write_message("/track/4/name", ("drums",)), write_message("/track/1/name", ("vocals",)))
    daw.receive()
    assert mixer.controls["stem/drums/gain_db"] == -12.5
    assert mixer.controls["stem/vocals/gain_db"] == -6.0


def test_names_that_come_one_by_one_move_no_wrong_stem(daw, mixer):
    for track, name in enumerate(("Click", "Guide", "Talkback", "drums", "vocals"), 1):
        daw.send(write_message(f"/track/{track}/name", (name,)))
        daw.send(write_message(f"/track/{track}/volume/db", (-float(track),)))
        assert daw.receive(after=0.05) == []
    daw.receive()
    assert mixer.controls["stem/drums/gain_db"] == -4.0
    assert mixer.controls["stem/vocals/gain_db"] == -5.0
    assert mixer.controls["stem/bass/gain_db"] == mixer.controls["stem/other/gain_db"] == 0.0


def test_what_moves_the_mixer_moves_its_faders(daw, mixer):
    daw.send(*named("vocals", "drums"))
    daw.receive()
    mixer.apply({"stem/vocals/gain_db": -12.5, "stem/drums/mute": True, "stem/drums/pan": 1.0})
    assert sorted(daw.receive()) == [
        b"/track/1/volume/db\0\0,f\0\0" + MINUS_12_5,
        b"/track/2/mute\0\0\0,i\0\0\0\0\0\1",
        b"/track/2/pan\0\0\0\0,f\0\0\x3f\x80\0\0",
    ]


def test_many_moves_are_sent_as_one(daw, mixer):
    for step in range(100):
        mixer.apply({"stem/vocals/gain_db": -step / 10})
    assert daw.receive() == [write_message("/track/1/volume/db", (-9.9,))]
    assert daw.receive() == []


def test_its_own_moves_are_not_sent_back(daw):
    daw.send(b"/track/1/volume/db\0\0,f\0\0" + MINUS_SIX)
    assert daw.receive() == []


def test_value_above_the_travel_is_corrected(daw, mixer):
    for _ in range(2):
        daw.send(write_message("/track/1/volume/db", (12.0,)))
        assert mixer.controls["stem/vocals/gain_db"] == 10.0
        assert daw.receive() == [write_message("/track/1/volume/db", (10.0,))]


def test_its_echo_moves_nothing_back(daw, mixer):
    for level in (-3.0, -6.0):
        mixer.apply({"stem/vocals/gain_db": level})
        daw.receive(after=0.05)
    applied = len(mixer.applied)
    daw.send(write_message("/track/1/volume/db", (-3.00001,)), write_message("/track/1/volume/db", (-6.00001,)))
    assert len(mixer.applied) == applied
    assert daw.receive() == []
    daw.send(write_message("/track/1/volume/db", (-3.0,)))
    assert mixer.controls["stem/vocals/gain_db"] == -3.0


def test_a_hand_that_undoes_and_redoes_at_once_is_no_echo(daw, mixer):
    mixer.apply({"stem/vocals/mute": True})
    daw.receive(after=0.05)
    for muted in (0.0, 1.0, 0.0, 1.0, 0.0):
        daw.send(write_message("/track/1/mute", (muted,)))
    assert mixer.controls["stem/vocals/mute"] is False


def test_messages_on_other_things_are_no_error(daw, mixer):
    daw.send(
        b"/beat/str\0\0\0,s\0\0001.1.00\0\0", b"/track/0/volume/db\0\0,f\0\0" + MINUS_SIX, b"/play\0\0\0,f\0\0" + ZERO
    )
    assert daw.session.errors == 0
    assert mixer.applied == []


def test_what_makes_no_sense_is_counted_and_changes_nothing(daw, mixer):
    before = mixer.controls.snapshot()
    nonsense = [
        b"",
        b"\xff" * 40,
        b"/track/1/volume/db\0\0,f\0\0",
        b"/track/1/volume/db\0\0,s\0\0loud\0\0\0\0",
        b"/track/1/volume/db\0\0,ff\0" + ZERO + ZERO,
        b"/track/1/name\0\0\0,f\0\0" + ZERO,
        b"/track/9999/mute\0\0\0\0,f\0\0" + ZERO,
        b"/track/1/volume/db\0\0,f\0\0" + b"\x7f\xc0\0\0",
        b"#bundle\0" + b"\x7f" * 40,
    ]
    for count, packet in enumerate(nonsense, 1):
        daw.send(packet)
        assert daw.session.errors == count
    assert mixer.controls.snapshot() == before


def test_random_bytes_never_end_it(daw, mixer):
    for length in range(400):
        daw.send(os.urandom(length % 64), b"/track/1/" + os.urandom(length % 32))
    daw.send(b"/track/1/volume/db\0\0,f\0\0" + MINUS_SIX)
    assert mixer.controls["stem/vocals/gain_db"] == -6.0


def test_infinity_is_the_end_of_the_fader(daw, mixer):
    daw.send(write_message("/track/1/volume/db", (-math.inf,)), write_message("/track/2/volume/db", (math.inf,)))
    assert mixer.controls["stem/vocals/gain_db"] == -90.0
    assert mixer.controls["stem/drums/gain_db"] == 10.0
