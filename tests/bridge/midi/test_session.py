"""A device and a mixer, as bytes in and bytes out."""

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waiting import PATIENCE, until

from bridge.midi.map import parse_map
from bridge.midi.map_files import load_map
from bridge.midi.session import MidiSession
from stream_sep.control.levels import db_to_position
from stream_sep.control.parameters import Parameter


class Device:
    """A device on a session: its messages in both directions."""

    def __init__(self, mixer, controls, head=""):
        self.sent, self.now, self.mixer = [], 0.0, mixer
        text = f"schema = 1\nname = 'test'\n{head}\n" + "".join(f"[[control]]\n{one}\n" for one in controls)
        self.session = MidiSession(mixer, parse_map(text), self.sent.append)
        self.changed = []
        mixer.controls.subscribe(self.changed.append)
        self.session.initialize()
        self.sent.clear()

    def send(self, *messages):
        """Send messages, each stored at once; return the replies."""
        for message in messages:
            self.session.receive(bytes.fromhex(message), self.now)
            self.session.commit()
        return self.take_sent()

    def take_sent(self, later=0.0):
        self.now += later
        if self.changed:
            self.session.refresh(set(self.changed))
            self.changed.clear()
        self.session.tick(self.now)
        sent = [message.hex(" ") for message in self.sent]
        self.sent.clear()
        return sent

    def level(self, stem="vocals"):
        return self.mixer.controls[f"stem/{stem}/gain_db"]


FADER = "in = 'cc:1:0'\nto = 'stem/1/fader'"
FREE = "pickup = false"


def test_a_fader_moves_its_stem_by_the_fader_law(mixer):
    device = Device(mixer, [FADER], FREE)
    for value, level in ((0, -90.0), (127, 10.0), (64, -9.84)):
        device.send(f"b0 00 {value:02x}")
        assert device.level() == pytest.approx(level, abs=0.01)


def test_seven_bits_reach_zero_decibels_exactly(mixer):
    device = Device(mixer, [FADER], FREE)
    for value in (95, 96):
        device.send("b0 00 00", f"b0 00 {value:02x}")
        assert device.level() == 0.0
    device.send("b0 00 61")
    assert device.level() == pytest.approx(0.55, abs=0.01)


def test_fourteen_bits_have_their_full_resolution(mixer):
    device = Device(mixer, [FADER + "\nmode = '14-bit'"], FREE)
    device.send("b0 00 40", "b0 20 01")
    assert db_to_position(device.level()) == pytest.approx(8193 / 16383)
    device.send("b0 00 5f", "b0 20 7f")
    assert device.level() == 0.0


def test_pan_has_a_middle(mixer):
    device = Device(mixer, ["in = 'cc:1:0'\nto = 'stem/bass/pan'"], FREE)
    pans = []
    for value in (0, 64, 127):
        device.send(f"b0 00 {value:02x}")
        pans.append(mixer.controls["stem/bass/pan"])
    assert pans == [-1.0, 0.0, 1.0]


def test_a_gain_knob_may_be_a_trim(mixer):
    device = Device(mixer, ["in = 'nrpn:1:300'\nto = 'stem/1/gain'\nlow = -12\nhigh = 10"], FREE)
    device.send("b0 63 02", "b0 62 2c", "b0 06 00", "b0 26 00")
    assert device.level() == -12.0
    device.send("b0 06 7f", "b0 26 7f")
    assert device.level() == 10.0


def test_an_endless_knob_steps_and_stops_at_the_ends(mixer):
    device = Device(mixer, [FADER + "\nmode = 'relative-2s'"], FREE)
    device.send("b0 00 7f")
    assert device.level() == pytest.approx(-0.4)
    device.send("b0 00 01")
    assert device.level() == 0.0
    device.send(*["b0 00 3f"] * 3)
    assert device.level() == 10.0
    assert device.session.errors == 0


