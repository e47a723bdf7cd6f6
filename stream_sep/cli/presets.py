"""``stream-sep presets``: list, show, save, remove and check presets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from stream_sep.cli.app import App
from stream_sep.cli.arguments import parse_controls, parse_outputs
from stream_sep.control.presets.library import (
    Preset,
    check_preset,
    find_preset,
    list_presets,
    load_preset,
    remove_preset,
    save_preset,
    shipped_presets,
    user_folder,
)
from stream_sep.control.presets.schema import KNOWN_STEMS, parse_preset
from stream_sep.control.presets.toml_text import read_text
from stream_sep.control.presets.writer import preset_text
from stream_sep.effects.catalog import is_file
from stream_sep.effects.spec import EffectSpec
from stream_sep.errors import ConfigError, PresetError, reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stream_sep.control.parameters import Value

app = App("List, show, save, remove and check presets.")


@app.command("list")
def list_() -> None:
    """List presets; yours override the bundled ones."""
    table, bundled = Table("name", "from", "description", box=None), shipped_presets()
    for name, entry in list_presets().items():
        table.add_row(name, "bundled" if bundled.get(name) == entry else "yours", _description(name))
    Console(soft_wrap=True).print(table)
    print(f"yours are in {user_folder()}")


def _description(name: str) -> str:
    try:
        return load_preset(name).description
    except PresetError:
        return f"broken: see stream-sep presets check {name}"


@app.command()
def show(name: Annotated[str, typer.Argument(help="a preset")]) -> None:
    """Print a preset's file, as a start for one of your own."""
    try:
        print(read_text(find_preset(name)), end="")
    except (OSError, ValueError) as error:
        raise PresetError(f"cannot read preset {name}: {reason(error)}") from error


@app.command()
def save(
    name: Annotated[str, typer.Argument(help="its name; it overrides a bundled preset of that name")],
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="CONTROL=VALUE, such as vocals=-60 or stem/drums/mute=on")
    ] = None,
    begin: Annotated[str, typer.Option("--from", help="preset to start from")] = "",
    outputs: Annotated[str, typer.Option("--output", help="channel map, such as main=1,vocals=3")] = "",
    fade_ms: Annotated[float | None, typer.Option(help="fade time in ms")] = None,
    description: Annotated[str, typer.Option(help="description")] = "",
    *,
    reset: Annotated[bool, typer.Option("--reset", help="reset all other controls to their defaults")] = False,
    replace_it: Annotated[bool, typer.Option("--replace", help="replace yours of that name")] = False,
) -> None:
    """Save a preset of your own."""
    if not replace_it and list_presets().get(name) != shipped_presets().get(name):
        raise PresetError(f"preset {name!r} exists; add --replace to replace it, or choose another name")
    preset = replace(load_preset(begin), name=name) if begin else Preset(name)
    values = _parse_controls(assignments or [])
    preset = replace(
        preset,
        values={**preset.values, **values},
        outputs=parse_outputs(outputs) if outputs else preset.outputs,
        fade_ms=preset.fade_ms if fade_ms is None else fade_ms,
        description=description or preset.description,
        resets_all=reset or preset.resets_all,
    )
    if problems := parse_preset(preset_text(preset), name, name)[1]:
        raise PresetError(f"cannot save {name!r}: {problems[0].partition(': ')[2]}")
    path = save_preset(preset)
    print(f"saved to {path}")
    for problem in check_preset(str(path)):  # an unknown stem may be of another separator, or a typing error
        print(f"note: {problem}")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="a preset of yours")]) -> None:
    """Delete a preset of your own."""
    print(f"removed {remove_preset(name)}")


@app.command()
def check(
    names: Annotated[list[str], typer.Argument(help="presets or files")],
    stems: Annotated[str, typer.Option(help="stem names of the separator")] = ",".join(KNOWN_STEMS),
) -> None:
    """List every problem in presets, with file and line; exit with 1 if any."""
    wrong = False
    for name in names:
        chosen = tuple(stem.strip() for stem in stems.split(","))
        problems = check_preset(name, stems=chosen, check_effect=_effect_mistakes)
        wrong = wrong or bool(problems)
        print("\n".join(problems) or f"{name}: no problems")
    if wrong:
        raise typer.Exit(1)


def _effect_mistakes(effect: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the problems of an effect's table that can be found without loading a plug-in."""
    plugin = effect["plugin"]
    try:
        EffectSpec(plugin)
    except ConfigError as error:
        yield ("plugin",), str(error)
        return
    if is_file(plugin) and not Path(plugin).exists():
        yield ("plugin",), f"file not found: {plugin}"
    for name, value in effect.get("parameters", {}).items():
        try:
            EffectSpec(plugin, {name: value})
        except ConfigError as error:
            yield ("parameters", name), str(error)


def _parse_controls(assignments: list[str]) -> dict[str, Value]:
    """Return path -> value; a preset may be for stems that no bundled separator has."""
    parsed: dict[str, Value] = {}
    for text in assignments:
        first, _, rest = text.partition("/")
        more = (rest.partition("/")[0],) if first == "stem" else ()
        parsed |= parse_controls([text], (*KNOWN_STEMS, *more))
    return parsed
