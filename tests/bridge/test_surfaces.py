"""Control surfaces from the command line: their options, output, and stems sent as ReaStream."""

import socket
from contextlib import ExitStack
from typing import Annotated

import numpy as np
import pytest
import typer
from reastream_packets import parsed
from typer.testing import CliRunner

from bridge.osc.server import OscServer
from stream_sep import BridgeError, ConfigError, Engine, EngineConfig, OfflineBackend
from stream_sep.cli.surface_options import with_surface_options
from stream_sep.cli.surfaces import ReaStreamTap, SurfaceOptions, build_surfaces, start_surfaces


def names(surfaces):
    return [type(surface).__name__ for surface in surfaces]


def test_osc_is_the_only_surface_by_default(mixer):
    assert names(build_surfaces(mixer, SurfaceOptions(), print)) == ["OscServer"]
    assert build_surfaces(mixer, SurfaceOptions(osc_port=0), print) == []


def test_each_option_makes_its_surface(mixer):
    options = SurfaceOptions(
        osc_port=0, oscquery_port=9180, web_port=9190, midi=("stream_sep",), daws=("reaper", "ardour@studio")
    )
    assert names(build_surfaces(mixer, options, print)) == [
        "OscQueryServer",
        "LivePage",
        "MidiSurface",
        "DawSurface",
        "DawSurface",
    ]


@pytest.mark.parametrize("leads", [False, True])
def test_who_leads_when_a_daw_is_met_is_the_users_choice(mixer, leads):
    [surface] = build_surfaces(mixer, SurfaceOptions(osc_port=0, daws=("reaper",), daw_push=leads), print)
    assert surface._push_on_connect is leads


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (SurfaceOptions(daws=("cubase",)), "unknown DAW 'cubase'"),
        (SurfaceOptions(meter_rate=-1), "--meter-rate -1"),
        (SurfaceOptions(midi=("x",), midi_map="nano"), "nano"),
        (SurfaceOptions(osc_out=("nowhere",)), "nowhere"),
    ],
)
def test_options_that_make_no_sense_are_refused_with_a_message(mixer, options, words):
    with pytest.raises((ConfigError, BridgeError), match=words):
        build_surfaces(mixer, options, print)


def test_a_taken_port_is_an_error_only_where_it_was_requested(mixer):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken, ExitStack() as stack:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        messages = []
        assert start_surfaces([OscServer(mixer, port=port)], SurfaceOptions(), messages.append, stack) == []
        assert f"{port}" in messages[0]
        assert "going on without OSC" in messages[0]
        with pytest.raises(BridgeError, match=f"{port}"):
            start_surfaces([OscServer(mixer, port=port)], SurfaceOptions(osc_port=port), messages.append, stack)


def test_stems_reach_reastream_sample_for_sample():
    given = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 128 * 8)).astype(np.float32)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, ExitStack() as stack:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        backend, tap = OfflineBackend(), ReaStreamTap(f"127.0.0.1:{receiver.getsockname()[1]}", 44100)
        stack.callback(tap.close)
        config = EngineConfig(model="passthrough", worker="inline", taps=(tap,))
        with Engine(backend, config):
            out = np.concatenate([backend.feed(block)[1:] for block in np.split(given, 8, axis=1)], axis=2)
        packets = []
        while sum(block.shape[1] for _, _, block in packets) < given.shape[1]:
            packets.append(parsed(receiver.recv(65536)))
    assert {rate for _, rate, _ in packets} == {44100}
    sent = np.concatenate([block for _, _, block in packets], axis=1)
    np.testing.assert_array_equal(sent, out.reshape(8, -1))


def test_a_reastream_target_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="not HOST or HOST:PORT"):
        ReaStreamTap("127.0.0.1:many", 44100)


def test_command_with_surfaces_receives_their_options():
    calls = []

    @with_surface_options
    def command(name: Annotated[str, typer.Argument()], *, surfaces: SurfaceOptions) -> None:
        """Record the call."""
        calls.append((name, surfaces))

    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, ["x", "--midi", "a", "--midi", "b", "--osc-port", "0", "--daw-push"])
    assert done.exit_code == 0, done.output
    assert calls == [("x", SurfaceOptions(osc_port=0, midi=("a", "b"), daw_push=True))]
    assert CliRunner().invoke(app, ["x"]).exit_code == 0
    assert calls[1] == ("x", SurfaceOptions())


@pytest.mark.parametrize(
    ("arguments", "page"),
    [
        ([], (0, "127.0.0.1", False)),
        (["--web"], (9190, "127.0.0.1", False)),
        (["--web-port", "9200"], (9200, "127.0.0.1", False)),
        (["--web-bind", "0.0.0.0"], (9190, "0.0.0.0", False)),
        (["--web-read-only"], (9190, "127.0.0.1", True)),
        (["--web", "--web-port", "0"], (0, "127.0.0.1", False)),
    ],
)
def test_each_web_option_alone_brings_the_page(arguments, page):
    given = []
    app = typer.Typer()

    @app.command()
    @with_surface_options
    def play(*, surfaces: SurfaceOptions) -> None:
        given.append((surfaces.web_port, surfaces.web_bind, surfaces.web_read_only))

    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert given == [page]


def test_page_prints_its_address_and_a_pairing_code(mixer, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: tmp_path)
    for bind, code, read_only in (("127.0.0.1", False, False), ("0.0.0.0", True, False), ("0.0.0.0", True, True)):
        messages = []
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        options = SurfaceOptions(osc_port=0, web_port=port, web_bind=bind, web_read_only=read_only)
        with ExitStack() as stack:
            start_surfaces(build_surfaces(mixer, options, messages.append), options, messages.append, stack)
        assert f":{port}/" in messages[0]
        assert ("#k=" in messages[0]) is code
        assert ("█" in capsys.readouterr().out) is code
        assert ["#k=" in text for text in messages[1:] if "to view only" in text] == [True] * (code and not read_only)
