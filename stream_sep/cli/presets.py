"""``stream-sep presets``: list, show, save and check presets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from stream_sep.cli.app import App
from stream_sep.cli.arguments import parse_outputs
from stream_sep.control.presets.library import (
    Preset,
    check_preset,
    find_preset,
    list_presets,
    load_preset,
    save_preset,
    shipped_presets,
    user_folder,
)
from stream_sep.control.presets.schema import KNOWN_STEMS, check_value, nearest, parse_preset
from stream_sep.control.presets.toml_text import read_text
from stream_sep.control.presets.writer import preset_text
from stream_sep.control.state import ControlState, parameters_for
from stream_sep.effects.catalog import is_file
from stream_sep.effects.spec import EffectSpec
from stream_sep.errors import ConfigError, ParameterError, PresetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stream_sep.control.state import Value

app = App("List, show, save, remove and check presets.")

_SWITCH = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}


@app.command("list")
def list_() -> None:
    """List all presets: those that ship, and yours, which win."""
    table, shipped = Table("name", "from", "description", box=None), shipped_presets()
    for name, entry in list_presets().items():
        table.add_row(name, "shipped" if shipped.get(name) == entry else "yours", _description(name))
    Console(soft_wrap=True).print(table)
    print(f"yours are in {user_folder()}")


def _description(name: str) -> str:
    try:
        return load_preset(name).description
    except PresetError:
        return f"broken: see stream-sep presets check {name}"


@app.command()
def show(name: Annotated[str, typer.Argument(help="a preset")]) -> None:
    """Print a preset's file, to copy or to begin one of your own from."""
    try:
        print(read_text(find_preset(name)), end="")
    except (OSError, ValueError) as error:
        raise PresetError(f"cannot read preset {name}: {error}") from error


@app.command()
def save(
    name: Annotated[str, typer.Argument(help="what to call it; of that name yours wins over one that ships")],
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="control=value, e.g. vocals=-60 or stem/drums/mute=on")
    ] = None,
    begin: Annotated[str, typer.Option("--from", help="a preset to begin with")] = "",
    outputs: Annotated[str, typer.Option("--output", help="channel map, such as main=1,vocals=3")] = "",
    fade_ms: Annotated[float | None, typer.Option(help="how long its fades take, in ms")] = None,
    description: Annotated[str, typer.Option(help="a sentence about it")] = "",
    *,
    reset: Annotated[bool, typer.Option("--reset", help="take back what it does not name")] = False,
) -> None:
    """Save a preset of your own; comments in a file of yours of that name are kept."""
    preset = replace(load_preset(begin), name=name) if begin else Preset(name)
    values = dict(parse_assignment(assignment) for assignment in assignments or [])
    preset = replace(
        preset,
        values={**preset.values, **values},
        outputs=parse_outputs(outputs) if outputs else preset.outputs,
        fade_ms=preset.fade_ms if fade_ms is None else fade_ms,
        description=description or preset.description,
        reset=reset or preset.reset,
    )
    if problems := parse_preset(preset_text(preset), name, name)[1]:
        raise PresetError(f"cannot save {name!r}: {problems[0].partition(': ')[2]}")
    path = save_preset(preset)
    print(f"saved to {path}")
    for problem in check_preset(str(path)):  # a stem of some other separator is no mistake, but may be a slip
        print(f"note: {problem}")


@app.command()
def check(
    names: Annotated[list[str], typer.Argument(help="presets, or files")],
    stems: Annotated[str, typer.Option(help="the separator's stems")] = ",".join(KNOWN_STEMS),
) -> None:
    """Say everything that is wrong in presets, with file and line; leave with 1 if anything is."""
    wrong = False
    for name in names:
        chosen = tuple(stem.strip() for stem in stems.split(","))
        problems = check_preset(name, stems=chosen, check_effect=_effect_mistakes)
        wrong = wrong or bool(problems)
        print("\n".join(problems) or f"{name}: fine")
    if wrong:
        raise typer.Exit(1)


def _effect_mistakes(effect: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give what is wrong with an effect's table, as far as it can be told without loading a plug-in."""
    plugin = effect["plugin"]
    try:
        EffectSpec(plugin)
    except ConfigError as error:
        yield ("plugin",), str(error)
        return
    if is_file(plugin) and not Path(plugin).exists():
        yield ("plugin",), f"there is no file {plugin}"
    for name, value in effect.get("parameters", {}).items():
        try:
            EffectSpec(plugin, {name: value})
        except ConfigError as error:
            yield ("parameters", name), str(error)


def parse_assignment(text: str) -> tuple[str, Value]:
    """Return path and value from ``vocals=-60`` (a stem's fader) or ``stem/drums/mute=on`` (any control).

    Raises:
        ConfigError: not of that form.
        ParameterError: no such control, or not a value it takes.

    >>> parse_assignment("vocals=-60"), parse_assignment("bypass=on")
    (('stem/vocals/gain_db', -60.0), ('bypass', True))
    """
    name, equals, word = text.partition("=")
    if not equals:
        raise ConfigError(f"--set {text!r} is not CONTROL=VALUE, as in vocals=-60")
    path = f"stem/{name}/gain_db" if name in KNOWN_STEMS else name
    first, *rest = path.split("/")
    controls = ControlState(parameters_for((*KNOWN_STEMS, *(rest[:1] if first == "stem" else []))))
    short = tuple(control for control in (*KNOWN_STEMS, *controls) if "/" not in control)
    if not rest and name not in short:
        raise ParameterError(f"--set {text!r}: there is no stem or control {name!r}; {nearest(name, short)}")
    is_switch = isinstance(controls[path], bool)
    try:
        value: Value = _SWITCH[word.lower()] if is_switch else float(word)
    except (KeyError, ValueError) as error:
        takes = "on or off" if is_switch else "a number"
        raise ConfigError(f"--set {text!r}: {path} takes {takes}, not {word!r}") from error
    if wrong := check_value(controls.parameters[path], value):
        raise ParameterError(f"--set {text!r}: {path} {wrong}")
    return path, value