def test_pressing_a_knob_puts_its_control_back(mixer):
    mixer.controls.set("stem/vocals/gain_db", -20)
    Device(mixer, ["in = 'note:1:3'\nto = 'stem/1/fader'\nmode = 'reset'"]).send("90 03 7f", "80 03 00")
    assert mixer.controls["stem/vocals/gain_db"] == 0.0


@pytest.mark.parametrize(
    ("mode", "after"),
    [("toggle", [True, True, False, False]), ("hold", [True, False] * 2), ("latch", [True, False] * 2)],
)
def test_buttons_toggle_hold_or_latch(mixer, mode, after):
    device = Device(mixer, [f"in = 'note:1:16'\nto = 'stem/drums/mute'\nmode = '{mode}'"])
    seen = []
    for message in ("90 10 7f", "90 10 00", "90 10 7f", "80 10 40"):
        device.send(message)
        seen.append(mixer.controls["stem/drums/mute"])
    assert seen == after


def test_two_presses_in_one_burst_are_two_presses(mixer):
    device = Device(mixer, ["in = 'note:1:16'\nto = 'stem/drums/mute'"])
    for _ in range(2):
        device.session.receive(b"\x90\x10\x7f", 0.0)
    device.session.commit()
    assert mixer.controls["stem/drums/mute"] is False


def test_a_burst_is_one_change_of_the_desk(mixer):
    device = Device(mixer, [FADER + "\ncount = 4"], FREE)
    for value in range(100):
        device.session.receive(bytes((0xB0, value % 2, value)), 0.0)
    device.session.commit()
    assert [set(values) for values, _, _ in mixer.applied] == [{"stem/vocals/gain_db", "stem/drums/gain_db"}]


def test_lights_follow_the_mixer_and_are_sent_once(mixer):
    device = Device(mixer, ["in = 'note:1:16'\nto = 'stem/drums/mute'\nled = 'note:1:16'\nled_on = 15\nled_off = 12"])
    assert device.send("90 10 7f") == ["90 10 0f"]
    assert device.send("90 10 00") == []
    mixer.controls.update({"stem/drums/mute": False})
    assert device.take_sent() == ["90 10 0c"]
    assert device.take_sent() == []


def test_motor_follows_moves_of_others_and_not_its_own(mixer):
    device = Device(mixer, [FADER + "\nmotor = true"])
    assert device.send("b0 00 20", "b0 00 21") == []
    mixer.controls.set("stem/vocals/gain_db", -10)
    assert device.take_sent() == ["b0 00 40"]


def test_an_endless_knob_with_a_ring_gets_past_unity(mixer):
    device = Device(mixer, [FADER + "\nmotor = true"])
    for value in (94, 95, 96, 97):
        assert device.send(f"b0 00 {value:02x}") == []
    assert device.level() == pytest.approx(0.55, abs=0.01)


def test_a_value_at_which_the_mixer_stands_does_not_round_it(mixer):
    device = Device(mixer, [FADER + "\nmotor = true"])
    mixer.controls.set("stem/vocals/gain_db", -3.21)
    [there] = device.take_sent()
    device.send(there)
    assert device.level() == -3.21


TOUCH = "in = 'bend:1'\nto = 'stem/1/fader'\nmotor = true\ntouch = 'note:1:104'"


def test_a_touched_fader_is_never_driven(mixer):
    device = Device(mixer, [TOUCH])
    device.send("90 68 7f")
    mixer.controls.set("stem/vocals/gain_db", -30)
    assert device.take_sent() == []
    assert device.send("90 68 00") == ["e0 00 20"]


def test_fader_receives_its_value_on_release(mixer):
    device = Device(mixer, [TOUCH])
    assert device.send("90 68 7f", "e0 00 40", "e0 00 50") == []
    assert device.send("80 68 00") == ["e0 00 50"]


def test_fader_without_touch_receives_its_value_at_rest(mixer):
    device = Device(mixer, [TOUCH])
    assert device.send("e0 00 40") == []
    assert device.take_sent(later=0.1) == []
    assert device.take_sent(later=0.2) == ["e0 00 40"]
    assert device.take_sent(later=1.0) == []


