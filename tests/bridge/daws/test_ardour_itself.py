"""Ardour itself, without screen or sound card: its faders and automation move the stems, and the mixer its faders."""

import os
import shutil
import socket
import subprocess
import time

import pytest
from requirements import require
from waiting import until

from bridge.daws.surface import DawSurface
from bridge.osc.codec import read_packet, write_message

PORT, RATE = 3819, 44100
TRACKS = ("Guide", "Bass", "drums bus", "Vocals", "other")
MAKE = """
AudioEngine:set_backend("None (Dummy)", "ValueCodec-Test", "")
local session = create_session("{folder}/song", "song", {rate})
for _, name in ipairs({{ {names} }}) do
  session:new_audio_track(1, 2, nil, 1, name, ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
end
local gain = session:route_by_name("Vocals"):gain_control()
gain:alist():add(Temporal.timepos_t(0), 1.0, false, true)
gain:alist():add(Temporal.timepos_t({rate} * 2), 0.1, false, true)
gain:set_automation_state(ARDOUR.AutoState.Play)
session:save_state("")
close_session()
quit()
"""
PLAY = """
AudioEngine:set_backend("None (Dummy)", "ValueCodec-Test", "")
assert(load_session("{folder}/song", "song"))
while io.read("l") do end
close_session()
quit()
"""


def port_is_free():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("0.0.0.0", PORT))
        except OSError:
            return False
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ardour")


@pytest.fixture(scope="module")
def lua(folder):
    """Starts a script in Ardour's own Lua, with no settings of anyone's."""
    program = shutil.which("ardour7-lua")
    require(program, "needs Ardour 7: apt install --no-install-recommends ardour")
    require(port_is_free(), f"needs UDP port {PORT}, which something has: end Ardour")
    environment = {**os.environ, "HOME": str(folder)}

    def start(name, text):
        file = folder / f"{name}.lua"
        file.write_text(text.format(folder=folder, rate=RATE, names=", ".join(f'"{name}"' for name in TRACKS)))
        with (folder / f"{name}.log").open("w") as log:
            return subprocess.Popen(
                [program, str(file)], env=environment, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT
            )

    return start


@pytest.fixture(scope="module")
def song(lua, folder):
    """A session with OSC switched on."""
    with lua("make", MAKE) as made:
        made.wait(60)
    file = folder / "song" / "song.ardour"
    osc = 'name="Open Sound Control (OSC)" active='
    text = file.read_text()
    assert f'{osc}"0"' in text
    file.write_text(text.replace(f'{osc}"0"', f'{osc}"1"'))
    return file


@pytest.fixture(scope="module")
def ardour(lua, song):
    assert song.is_file()
    with lua("play", PLAY) as running:
        try:
            until(lambda: running.poll() is not None or not port_is_free())
            assert running.poll() is None, "Ardour did not start"
            yield ("127.0.0.1", PORT)
        finally:
            running.stdin.close()
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()


@pytest.fixture
def surface(ardour, mixer):
    made = DawSurface(mixer, "ardour", host=ardour[0], send=ardour[1])
    made.start()
    until(lambda: len(made.tracks) == 4)
    yield made
    made.stop()


class Controller:
    """Another surface of Ardour's, which moves faders and receives their values."""

    def __init__(self, ardour):
        self._ardour, self.shown = ardour, {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0)
        self.send("/set_surface", 0, 159, 3, 0, 0, 0, 0)

    def send(self, address, *arguments):
        self._socket.sendto(write_message(address, arguments), self._ardour)

    def shown_value(self, address, strip):
        while True:
            try:
                packet = self._socket.recv(65535)
            except BlockingIOError:
                return self.shown.get((address, strip))
            if packet.startswith(b"/"):
                for message in read_packet(packet).messages:
                    self.shown[message.address, message.arguments[0]] = message.arguments[-1]

    def close(self):
        self.send("/set_surface/feedback", 0)
        self._socket.close()


@pytest.fixture
def controller(ardour):
    made = Controller(ardour)
    until(lambda: made.shown_value("/strip/name", 5) == "other")
    yield made
    made.close()


def test_its_tracks_are_found_by_their_names(surface):
    assert surface.tracks == {"vocals": 4, "drums": 3, "bass": 2, "other": 5}
    assert surface.errors == 0


@pytest.mark.usefixtures("surface")
def test_its_faders_move_the_stems_and_no_others(controller, mixer):
    controller.send("/strip/gain", 3, -7.5)
    controller.send("/strip/mute", 2, 1)
    controller.send("/strip/gain", 1, -40.0)
    until(lambda: mixer.controls["stem/drums/gain_db"] == pytest.approx(-7.5, abs=0.01))
    until(lambda: mixer.controls["stem/bass/mute"])
    controller.send("/strip/solo", 5, 1)
    until(lambda: mixer.controls["stem/other/solo"])
    controller.send("/strip/solo", 5, 0)
    controller.send("/strip/mute", 2, 0)
    until(lambda: not mixer.controls["stem/other/solo"] and not mixer.controls["stem/bass/mute"])
    assert all(mixer.controls[f"stem/{stem}/gain_db"] > -20 for stem in mixer.stems)


def test_the_mixer_moves_its_faders(surface, controller, mixer):
    mixer.apply({"stem/bass/gain_db": -20.0, "stem/other/mute": True, "stem/drums/gain_db": -90.0})
    until(lambda: controller.shown_value("/strip/gain", 2) == pytest.approx(-20.0, abs=0.01))
    until(lambda: controller.shown_value("/strip/mute", 5) == 1.0)
    until(lambda: controller.shown_value("/strip/gain", 3) <= -193.0)
    mixer.apply({"stem/other/mute": False, "stem/bass/gain_db": 0.0})
    until(lambda: controller.shown_value("/strip/mute", 5) == 0.0)
    assert surface.errors == 0
    assert mixer.controls["stem/drums/gain_db"] == -90.0


def test_a_sweep_ends_where_the_mixer_left_it_though_ardour_echoes(surface, controller, mixer):
    for step in range(300):
        mixer.apply({"stem/bass/gain_db": -step / 20})
        controller.shown_value("/strip/gain", 2)  # a full receive buffer would lose the newest
        time.sleep(0.002)
    until(lambda: controller.shown_value("/strip/gain", 2) == pytest.approx(-14.95, abs=0.01))
    assert mixer.controls["stem/bass/gain_db"] == -14.95
    assert surface.errors == 0


def test_its_automation_moves_a_stem(surface, controller, mixer):
    levels = []
    mixer.controls.subscribe(
        lambda path: levels.append(mixer.controls[path]) if path == "stem/vocals/gain_db" else None
    )
    controller.send("/goto_start")
    controller.send("/transport_play")
    until(lambda: mixer.controls["stem/vocals/gain_db"] < -15.0)
    controller.send("/transport_stop")
    assert len(levels) > 5
    assert surface.tracks["vocals"] == 4
