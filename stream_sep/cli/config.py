"""``stream-sep config``: defaults for options, kept in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import tomlkit
import typer

from stream_sep.cli.app import App
from stream_sep.cli.config_file import Options, config_path, read_config, settings_of
from stream_sep.errors import ConfigError
from stream_sep.lowlevel.atomic_file import atomic_write

app = App("Show and change the defaults of options.")

_SWITCH = {"true": True, "on": True, "false": False, "off": False}


@app.command()
def show() -> None:
    """Print all settings and the file they are in."""
    path = config_path()
    for key, value in settings_of(read_config(path).unwrap()):
        print(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    print(f"# {path}" if path.exists() else f"# nothing is set; settings would be in {path}")


@app.command("set")
def set_(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(help="an option of live and play, such as input, or COMMAND.OPTION")],
    value: Annotated[list[str], typer.Argument(help="its default; several for an option that may be repeated")],
) -> None:
    """Set the default of an option, for example: stream-sep config set block-size 64."""
    options = Options(ctx.find_root())
    options.targets(key)
    parsed = [parse_value(text) for text in value]
    setting: Any = parsed[0] if len(parsed) == 1 else parsed
    options.check(key, setting)
    path = config_path()
    document = read_config(path)
    command, dot, option = key.rpartition(".")
    table = document.setdefault(command, tomlkit.table()) if dot else document
    table[option] = setting
    _write(path, document)
    print(f"{key} = {json.dumps(setting, ensure_ascii=False)} in {path}")


@app.command()
def unset(key: Annotated[str, typer.Argument(help="a setting, as config show names it")]) -> None:
    """Remove a setting, so that the option has its own default again."""
    path = config_path()
    document = read_config(path)
    command, dot, option = key.rpartition(".")
    table = document.get(command, {}) if dot else document
    if option not in table or isinstance(table[option], dict):
        raise ConfigError(f"{key!r} is not set in {path}")
    del table[option]
    if dot and not table:
        del document[command]
    _write(path, document)


@app.command()
def path() -> None:
    """Print where the file is, or would be."""
    print(config_path())


def parse_value(text: str) -> str | int | float | bool:
    """Return the TOML value of a text on the command line.

    >>> [parse_value(text) for text in ("64", "0.5", "on", "USB Audio", "0,1")]
    [64, 0.5, True, 'USB Audio', '0,1']
    """
    if text.lower() in _SWITCH:
        return _SWITCH[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _write(path: Path, document: tomlkit.TOMLDocument) -> None:
    """Write the file atomically."""
    try:
        atomic_write(path, tomlkit.dumps(document).encode())
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
