"""Bitwig through DrivenByMoss: byte streams as that sends them."""

import pytest
from daw_double import DawDouble

from bridge.daws.bitwig import RESOLUTIONS, Bitwig, db_to_volume, volume_to_db
from bridge.osc.codec import write_message, write_packets
from stream_sep.errors import ConfigError


def bundle(*messages):
    """A flush, as it is framed."""
    parts = [("/update", (1,)), *messages, ("/update", (0,))]
    return write_packets([write_message(*part) for part in parts])[0]


@pytest.fixture
def daw(mixer):
    made = DawDouble(mixer, Bitwig())
    named = [(f"/track/{track}/name", (name,)) for track, name in enumerate(("Click", "Drums", "Vocals"), 1)]
    made.send(bundle(*named, ("/track/4/exists", (0,))))
    made.receive()
    return made


def test_a_refresh_is_requested_at_the_start(mixer):
    assert DawDouble(mixer, Bitwig()).received == [b"/refresh\0\0\0\0,\0\0\0"]


def test_tracks_are_found_by_name_and_missing_ones_are_none(daw):
    assert daw.session.of_stem == {"vocals": 3, "drums": 2}


def test_whole_numbers_move_the_stems(daw, mixer):
    daw.send(bundle(("/track/2/volume", (127,)), ("/track/2/mute", (1,)), ("/track/3/volume", (0,))))
    assert mixer.controls["stem/drums/gain_db"] == pytest.approx(6.02, abs=0.01)
    assert mixer.controls["stem/drums/mute"] is True
    assert mixer.controls["stem/vocals/gain_db"] == -90.0
    assert len(mixer.applied) == 1


def test_the_mixer_moves_its_tracks_in_whole_numbers(daw, mixer):
    mixer.apply(
        {"stem/drums/gain_db": 10.0, "stem/vocals/solo": True, "stem/vocals/pan": 0.5, "master/gain_db": -90.0}
    )
    assert sorted(daw.receive()) == [
        b"/master/volume\0\0,i\0\0\0\0\0\0",
        b"/track/2/volume\0,i\0\0\0\0\0\x7f",
        b"/track/3/pan\0\0\0\0,i\0\0\0\0\0\x60",
        b"/track/3/solo\0\0\0,i\0\0\0\0\0\1",
    ]


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_its_steps_are_no_moves_of_ours(mixer, resolution):
    daw = DawDouble(mixer, Bitwig(resolution))
    daw.receive()
    for level in (-33.3, -12.34, 0.0, 7.0):
        mixer.apply({"stem/vocals/gain_db": level})
        (received,) = daw.receive(after=0.1)
        daw.send(received)
        assert mixer.controls["stem/vocals/gain_db"] == level


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_the_middle_is_the_middle(mixer, resolution):
    daw = DawDouble(mixer, Bitwig(resolution))
    daw.receive()
    for value, pan in ((0, -1.0), (resolution // 2, 0.0)):
        daw.send(write_message("/track/1/pan", (value,)))
        assert mixer.controls["stem/vocals/pan"] == pan
    daw.send(write_message("/track/1/pan", (resolution - 1,)))
    assert mixer.controls["stem/vocals/pan"] == pytest.approx(1.0, abs=2.1 / resolution)


def test_the_law_doubles_the_cube():
    assert volume_to_db(1.0) == pytest.approx(6.0206, abs=1e-4)
    assert volume_to_db(0.7937) == pytest.approx(0.0, abs=1e-3)
    for level in (-80.0, -40.0, -6.0, 0.0, 6.0):
        assert volume_to_db(db_to_volume(level)) == pytest.approx(level)


def test_the_selected_track_and_the_rest_move_nothing(daw, mixer):
    daw.send(
        bundle(
            ("/track/selected/volume", (3,)),
            ("/track/2/volumeStr", ("-inf",)),
            ("/track/2/vu", (99,)),
            ("/track/2/color", ("rgb(1,2,3)",)),
            ("/track/1/volume", (3,)),
        )
    )
    assert mixer.applied == []
    assert daw.session.errors == 0


def test_what_makes_no_sense_is_counted(daw, mixer):
    before = mixer.controls.snapshot()
    for count, message in enumerate(
        [("/track/2/volume", ("loud",)), ("/track/2/name", (5,)), ("/track/4/exists", ()), ("/track/0/mute", (1,))], 1
    ):
        daw.send(write_message(*message))
        assert daw.session.errors == count, message
    assert mixer.controls.snapshot() == before


def test_a_resolution_that_it_has_not_is_refused():
    with pytest.raises(ConfigError, match="100"):
        Bitwig(100)
