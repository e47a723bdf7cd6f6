"""The options of control surfaces, defined once for all commands that have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stream_sep.cli.signatures import add_options
from stream_sep.cli.surfaces import WEB_PORT, SurfaceOptions

if TYPE_CHECKING:
    from collections.abc import Callable


def surface_options(
    *,
    osc_port: Annotated[
        int | None, typer.Option(help="UDP port for OSC; 0 turns OSC off (default: 9137 if free)", show_default=False)
    ] = None,
    osc_bind: Annotated[
        str, typer.Option(help="address to listen on for OSC; 0.0.0.0 is the whole network, without a password")
    ] = "127.0.0.1",
    osc_out: Annotated[list[str] | None, typer.Option(help="HOST:PORT to send every change to")] = None,
    osc_prefix: Annotated[str, typer.Option(help="prefix of every OSC address")] = "",
    meter_rate: Annotated[float, typer.Option(help="OSC meter messages per second")] = 20.0,
    oscquery_port: Annotated[int, typer.Option(help="HTTP port for OSCQuery, usually 9180; 0 turns it off")] = 0,
    osc_trust: Annotated[
        list[str] | None,
        typer.Option(help="address or network, such as 192.168.1.0/24, to reply to without proof of receipt"),
    ] = None,
    oscquery_origin: Annotated[
        list[str] | None,
        typer.Option(help="origin of a web page that may use OSCQuery, such as http://localhost:3000"),
    ] = None,
    web: Annotated[
        bool, typer.Option("--web", help="serve faders to browsers on this machine, at port 9190")
    ] = False,
    web_port: Annotated[
        int,
        typer.Option(
            help="TCP port of the browser faders; 0 turns them off (default: 9190 with --web)", show_default=False
        ),
    ] = -1,
    web_bind: Annotated[
        str, typer.Option(help="address for the browser faders; with 0.0.0.0 phones pair by QR code")
    ] = "",
    web_read_only: Annotated[
        bool, typer.Option("--web-read-only", help="browsers may view, but change nothing")
    ] = False,
    midi: Annotated[
        list[str] | None, typer.Option(help="part of a MIDI port's name; stream_sep opens a virtual port")
    ] = None,
    midi_map: Annotated[str, typer.Option(help="MIDI map, a name or a file; chosen by port name if omitted")] = "",
    daw: Annotated[
        list[str] | None,
        typer.Option(
            help="follow the faders of reaper, ardour, mixbus, ableton, bitwig or x32, as NAME or NAME@HOST"
        ),
    ] = None,
    daw_push: Annotated[
        bool,
        typer.Option("--daw-push", help="on connect, set the DAW's faders to stream_sep's instead of the reverse"),
    ] = False,
) -> SurfaceOptions:
    """Return the options as one value."""
    return SurfaceOptions(
        osc_port=None if osc_port is not None and osc_port < 0 else osc_port,
        bind=osc_bind,
        osc_out=tuple(osc_out or ()),
        osc_prefix=osc_prefix,
        meter_rate=meter_rate,
        osc_trust=tuple(osc_trust or ()),
        oscquery_port=oscquery_port,
        oscquery_origins=tuple(oscquery_origin or ()),
        web_port=_web_port(web_port, enabled=web or bool(web_bind) or web_read_only),
        web_bind=web_bind or "127.0.0.1",
        web_read_only=web_read_only,
        midi=tuple(midi or ()),
        midi_map=midi_map,
        daws=tuple(daw or ()),
        daw_push=daw_push,
    )


def _web_port(port: int, *, enabled: bool) -> int:
    return port if port >= 0 else WEB_PORT if enabled else 0


def with_surface_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of `surface_options` to a command, in place of its parameter ``surfaces``."""
    return add_options(command, surface_options, "surfaces")
