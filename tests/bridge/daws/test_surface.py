"""A DAW as a control surface: real sockets, a thread, and what may go wrong with them."""

import os
import socket
import threading
import time

import pytest
from waiting import PATIENCE, QUIET, until

from bridge.daws import presence
from bridge.daws import surface as surface_module
from bridge.daws.ardour import Ardour
from bridge.daws.reaper import Reaper
from bridge.daws.surface import DAWS, DawSurface
from bridge.osc.codec import read_packet, write_message
from stream_sep.errors import BridgeError, ConfigError


@pytest.fixture
def daw():
    """Where a DAW would listen."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(PATIENCE)
        yield listening


@pytest.fixture
def surface(mixer, daw):
    made = DawSurface(mixer, "reaper", listen=0, send=daw.getsockname()[1])
    made.start()
    yield made
    made.stop()


def receive(daw):
    return read_packet(daw.recv(65535)).messages[0]


def test_it_greets_follows_and_is_followed(surface, mixer, daw):
    assert receive(daw).address == "/action/41743"
    us = ("127.0.0.1", surface.port)
    daw.sendto(write_message("/track/3/name", ("Vocals",)), us)
    until(lambda: surface.tracks.get("vocals") == 3)
    daw.sendto(write_message("/track/3/volume/db", (-7.5,)), us)
    until(lambda: mixer.controls["stem/vocals/gain_db"] == -7.5)
    assert surface.last == "/track/3/volume/db -7.5: stem/vocals/gain_db -7.5"
    mixer.apply({"stem/vocals/gain_db": -20.0})
    assert receive(daw) == read_packet(write_message("/track/3/volume/db", (-20.0,))).messages[0]


def test_packets_of_another_host_are_ignored(mixer, daw):
    surface = DawSurface(mixer, "reaper", host="127.0.0.2", listen=0, send=9)
    surface.start()
    try:
        daw.sendto(write_message("/track/1/volume/db", (-7.5,)), ("127.0.0.1", surface.port))
        until(lambda: "127.0.0.1 is not the host of reaper, 127.0.0.2" in surface.last)
        assert mixer.applied == []
    finally:
        surface.stop()


@pytest.mark.parametrize("name", DAWS)
def test_random_bytes_are_counted_and_end_nothing(mixer, daw, name):
    surface = DawSurface(mixer, name, listen=0, send=daw.getsockname()[1])
    surface.start()
    try:
        for batch in range(1, 7):
            for length in range(1, 50):
                daw.sendto(os.urandom(length * batch), ("127.0.0.1", surface.port))
            until(lambda batch=batch: surface.errors >= 40 * batch)
        assert mixer.applied == []
        assert any(thread.name == f"daw {name}" for thread in threading.enumerate())
    finally:
        surface.stop()


@pytest.mark.parametrize("name", DAWS)
def test_it_can_stop_and_start_again_and_leaves_no_thread(mixer, daw, name):
    surface = DawSurface(mixer, name, listen=0, send=daw.getsockname()[1])
    surface.stop()
    for _ in range(3):
        surface.start()
        surface.start()
        surface.stop()
        surface.stop()
    assert not any(thread.name == f"daw {name}" for thread in threading.enumerate())
    mixer.apply({"stem/vocals/gain_db": -3.0})


def test_a_desk_that_fails_does_not_end_it(surface, mixer, daw):
    moves = iter([RuntimeError("the mixer broke")])

    def apply(values, **_):
        for error in moves:
            raise error
        mixer.controls.update(values)

    mixer.apply = apply
    us = ("127.0.0.1", surface.port)
    until(lambda: surface.tracks)
    daw.sendto(write_message("/track/1/volume/db", (-7.5,)), us)
    until(lambda: surface.errors == 1)
    daw.sendto(write_message("/track/1/volume/db", (-8.5,)), us)
    until(lambda: mixer.controls["stem/vocals/gain_db"] == -8.5)


def test_a_taken_port_is_named(surface, mixer):
    with pytest.raises(BridgeError, match=f"{surface.port}.*reaper"):
        DawSurface(mixer, "reaper", listen=surface.port).start()


def test_ports_are_the_usual_ones(mixer):
    listened = {name: DawSurface(mixer, name).port for name in DAWS}
    assert listened == {"reaper": 9000, "ardour": 0, "mixbus": 0, "ableton": 11001, "bitwig": 9000, "x32": 10023}
    assert {name: DAWS[name]().send for name in DAWS if name != "x32"} == {
        "reaper": 8000,
        "ardour": 3819,
        "mixbus": 3819,
        "ableton": 11000,
        "bitwig": 8000,
    }


def test_a_daw_a_host_or_a_port_that_cannot_be_is_named(mixer):
    with pytest.raises(ConfigError, match="audacity"):
        DawSurface(mixer, "audacity")
    for host, port in (("nowhere.invalid", 8000), ("127.0.0.1", 123456)):
        with pytest.raises(BridgeError, match=f"{host}.*{port}"):
            DawSurface(mixer, "reaper", host=host, listen=0, send=port).start()
    with pytest.raises(BridgeError, match="99999"):
        DawSurface(mixer, "reaper", listen=99999).start()


def test_x32_replies_to_any_client(mixer, daw):
    surface = DawSurface(mixer, "x32", listen=0)
    surface.start()
    try:
        us = ("127.0.0.1", surface.port)
        daw.sendto(b"/xremote\0\0\0\0,\0\0\0", us)
        daw.sendto(b"/ch/01/config/name\0\0,\0\0\0", us)
        assert receive(daw).arguments == ("vocals",)
        mixer.apply({"stem/other/mute": True})
        assert receive(daw) == read_packet(write_message("/ch/04/mix/on", (0,))).messages[0]
    finally:
        surface.stop()


# reports to the user


@pytest.fixture
def received():
    return []


@pytest.fixture
def follow(mixer, daw, received):
    made = []

    def following(name, **settings):
        made.append(DawSurface(mixer, name, listen=0, send=daw.getsockname()[1], report=received.append, **settings))
        made[-1].start()
        return made[-1]

    yield following
    for one in made:
        one.stop()


def test_missing_daw_is_reported_once_with_a_remedy(monkeypatch, follow, received):
    monkeypatch.setattr(presence, "ABSENT_SECONDS", 0.05)
    monkeypatch.setattr(Ardour, "poll_seconds", 0.05)
    surface = follow("ardour")
    until(lambda: received)
    time.sleep(QUIET)
    assert received == ["Ardour does not respond: turn OSC on in Edit, Preferences, Control Surfaces"]
    assert surface.last == "Ardour does not respond"


def test_daw_that_replies_is_reported_with_its_tracks_and_heartbeats_are_not(follow, received, daw):
    surface = follow("ardour")
    assert receive(daw).address == "/set_surface"
    us = ("127.0.0.1", surface.port)
    for track, name in enumerate(("Click", "Vocals", "Drums", "Bass"), 1):
        daw.sendto(write_message("/strip/name", (track, name)), us)
    expected = "Ardour: vocals 2, drums 3, bass 4; no track for other"
    until(lambda: received == [expected])
    daw.sendto(write_message("/heartbeat", (1.0,)), us)
    time.sleep(QUIET)
    assert surface.last == expected
    daw.sendto(write_message("/strip/gain", (2, -6.0)), us)
    until(lambda: "stem/vocals/gain_db -6" in surface.last)
    assert received == [expected]


def test_a_move_is_shown_for_a_moment_and_then_the_tracks_again(monkeypatch, follow, daw):
    monkeypatch.setattr(surface_module, "_SHOWN_SECONDS", 0.05)
    surface = follow("reaper")
    us = ("127.0.0.1", surface.port)
    daw.sendto(write_message("/track/1/name", ("Vocals",)), us)
    until(lambda: surface.tracks)
    daw.sendto(write_message("/track/1/volume/db", (-7.5,)), us)
    until(lambda: "-7.5" in surface.last)
    until(lambda: surface.last == "REAPER: vocals 1, drums 2, bass 3, other 4")


def test_a_daw_that_ends_and_comes_back_is_reported(monkeypatch, follow, received, daw):
    monkeypatch.setattr(Ardour, "poll_seconds", 0.5)
    surface = follow("mixbus")
    us = ("127.0.0.1", surface.port)
    daw.sendto(write_message("/strip/name", (1, "Vocals")), us)
    until(lambda: len(received) == 1)
    until(lambda: received[-1].startswith("Mixbus does not respond"))
    daw.sendto(write_message("/strip/name", (1, "Vocals")), us)
    until(lambda: received[-1].startswith("Mixbus: vocals 1"))


def test_x32_reports_its_number_of_clients_and_replies_to_no_other_network(monkeypatch, follow, daw):
    surface = follow("x32")
    assert surface.last == "X32: no client yet"
    daw.sendto(write_message("/xremote"), ("127.0.0.1", surface.port))
    monkeypatch.setattr(surface_module, "_SHOWN_SECONDS", 0.0)
    until(lambda: surface.last == "X32: 1 client")
    monkeypatch.setattr(surface_module, "is_local_network", lambda host: False)  # noqa: ARG005 - as it is called
    daw.sendto(write_message("/info"), ("127.0.0.1", surface.port))
    with pytest.raises(TimeoutError):
        daw.settimeout(QUIET) or daw.recv(65535)


def test_an_unexpected_message_costs_no_other(monkeypatch, surface, mixer, daw, caplog):
    plain = Reaper.read

    def read(self, message):
        if message.address == "/odd":
            raise ZeroDivisionError
        return plain(self, message)

    monkeypatch.setattr(Reaper, "read", read)
    us = ("127.0.0.1", surface.port)
    for _ in range(5):
        daw.sendto(write_message("/odd", (1.0,)), us)
    daw.sendto(write_message("/track/1/name", ("Vocals",)), us)
    until(lambda: surface.tracks)
    daw.sendto(write_message("/track/1/volume/db", (-7.5,)), us)
    until(lambda: mixer.controls["stem/vocals/gain_db"] == -7.5)
    assert surface.errors == 5
    assert caplog.text.count("Traceback") == 1
