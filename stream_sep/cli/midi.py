"""``stream-sep midi``: which ports there are, what arrives at one, and maps learnt by moving a control."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="List MIDI ports and maps, show what arrives, learn a map.", no_args_is_help=True)

_API = Annotated[str, typer.Option(help="MIDI system: alsa, jack, core or winmm; the first that works")]


@app.command()
def ports(api: _API = "") -> None:
    """List the MIDI ports, each with the map that knows it."""
    from bridge.midi.apis import list_midi_ports
    from bridge.midi.map_files import match_map

    found = list_midi_ports(api or None)
    for name in found.inputs:
        print(f"in   {name}   map {match_map(name)}")
    for name in found.outputs:
        print(f"out  {name}")
    if not found.inputs and not found.outputs:
        print("no MIDI ports: plug a device in, or start `stream-sep live --midi stream_sep` to make one")


@app.command()
def maps() -> None:
    """List the maps: those that ship, and yours, which win."""
    from bridge.midi.map_files import load_map, midi_maps, user_maps_folder

    for name in midi_maps():
        print(f"{name:<18}{load_map(name).name}")
    print(f"yours are in {user_maps_folder()}")


@app.command()
def monitor(
    port: Annotated[str, typer.Argument(help="part of the port's name")],
    seconds: Annotated[float, typer.Option(help="stop after so long; 0 goes on until Ctrl-C")] = 0.0,
) -> None:
    """Show what a device sends: the bytes, and what a map may call them."""
    from bridge.midi.monitor import monitor as lines

    for line in lines(port, seconds=seconds or None):
        print(line, flush=True)


@app.command()
def learn(
    port: Annotated[str, typer.Argument(help="part of the port's name")],
    to: Annotated[str, typer.Argument(help="what to move, such as stem/vocals/fader or master/mute")],
    file: Annotated[Path | None, typer.Option(help="map to write; one of yours, by the device's name")] = None,
    seconds: Annotated[float, typer.Option(help="how long to wait for a move")] = 30.0,
) -> None:
    """Wait for a control to be moved, and put it into a map."""
    from bridge.midi.learn import learn as wait_for_move
    from bridge.midi.map_writer import save_control

    learnt = wait_for_move(to, port, timeout_s=seconds)
    print(f"{learnt.control.source} moves {to}, in {save_control(learnt.control, learnt.port, file)}")
