"""Maps: every one that ships at work, and files that are not right."""

import os
from pathlib import Path

import pytest

from bridge.midi.address import Address
from bridge.midi.map import Control, MidiMap, parse_map
from bridge.midi.map_files import FOLDER_VARIABLE, load_map, match_map, midi_maps
from bridge.midi.map_writer import entry, save_control
from bridge.midi.messages import RELATIVE, encode
from bridge.midi.session import MidiSession
from bridge.midi.targets import find_target, target_kind
from stream_sep.control.parameters import parameters_for
from stream_sep.control.state import ControlState
from stream_sep.control.transport import transport_parameters
from stream_sep.errors import ConfigError

SHIPPED = ("generic", "launch-control-xl", "mackie-control", "midimix", "nanokontrol2", "x-touch-mini")
PORTS = {
    "nanoKONTROL2:nanoKONTROL2 MIDI 1 28:0": "nanokontrol2",
    "nanoKONTROL2 1 SLIDER/KNOB": "nanokontrol2",
    "MIDI Mix:MIDI Mix MIDI 1 20:0": "midimix",
    "Launch Control XL:Launch Control XL MIDI 1 24:0": "launch-control-xl",
    "X-TOUCH MINI:X-TOUCH MINI MIDI 1 32:0": "x-touch-mini",
    "X-Touch:X-Touch MIDI 1 28:0": "mackie-control",
    "Some Piano": "generic",
}


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """The user's maps, none yet."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "midi"))
    return tmp_path / "midi"


def every_control():
    every = [(name, control) for name in SHIPPED for control in bundled(name)]
    return [pytest.param(name, control, id=f"{name} {control.source}") for name, control in every]


def bundled(name):
    folder = Path(__file__).parents[3] / "presets" / "midi"
    return parse_map((folder / f"{name}.toml").read_text()).controls


def test_these_maps_ship():
    assert tuple(sorted(midi_maps())) == SHIPPED


def test_what_a_mac_leaves_beside_a_map_is_no_map(own_folder):
    own_folder.mkdir()
    for name in ("mine.toml", "._mine.toml"):
        (own_folder / name).write_text("schema = 1\n")
    assert set(midi_maps()) - set(SHIPPED) == {"mine"}


def test_a_folder_of_maps_that_cannot_be_read_is_reported(own_folder, monkeypatch):
    own_folder.mkdir()
    read = Path.iterdir

    def refuse(self):
        if self == own_folder:
            raise PermissionError(13, "Permission denied", str(self))
        return read(self)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(ConfigError, match="cannot read the MIDI maps in"):
        midi_maps()


@pytest.mark.parametrize(("port", "name"), PORTS.items())
def test_a_map_is_found_by_the_name_of_the_port(port, name):
    assert match_map(port) == name


@pytest.mark.parametrize("name", SHIPPED)
def test_no_two_controls_of_a_map_share_an_address(name):
    controls = bundled(name)
    addresses = [str(one.source) for one in controls] + [str(one.touch) for one in controls if one.touch]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_map_gives_every_strip_a_fader(name):
    targets = {control.to for control in bundled(name)}
    assert {f"stem/{number}/fader" for number in range(1, 9)} <= targets


def use(session, control):
    """Move a control as a hand would: a press, or from one end to the other."""
    if control.mode in RELATIVE:
        values = [1]
    elif target_kind(control.to) == "value" and control.mode == "absolute":
        values = [0, (1 << control.source.bits) - 1]
    else:
        values = [127, 0]
    for value in values:
        for message in encode(control.source, value):
            session.receive(message, 0.0)
        session.commit()


@pytest.mark.parametrize(("name", "control"), every_control())
def test_every_control_of_every_map_reaches_its_path_and_its_light(name, control, mixer):
    mixer.stems = ("vocals", *(f"part{number}" for number in range(2, 17)))
    mixer.controls = ControlState((*parameters_for(mixer.stems), *transport_parameters()))
    target = find_target(control.to, mixer.stems)
    if control.mode == "reset":
        mixer.controls.set(target.path, 0.5)
    sent = []
    session = MidiSession(mixer, MidiMap(name, (control,)), sent.append)
    session.initialize()
    before = mixer.controls.snapshot()
    sent.clear()
    use(session, control)
    after = mixer.controls.snapshot()
    changed = {path for path in after if after[path] != before[path]}
    if target is not None:
        assert changed == {target.path}
        session.refresh(changed)
        assert bool(sent) == (control.led is not None)
        if control.led is not None and control.led_style != "ring":
            assert sent == encode(control.led, control.led_on if after[target.path] else control.led_off)
    else:
        assert changed <= {"preset", control.to}
    assert session.errors == (control.to.startswith("preset/") and control.to[7:] not in mixer.presets())


def test_presets_of_the_shipped_maps_ship():
    from stream_sep.control.presets.library import shipped_presets  # noqa: PLC0415

    named = {control.to[7:] for name in SHIPPED for control in bundled(name) if control.to.startswith("preset/")}
    assert named <= set(shipped_presets())


CONTROL = "schema = 1\n[[control]]\nin = 'cc:1:0'\nto = 'stem/1/fader'\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not begin with schema = 1"),
        ("schema = 2", "does not begin with schema = 1"),
        ("schema = ", "Invalid value"),
        ("schema = 1\nnmae = 'x'", "unknown key 'nmae'; did you mean 'name'"),
        ("schema = 1\nname = 3", "name cannot be 3"),
        ("schema = 1\nmatch = [3]", "parts of port names"),
        ("schema = 1\nbank = 0", "bank takes"),
        ("schema = 1\nbank = true", "bank cannot be True"),
        ("schema = 1\nprofile = 'mackie'", "did you mean 'mackie-control'"),
        ("schema = 1\ncontrol = [3]", r"control 1: write each control under \[\[control\]\]"),
        ("schema = 1\n[[control]]\nto = 'bypass'", "control 1: 'in' is missing"),
        (CONTROL + "lde = 'cc:1:0'", "control 1: unknown key 'lde'; did you mean 'led'"),
        (CONTROL + "mode = 'relative2s'", "did you mean 'relative-2s'"),
        (CONTROL + "mode = 'toggle'", "mode cannot be 'toggle'; choose from absolute"),
        (CONTROL.replace("fader", "fadr"), "did you mean 'stem/1/fader'"),
        (CONTROL.replace("cc:1:0", "cc:1:128"), "needs a number between 0 and 127"),
        (CONTROL.replace("cc:1:0", "note:1:1") + "mode = 'absolute'", "needs a fader or a knob"),
        (CONTROL.replace("cc:1:0", "cc:1:40") + "mode = '14-bit'", "needs a number between 0 and 31"),
        (CONTROL.replace("cc:1:0", "cc:1:126") + "count = 4", "'cc:1:128' needs a number"),
        (CONTROL.replace("stem/1", "master") + "count = 4", "a stem by number"),
        (CONTROL + "step = 0", "step takes"),
        (CONTROL + "led_on = 128", "led_on takes 0 to 127"),
        (CONTROL + "low = -20", "a fader has a law of its own"),
        (CONTROL.replace("fader", "gain") + "low = 3\nhigh = 2", "low = 3 is not below high = 2"),
    ],
)
def test_a_map_that_is_not_right_is_refused_by_file_key_and_nearest_name(text, message):
    with pytest.raises(ConfigError, match=message) as refused:
        parse_map(text, "my.toml")
    assert str(refused.value).startswith("MIDI map my.toml: ")


def test_a_map_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ConfigError, match=r"unknown MIDI map 'kazoo'.*generic.*nanokontrol2"):
        load_map("kazoo")


def test_a_map_may_be_a_file(tmp_path):
    (tmp_path / "mine.toml").write_text(CONTROL)
    assert load_map(tmp_path / "mine.toml").controls == (Control(Address("cc", 1, 0), "stem/1/fader", "absolute"),)


def test_the_users_map_wins_over_one_that_ships(own_folder):
    own_folder.mkdir()
    (own_folder / "mine.toml").write_text("match = ['nanoKONTROL2']\n" + CONTROL)
    (own_folder / "broken.toml").write_text("match = ['nanoKONTROL2']")
    assert match_map("nanoKONTROL2 MIDI 1") == "mine"
    assert len(load_map("mine").controls) == 1


def test_learnt_control_makes_a_map_with_the_port(own_folder):
    learnt = Control(Address("cc14", 2, 7), "stem/1/fader", "absolute")
    file = save_control(learnt, "Faderfox EC4:EC4 MIDI 1 20:0")
    assert file == own_folder / "faderfox-ec4.toml"
    assert load_map(match_map("Faderfox EC4:EC4 MIDI 1 28:0")).controls == (learnt,)


def test_a_learnt_control_of_a_known_device_keeps_its_other_controls(own_folder):
    learnt = Control(Address("cc", 1, 2), "master/fader", "absolute")
    before = load_map("nanokontrol2")
    save_control(learnt, "nanoKONTROL2 MIDI 1")
    after = load_map(match_map("nanoKONTROL2 MIDI 1"))
    assert set(before.controls) - set(after.controls) == {Control(learnt.source, "stem/3/fader", "absolute")}
    assert set(after.controls) - set(before.controls) == {learnt}
    assert [file.name for file in own_folder.iterdir()] == ["nanokontrol2.toml"]


def test_learning_again_replaces(own_folder):
    for to in ("bypass", "karaoke", "stem/bass/mute"):
        file = save_control(Control(Address("note", 1, 3), to, "toggle"), "Box")
    assert [control.to for control in load_map(file).controls] == ["stem/bass/mute"]
    assert "bass" in (own_folder / "box.toml").read_text()


def test_a_map_that_cannot_be_read_is_nobodys_to_overwrite(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("schema = 1\nnmae = 'x'")
    with pytest.raises(ConfigError, match="nmae"):
        save_control(Control(Address("note", 1, 3), "bypass", "toggle"), "Box", file)
    assert file.read_text() == "schema = 1\nnmae = 'x'"


def test_writing_fails_whole(tmp_path, monkeypatch):
    file = tmp_path / "mine.toml"
    file.write_text(CONTROL)

    def no(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "replace", no)
    with pytest.raises(ConfigError, match="cannot write MIDI map"):
        save_control(Control(Address("note", 1, 3), "bypass", "toggle"), "Box", file)
    assert file.read_text() == CONTROL
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_control_reads_as_it_is_written(name):
    for control in bundled(name):
        text = "schema = 1\n[[control]]\n" + "".join(
            f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n"
            for key, value in entry(control).items()
        )
        assert parse_map(text).controls == (control,)


def test_the_transport_is_not_there_where_nothing_is_played(mixer):
    (control,) = [control for control in bundled("mackie-control") if control.to == "transport/next"]
    session = MidiSession(mixer, MidiMap("mackie-control", (control,)), lambda _: None)
    use(session, control)
    assert session.errors == 0