def test_a_fader_waits_until_it_has_picked_up(mixer):
    device = Device(mixer, [FADER])
    device.send("b0 00 20")
    assert device.level() == 0.0
    assert "waits at 0.75: move up" in device.session.last
    device.send("b0 00 30", "b0 00 70")
    assert device.level() == pytest.approx(5.28, abs=0.01)


def test_a_fader_loses_what_something_else_moved(mixer):
    device = Device(mixer, [FADER])
    device.send("b0 00 5f", "b0 00 50")
    mixer.controls.set("stem/vocals/gain_db", -40)
    device.send("b0 00 4e")
    assert device.level() == -40
    device.send("b0 00 10", "b0 00 0e")
    assert device.level() == pytest.approx(-52.4, abs=0.1)


def test_a_fader_picks_up_anew_after_a_change_of_bank(mixer):
    controls = ["in = 'cc:1:0'\nto = 'stem/1/fader'", "in = 'note:1:1'\nto = 'bank/right'\nled = 'note:1:1'"]
    device = Device(mixer, controls, "bank = 1")
    device.send("b0 00 5f", "b0 00 20")
    assert device.send("90 01 7f") == []
    device.send("b0 00 1e")
    assert device.level("drums") == 0.0
    device.send("b0 00 7f")
    assert device.level("drums") == 10.0


def test_banks_end_where_the_stems_do(mixer):
    names = {"left": 1, "right": 2}
    controls = [f"in = 'note:1:{n}'\nto = 'bank/{way}'\nled = 'note:1:{n}'" for way, n in names.items()]
    device = Device(mixer, [*controls, "in = 'bend:1'\nto = 'stem/1/fader'\nmotor = true\ncount = 3"], "bank = 3")
    mixer.controls.set("stem/other/gain_db", 10)
    assert device.take_sent() == []
    assert set(device.send("90 02 7f")) == {"90 01 7f", "90 02 00", "e2 7f 7f"}
    assert device.send("90 02 7f") == []
    assert set(device.send("90 01 7f")) == {"90 01 00", "90 02 7f", "e2 7f 5f"}


def test_presets_are_recalled_and_lit(mixer):
    device = Device(mixer, ["in = 'program:1:5'\nto = 'preset/karaoke'\nled = 'note:1:9'"])
    assert device.send("c0 05") == ["90 09 7f"]
    assert mixer.recalled == [("karaoke", None)]


def test_a_missing_preset_is_an_error_with_a_message(mixer):
    device = Device(mixer, ["in = 'note:1:5'\nto = 'preset/nothing'"])
    device.send("90 05 7f")
    assert device.session.errors == 1


def test_all_solos_end_with_one_press(mixer):
    device = Device(mixer, ["in = 'note:1:90'\nto = 'solo/clear'\nled = 'note:1:115'"])
    mixer.controls.update({"stem/drums/solo": True, "stem/bass/solo": True})
    assert device.take_sent() == ["90 73 7f"]
    assert device.send("90 5a 7f") == ["90 73 00"]
    assert not any(mixer.controls[f"stem/{stem}/solo"] for stem in mixer.stems)


def test_karaoke_is_a_knob_or_a_button(mixer):
    device = Device(mixer, ["in = 'cc:1:1'\nto = 'karaoke'", "in = 'note:1:1'\nto = 'karaoke'"], FREE)
    device.send("b0 01 7f")
    assert mixer.controls["karaoke"] == 1.0
    device.send("90 01 7f")
    assert mixer.controls["karaoke"] == 0.0


def test_strip_without_a_stem_does_nothing_and_reports_it(mixer):
    device = Device(mixer, ["in = 'cc:1:0'\nto = 'stem/5/fader'", "in = 'note:1:0'\nto = 'stem/guitar/mute'"])
    device.send("b0 00 40", "90 00 7f")
    assert mixer.applied == []
    assert "stem/guitar/mute is not there" in device.session.last


def test_what_is_not_in_the_map_is_shown_and_no_error(mixer):
    device = Device(mixer, [FADER])
    device.send("b0 63 10")
    assert "not in the map 'test'" in device.session.last
    assert device.session.errors == 0


