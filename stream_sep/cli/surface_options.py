"""The options of control surfaces, written once for every command that has them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_sep.cli.surfaces import WEB_PORT, SurfaceOptions

if TYPE_CHECKING:
    from collections.abc import Callable

_PARAMETER = "surfaces"


def surface_options(
    *,
    osc_port: Annotated[int, typer.Option(help="UDP port for OSC; 0 is none [default: 9137, if free]")] = -1,
    osc_bind: Annotated[str, typer.Option(help="address for OSC; 0.0.0.0 lets the whole network in")] = "127.0.0.1",
    osc_out: Annotated[list[str] | None, typer.Option(help="HOST:PORT to send every change to")] = None,
    osc_prefix: Annotated[str, typer.Option(help="what every OSC address begins with")] = "",
    meter_rate: Annotated[float, typer.Option(help="meters a second sent over OSC")] = 20.0,
    osc_trust: Annotated[
        list[str] | None, typer.Option(help="address or network, 192.168.1.0/24, that OSC answers without a proof")
    ] = None,
    oscquery_port: Annotated[int, typer.Option(help="tell clients over HTTP what can be moved; usual: 9180")] = 0,
    oscquery_origin: Annotated[
        list[str] | None, typer.Option(help="web page that may use OSCQuery, such as http://localhost:3000")
    ] = None,
    web: Annotated[
        bool, typer.Option("--web", help="serve faders to browsers, on port 9190 of this machine")
    ] = False,
    web_port: Annotated[int, typer.Option(help="TCP port of that page; 0 is none [default: 9190 with --web]")] = -1,
    web_bind: Annotated[str, typer.Option(help="address of that page; 0.0.0.0 lets phones in by QR code")] = "",
    web_read_only: Annotated[
        bool, typer.Option("--web-read-only", help="let browsers look and change nothing")
    ] = False,
    midi: Annotated[list[str] | None, typer.Option(help="MIDI port, part of its name; stream_sep opens one")] = None,
    midi_map: Annotated[str, typer.Option(help="MIDI map, a name or a file; found by the port's name")] = "",
    daw: Annotated[
        list[str] | None, typer.Option(help="follow reaper, ardour, live, bitwig or x32, as NAME@HOST")
    ] = None,
    desk_leads: Annotated[
        bool, typer.Option("--desk-leads", help="when a DAW is met its faders go where ours are; else ours to its")
    ] = False,
) -> SurfaceOptions:
    """Return what the options say."""
    return SurfaceOptions(
        osc_port=osc_port if osc_port >= 0 else None,
        bind=osc_bind,
        osc_out=tuple(osc_out or ()),
        osc_prefix=osc_prefix,
        meter_rate=meter_rate,
        osc_trust=tuple(osc_trust or ()),
        oscquery_port=oscquery_port,
        oscquery_origins=tuple(oscquery_origin or ()),
        web_port=_web_port(web_port, wanted=web or bool(web_bind) or web_read_only),
        web_bind=web_bind or "127.0.0.1",
        web_read_only=web_read_only,
        midi=tuple(midi or ()),
        midi_map=midi_map,
        daws=tuple(daw or ()),
        desk_leads=desk_leads,
    )


def _web_port(port: int, *, wanted: bool) -> int:
    return port if port >= 0 else WEB_PORT if wanted else 0


def with_surfaces(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `surface_options`, in place of its parameter ``surfaces``."""
    own = inspect.signature(command, eval_str=True).parameters
    added = inspect.signature(surface_options, eval_str=True).parameters

    def run(**given: Any) -> None:  # noqa: ANN401 - as the commands take them
        chosen = {name: given.pop(name) for name in added}
        command(**given, **{_PARAMETER: surface_options(**chosen)})

    together = [parameter for name, parameter in own.items() if name != _PARAMETER] + list(added.values())
    together = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in together]
    run.__signature__ = inspect.Signature(together)  # type: ignore[attr-defined] # where typer looks
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in together}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run
