"""Writing presets atomically, with the comments of the existing file."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from stream_sep.control.presets.schema import SCHEMA, leaves, parse_preset
from stream_sep.control.presets.toml_text import read_text
from stream_sep.errors import PresetError, reason
from stream_sep.lowlevel.atomic_file import atomic_write

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path

    from stream_sep.control.presets.preset import Preset
    from stream_sep.control.presets.toml_lines import Keys


def write_preset(path: Path, preset: Preset) -> None:
    """Write ``preset`` to ``path`` atomically: concurrent readers see the old file or the new one.

    Comments and order of an existing file are kept.

    Args:
        path: of the file; its folder is created.
        preset: the preset.

    Raises:
        PresetError: the existing file is not a preset, or it cannot be written.
    """
    try:
        old = read_text(path) if path.exists() else ""
        atomic_write(path.resolve(), _render(preset, old, str(path)).encode())  # the target of a link
    except (OSError, ValueError) as error:
        raise PresetError(f"cannot write preset {path}: {reason(error)}") from error


def preset_text(preset: Preset) -> str:
    """Return the text of a preset's file.

    >>> from stream_sep.control.presets.preset import Preset
    >>> print(preset_text(Preset("x", {"stem/bass/gain_db": -90.0, "bypass": False}, fade_ms=250.0)).rstrip())
    schema = 1
    fade_ms = 250.0
    bypass = false
    <BLANKLINE>
    [stem.bass]
    gain_db = -90.0
    """
    return tomlkit.dumps(_tables(preset))


def _render(preset: Preset, old: str, where: str) -> str:
    if not old.strip():
        return preset_text(preset)
    parse_preset(old, preset.name, where)  # a file that is not a preset must not be overwritten
    # tomlkit can lose tables that are out of order; values matter more than comments.
    with contextlib.suppress(TOMLKitError, PresetError, ValueError, KeyError, RecursionError):
        text = _merged(preset, old)
        if parse_preset(text, preset.name, where) == (preset, ()):
            return text
    return preset_text(preset)


def _merged(preset: Preset, old: str) -> str:
    document = tomlkit.parse(old)
    new = {_joined(keys): (keys, value) for keys, value in leaves(_tables(preset))}
    for keys, value in list(leaves(document.unwrap())):
        table: Any = document
        for key in keys[:-1]:
            table = table[key]
        if (entry := new.pop(_joined(keys), None)) is None:
            del table[keys[-1]]
        elif entry[1] != value or isinstance(entry[1], bool) != isinstance(value, bool):
            table[keys[-1]] = entry[1]
    for keys, value in new.values():
        _put(document, keys, value)
    return tomlkit.dumps(document)


def _joined(keys: Keys) -> str:
    return "/".join(map(str, keys))


def _put(table: MutableMapping[Any, Any], keys: Keys, value: object) -> None:
    for key in keys[:-1]:
        if key not in table:
            table[key] = tomlkit.table()
        table = table[key]
    table[keys[-1]] = value


def _tables(preset: Preset) -> dict[str, Any]:
    """Return a preset as TOML tables: single values first, tables after them."""
    single: dict[str, Any] = {"schema": SCHEMA}
    single |= {"description": preset.description} if preset.description else {}
    single |= {"fade_ms": preset.fade_ms} if preset.fade_ms is not None else {}
    single |= {"reset": True} if preset.resets_all else {}
    tables: dict[str, Any] = {}
    for path, value in preset.values.items():
        keys = tuple(path.split("/"))
        _nest(tables if len(keys) > 1 else single, keys, value)
    tables |= {"outputs": dict(preset.outputs)} if preset.outputs else {}
    chains = {stem: [dict(effect) for effect in effects] for stem, effects in preset.chains.items()}
    return {**single, **tables, **({"chains": chains} if chains else {})}


def _nest(table: dict[str, Any], keys: tuple[str, ...], value: object) -> None:
    for key in keys[:-1]:
        table = table.setdefault(key, {})
    table[keys[-1]] = value