def test_the_device_is_left_dark(mixer):
    mixer.controls.update({"stem/drums/mute": True})
    device = Device(mixer, ["in = 'note:1:16'\nto = 'stem/drums/mute'\nled = 'note:1:16'"])
    device.session.shutdown()
    assert device.take_sent() == ["90 10 00"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(packets=st.lists(st.binary(min_size=1, max_size=24), max_size=60))
def test_no_bytes_break_a_session(mixer, packets):
    session = MidiSession(mixer, load_map("mackie-control"), lambda _: None)
    for now, packet in enumerate(packets):
        session.receive(packet, float(now))
        session.commit()
        session.tick(float(now))
    for path, parameter in mixer.controls.parameters.items():
        assert parameter.coerce(mixer.controls[path]) == mixer.controls[path]


ROOM = Parameter("stem/vocals/chain/1/room_size", 0.5, 0.0, 2.0)


def test_a_knob_moves_a_setting_of_an_effect_while_the_effect_is_there(mixer):
    device = Device(mixer, ["in = 'cc:1:1'\nto = 'stem/1/chain/1/room_size'\nled = 'cc:1:1'"], FREE)
    device.send("b0 01 7f")
    assert device.session.last == "cc:1:1 127: stem/1/chain/1/room_size is not there"
    mixer.controls.replace_parameters((), (ROOM,))
    device.session.rebind()
    assert device.take_sent() == ["b0 01 20"]
    device.send("b0 01 7f")
    assert mixer.controls[ROOM.path] == 2.0
    mixer.controls.replace_parameters((ROOM.path,), ())
    device.session.rebind()
    assert device.send("b0 01 00") == ["b0 01 00"]
    assert device.session.errors == 0


def test_a_button_bypasses_one_effect_and_a_map_may_narrow_a_knob(mixer):
    bypass, narrow = Parameter("stem/vocals/chain/1/bypass", default=False), "low = 0.5\nhigh = 1.5"
    mixer.controls.replace_parameters((), (ROOM, bypass))
    knob = f"in = 'cc:1:1'\nto = 'stem/vocals/chain/1/room_size'\n{narrow}"
    device = Device(mixer, [knob, "in = 'note:1:1'\nto = 'stem/1/chain/1/bypass'"], FREE)
    device.send("b0 01 00", "90 01 7f")
    assert mixer.controls[ROOM.path] == 0.5
    assert mixer.controls[bypass.path] is True
    device.send("b0 01 7f")
    assert mixer.controls[ROOM.path] == 1.5


def test_a_preset_that_takes_long_holds_up_no_fader_and_yields_to_later_moves(mixer):
    loading, loaded = threading.Event(), threading.Event()

    def recall(name, *, fade_ms=None):  # noqa: ARG001 - as the mixer's
        loading.set()
        assert loaded.wait(PATIENCE)
        mixer.controls.update({"stem/vocals/mute": True, "stem/drums/mute": True})

    mixer.recall = recall
    made = MidiSession(
        mixer,
        parse_map(
            'schema = 1\n[[control]]\nin = "note:1:1"\nto = "preset/karaoke"\n'
            '[[control]]\nin = "note:1:2"\nto = "stem/vocals/mute"\n'
        ),
        lambda _: None,
    )
    made.receive(bytes.fromhex("90 01 7f"), 0.0)
    until(loading.is_set)
    made.receive(bytes.fromhex("90 02 7f"), 0.0)
    made.receive(bytes.fromhex("90 02 00"), 0.0)
    made.commit()
    assert mixer.controls["stem/vocals/mute"] is True
    made.receive(bytes.fromhex("90 02 7f"), 0.0)
    made.commit()
    assert mixer.controls["stem/vocals/mute"] is False
    loaded.set()
    until(lambda: mixer.controls["stem/drums/mute"])
    until(lambda: made.tick(0.0) or mixer.controls["stem/vocals/mute"] is False)
