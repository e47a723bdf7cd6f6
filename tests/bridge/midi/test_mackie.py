"""Mackie Control as streams of bytes."""

import pytest

from bridge.midi.map_files import load_map
from bridge.midi.session import MidiSession
from stream_sep.control.parameters import parameters_for
from stream_sep.control.state import ControlState

HEAD = "f0 00 00 66 14"


class Mackie:
    """The device: keeps the messages sent to it, and shows them as its display would."""

    def __init__(self, mixer, **options):
        self.sent, self.now = [], 0.0
        self.session = MidiSession(mixer, load_map("mackie-control"), self.sent.append, **options)
        self._changed = []
        mixer.controls.subscribe(self._changed.append)
        self.session.initialize()

    def send(self, *messages):
        for message in messages:
            self.session.receive(bytes.fromhex(message), self.now)
            self.session.commit()

    def take_sent(self, later=0.0):
        self.now += later
        if self._changed:
            self.session.refresh(set(self._changed))
            self._changed.clear()
        self.session.tick(self.now)
        sent = [message.hex(" ") for message in self.sent]
        self.sent.clear()
        return sent

    @staticmethod
    def lines(sent):
        """Return the two lines of text on the display."""
        face = [" "] * 112
        for message in sent:
            data = bytes.fromhex(message)
            if message.startswith(f"{HEAD} 12"):
                place, text = data[6], data[7:-1].decode("ascii")
                face[place : place + len(text)] = text
        return "".join(face[:56]), "".join(face[56:])


@pytest.fixture
def mackie(mixer):
    device = Mackie(mixer)
    device.first = device.take_sent()
    return device


def test_silent_device_receives_everything_at_once(mackie):
    for strip in range(4):
        assert f"e{strip} 7f 5f" in mackie.first
        assert f"90 {0x10 + strip:02x} 00" in mackie.first
        assert f"b0 {0x30 + strip:02x} 46" in mackie.first
    assert "e4 00 00" in mackie.first
    assert "e8 7f 5f" in mackie.first


def test_names_stand_over_levels(mackie):
    names, levels = mackie.lines(mackie.first)
    assert names.split() == ["vocals", "drums", "bass", "other"]
    assert names[7:14] == "drums  "
    assert levels.split() == ["0.0dB"] * 4


def test_the_scribble_strip_follows_the_level(mackie, mixer):
    for level, text in ((-12.34, "-12.3 "), (-90, "off   "), (10, "10.0dB"), (-0.01, "0.0dB ")):
        mixer.controls.set("stem/drums/gain_db", level)
        _, levels = mackie.lines(mackie.take_sent())
        assert levels[7:13] == text


def test_fader_moves_with_fourteen_bits_and_receives_its_value(mackie, mixer):
    mackie.send("90 69 7f", "e1 00 40", "e1 00 20")
    assert mixer.controls["stem/drums/gain_db"] == pytest.approx(-30.0, abs=0.01)
    assert not any(message.startswith("e1") for message in mackie.take_sent())
    mackie.send("90 69 00")
    assert "e1 00 20" in mackie.take_sent()


def test_unity_and_back_is_unity(mackie, mixer):
    mackie.send("90 68 7f", "e0 00 00", "e0 70 5f", "90 68 00")  # 12272: two steps of the ten bits off
    assert mixer.controls["stem/vocals/gain_db"] == 0.0
    assert "e0 7f 5f" in mackie.take_sent()


def test_mute_solo_and_the_lamp_of_solos(mackie, mixer):
    mackie.send("90 12 7f", "90 12 00", "90 08 7f", "90 08 00")
    assert mixer.controls["stem/bass/mute"] is True
    assert mixer.controls["stem/vocals/solo"] is True
    assert {"90 12 7f", "90 08 7f", "90 73 7f"} <= set(mackie.take_sent())
    mackie.send("90 5a 7f")
    assert {"90 08 00", "90 73 00"} <= set(mackie.take_sent())


def test_a_v_pot_pans_and_its_ring_shows_it(mackie, mixer):
    mackie.send("b0 10 05")
    assert mixer.controls["stem/vocals/pan"] == pytest.approx(0.2)
    assert "b0 30 07" in mackie.take_sent()
    mackie.send("b0 10 4a", *["b0 10 7f"] * 9)
    assert mixer.controls["stem/vocals/pan"] == -1.0
    assert "b0 30 01" in mackie.take_sent()
    mackie.send("90 20 7f", "90 20 00")
    assert "b0 30 46" in mackie.take_sent()


