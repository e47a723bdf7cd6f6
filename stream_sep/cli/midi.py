"""``stream-sep midi``: list ports, monitor one, and MIDI learn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stream_sep.cli.app import App

app = App("List MIDI ports and maps, show incoming messages, learn a map.")

_API = Annotated[str, typer.Option(help="MIDI API: alsa, jack, core or winmm (default: the first available)")]


@app.command()
def ports(api: _API = "") -> None:
    """List MIDI ports, each with its map."""
    from bridge.midi.apis import list_midi_ports
    from bridge.midi.map_files import match_map

    found = list_midi_ports(api or None)
    for name in found.inputs:
        print(f"in   {name}   map {match_map(name)}")
    for name in found.outputs:
        print(f"out  {name}")
    if not found.inputs and not found.outputs:
        print("no MIDI ports; connect a device, or open a port with: stream-sep live --midi stream_sep")


@app.command()
def maps() -> None:
    """List MIDI maps; yours override the bundled ones."""
    from bridge.midi.map_files import load_map, midi_maps, user_maps_folder

    for name in midi_maps():
        print(f"{name:<18}{load_map(name).name}")
    print(f"yours are in {user_maps_folder()}")


@app.command()
def monitor(
    port: Annotated[str, typer.Argument(help="part of the port's name")],
    duration: Annotated[float, typer.Option(help="stop after this many seconds; 0 runs until Ctrl-C")] = 0.0,
) -> None:
    """Print incoming MIDI messages: the bytes, and their name in a map."""
    from bridge.midi.monitor import monitor as lines

    for line in lines(port, seconds=duration or None):
        print(line, flush=True)


@app.command()
def learn(
    port: Annotated[str, typer.Argument(help="part of the port's name")],
    to: Annotated[str, typer.Argument(help="control to assign, such as stem/vocals/fader or master/mute")],
    file: Annotated[Path | None, typer.Option(help="map to write (default: yours for this device)")] = None,
    seconds: Annotated[float, typer.Option(help="seconds to wait for a move")] = 30.0,
) -> None:
    """Wait for a control to be moved, and assign it in a map."""
    from bridge.midi.learn import learn as wait_for_move
    from bridge.midi.map_writer import save_control

    learned = wait_for_move(to, port, timeout_s=seconds)
    print(f"{learned.control.source} controls {to}, in {save_control(learned.control, learned.port, file)}")
