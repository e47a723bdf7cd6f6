"""Ableton Live through AbletonOSC: byte streams as that sends them."""

import pytest
from daw_double import DawDouble

from bridge.daws.live import Live, db_to_volume, volume_to_db
from bridge.osc.codec import write_message

NAMES = ("1-Audio", "Vocals", "Drums", "Bass Stem", "Other")


@pytest.fixture
def daw(mixer):
    made = DawDouble(mixer, Live())
    made.send(write_message("/live/song/get/track_names", NAMES))
    made.receive(after=0.2)
    return made


def test_names_are_requested_and_tracks_subscribed(mixer):
    daw = DawDouble(mixer, Live())
    assert daw.received == [b"/live/song/get/track_names\0\0,\0\0\0"]
    daw.send(write_message("/live/song/get/track_names", NAMES))
    daw.received.clear()
    received = daw.receive(after=0.2)
    assert b"/live/track/start_listen/volume\0,i\0\0\0\0\0\1" in received
    expected = {
        write_message(f"/live/track/start_listen/{one}", (track,)) for track in (1, 2, 3, 4) for one in LISTENED
    }
    assert set(received) == expected


LISTENED = ("volume", "mute", "solo", "panning")


def test_its_volumes_move_the_stems_by_its_own_law(daw, mixer):
    daw.send(b"/live/track/get/volume\0\0,if\0\0\0\0\1\x3f\x59\x99\x9a")  # track 1 of 0.., 0.85
    assert mixer.controls["stem/vocals/gain_db"] == pytest.approx(0.0, abs=1e-5)
    daw.send(write_message("/live/track/get/volume", (2, 0.7)))
    assert mixer.controls["stem/drums/gain_db"] == pytest.approx(-6.0, abs=1e-5)


def test_true_and_false_are_switches(daw, mixer):
    daw.send(b"/live/track/get/mute\0\0\0\0,iT\0\0\0\0\3", b"/live/track/get/solo\0\0\0\0,ii\0\0\0\0\1\0\0\0\1")
    assert mixer.controls["stem/bass/mute"] is True
    assert mixer.controls["stem/vocals/solo"] is True
    daw.send(b"/live/track/get/mute\0\0\0\0,iF\0\0\0\0\3")
    assert mixer.controls["stem/bass/mute"] is False


def test_the_law_is_a_straight_line_above_minus_eighteen_and_the_table_below():
    for volume, level in ((1.0, 6.0), (0.85, 0.0), (0.6, -10.0), (0.4, -18.0), (0.2683, -27.0), (0.0346, -60.0)):
        assert volume_to_db(volume) == pytest.approx(level)
        assert db_to_volume(level) == pytest.approx(volume)


def test_the_law_has_an_inverse_everywhere():
    for step in range(1001):
        assert db_to_volume(volume_to_db(step / 1000)) == pytest.approx(step / 1000, abs=1e-9)


def test_the_mixer_moves_its_tracks(daw, mixer):
    mixer.apply(
        {"stem/vocals/gain_db": 0.0, "stem/drums/gain_db": 6.0, "stem/other/mute": True, "stem/bass/pan": -0.5}
    )
    assert sorted(daw.receive(after=0.2)) == [
        b"/live/track/set/mute\0\0\0\0,ii\0\0\0\0\4\0\0\0\1",
        b"/live/track/set/panning\0,if\0\0\0\0\3\xbf\0\0\0",
        b"/live/track/set/volume\0\0,if\0\0\0\0\2\x3f\x80\0\0",
    ]


def test_its_listeners_echo_moves_nothing_back(daw, mixer):
    mixer.apply({"stem/vocals/gain_db": -12.34, "stem/drums/gain_db": 10.0})
    daw.receive(after=0.2)
    applied = len(mixer.applied)
    daw.send(write_message("/live/track/get/volume", (1, db_to_volume(-12.34))))
    daw.send(write_message("/live/track/get/volume", (2, 1.0)))
    assert len(mixer.applied) == applied
    assert mixer.controls["stem/drums/gain_db"] == 10.0


def test_moves_of_a_tenth_of_a_second_are_sent_as_one(daw, mixer):
    received = []
    for step in range(300):
        mixer.apply({"stem/vocals/gain_db": -step / 100})
        received += [packet for packet in daw.receive(after=0.01) if b"set/volume" in packet]
    assert len(received) <= 31


def test_a_new_order_of_tracks_is_noticed(daw, mixer):
    assert b"/live/song/get/track_names\0\0,\0\0\0" in daw.receive(after=2.0)
    daw.send(write_message("/live/song/get/track_names", ("Drums", "Vocals")))
    received = daw.receive(after=0.2)
    assert daw.session.of_stem == {"vocals": 2, "drums": 1}
    assert write_message("/live/track/start_listen/volume", (0,)) in received
    daw.send(write_message("/live/track/get/volume", (0, 0.6)))
    assert mixer.controls["stem/drums/gain_db"] == pytest.approx(-10.0, abs=1e-5)


def test_names_that_are_none_of_ours_are_taken_in_order(daw):
    daw.send(write_message("/live/song/get/track_names", ("1-Audio", "2-Audio", "3-Audio")))
    daw.receive(after=0.2)
    assert daw.session.of_stem == {"vocals": 1, "drums": 2, "bass": 3}


def test_restarted_live_gets_the_setup_again(daw):
    daw.send(write_message("/live/startup"))
    assert daw.received == [write_message("/live/song/get/track_names")]
    daw.send(write_message("/live/song/get/track_names", NAMES))
    assert write_message("/live/track/start_listen/volume", (1,)) in daw.receive(after=0.2)


def test_subscriptions_end_when_we_leave(daw):
    daw.session.shutdown()
    assert write_message("/live/track/stop_listen/volume", (1,)) in daw.received


def test_what_makes_no_sense_is_counted_and_its_errors_are_shown(daw, mixer):
    before = mixer.controls.snapshot()
    nonsense = [
        write_message("/live/track/get/volume", (-1, 0.5)),
        write_message("/live/track/get/volume", ("Vocals", 0.5)),
        write_message("/live/track/get/mute", (1, "muted")),
        write_message("/live/song/get/track_names", ("Vocals", 2)),
        write_message("/live/track/get/volume", (1, 0.5, 0.5)),
        write_message("/live/error", ("Index out of range",)),
    ]
    for count, packet in enumerate(nonsense, 1):
        daw.send(packet)
        assert daw.session.errors == count, packet
    assert "Index out of range" in daw.session.last
    assert mixer.controls.snapshot() == before