def test_the_master_fader_is_the_ninth(mackie, mixer):
    mackie.send("90 70 7f", "e8 7f 7f", "90 70 00")
    assert mixer.controls["master/gain_db"] == 10.0
    assert "e8 7f 7f" in mackie.take_sent()


def test_function_keys_recall_presets(mackie, mixer):
    mackie.send("90 38 7f", "90 38 00")
    assert mixer.recalled == [("acapella", None)]
    assert "90 38 7f" in mackie.take_sent()


def test_meters_rise_with_the_stems_and_show_overload_once(mackie, mixer):
    mixer.metered = {**mixer.metered, "drums": (0.1, 0.05), "other": (1.2, 0.1)}
    assert [message for message in mackie.take_sent(later=1.0) if message.startswith("d0")] == [
        "d0 16",
        "d0 3c",
        "d0 3e",
    ]
    assert mackie.take_sent(later=0.01) == []
    assert mackie.take_sent(later=1.0) == ["d0 16", "d0 3c"]
    mixer.metered = dict.fromkeys(mixer.metered, (0.0, 0.0))
    assert mackie.take_sent(later=1.0) == ["d0 10", "d0 30", "d0 3f"]
    assert mackie.take_sent(later=1.0) == []


def test_device_that_sends_a_query_receives_a_reply_and_everything_again(mackie):
    mackie.send(f"{HEAD} 01 31 32 33 34 35 36 37 01 02 03 04 f7")
    sent = mackie.take_sent()
    assert f"{HEAD} 02 31 32 33 34 35 36 37 05 05 7b 2f f7" in sent
    assert "e8 7f 5f" in sent
    assert mackie.lines(sent)[0].split() == ["vocals", "drums", "bass", "other"]
    mackie.send(f"{HEAD} 03 31 32 33 34 35 36 37 f7")
    assert "e8 7f 5f" in mackie.take_sent()


def test_an_extender_gets_replies_with_its_own_number(mackie):
    mackie.send("f0 00 00 66 15 01 31 32 33 34 35 36 37 01 02 03 04 f7")
    assert any(message.startswith("f0 00 00 66 15 12 00") for message in mackie.take_sent())


@pytest.mark.parametrize("data", ["f0 f7", "f0 7e 00 06 01 f7", "f0 00 00 66 14 01 31 f7", "f0 00 00 66 55 01 f7"])
def test_other_exclusive_messages_are_let_be(mackie, data):
    mackie.send(data)
    assert mackie.session.errors == 0


def test_an_x_touch_gets_colours(mixer):
    assert any(message.startswith(f"{HEAD} 72 02 01 04 03 00") for message in Mackie(mixer, colours=True).take_sent())
    assert not any(message.startswith(f"{HEAD} 72") for message in Mackie(mixer).take_sent())


def test_it_is_left_dark(mackie):
    mackie.send("90 12 7f")
    mackie.take_sent()
    mackie.session.shutdown()
    sent = mackie.take_sent()
    assert "90 12 00" in sent
    assert "b0 30 00" in sent
    assert mackie.lines(sent) == (" " * 56, " " * 56)


class Choir:
    """A mixer of many stems."""

    def __init__(self, count):
        self.stems = tuple(f"part{number}" for number in range(1, count + 1))
        self.controls = ControlState(parameters_for(self.stems))
        self.peaks = lambda: {**dict.fromkeys(self.stems, (0.0, 0.0)), "part10": (1.0, 0.0)}

    def apply(self, values):
        self.controls.update(values)


def test_more_than_eight_stems_come_in_banks():
    choir = Choir(10)
    mackie = Mackie(choir)
    assert mackie.lines(mackie.take_sent())[0].split() == [f"part{n}" for n in range(1, 9)]
    mackie.send("90 2f 7f", "90 2f 00")
    sent = mackie.take_sent(later=1.0)
    assert mackie.lines(sent)[0].split() == [f"part{n}" for n in range(3, 11)]
    assert {"90 2e 7f", "90 2f 00", "d0 7c"} <= set(sent)
    mackie.send("90 6f 7f", "e7 00 00")
    assert choir.controls["stem/part10/gain_db"] == -90
    mackie.send("90 6f 00", "90 30 7f")
    assert mackie.lines(mackie.take_sent())[0].split() == [f"part{n}" for n in range(2, 10)]
    mackie.send("90 2e 7f")
    assert mackie.lines(mackie.take_sent())[0].split()[0] == "part1"
