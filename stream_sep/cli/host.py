"""``stream-sep host``: the separators and control surfaces behind the plug-in."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from stream_sep.cli.interrupts import Interrupts
from stream_sep.cli.surface_options import with_surface_options
from stream_sep.cli.surfaces import SurfaceOptions, build_surfaces, start_surfaces
from stream_sep.errors import ConfigError


@with_surface_options
def host(
    *,
    surfaces: SurfaceOptions,
    linger: Annotated[
        float, typer.Option(help="seconds to keep running without a plug-in; 0 runs until Ctrl-C")
    ] = 60.0,
) -> None:
    """Run the separators for the DAW plug-in. The plug-in starts this command itself if needed."""
    from bridge.plugin.host import PluginHost

    if linger < 0:
        raise ConfigError(f"--linger {linger:g} must not be negative")
    running = PluginHost(lambda message: print(message, flush=True), linger=linger)
    with Interrupts() as interrupts, ExitStack() as stack:
        stack.callback(running.close)
        built = build_surfaces(running.mixer, surfaces, print)
        start_surfaces(built, surfaces, print, stack)
        running.serve(interrupts.defer())
