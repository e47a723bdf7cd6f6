"""Presets by name: the bundled ones, and the user's own, which override them.

A preset is a TOML file: ``schema = 1``, then values by control path as tables, ``[stem.vocals]`` and
``gain_db = -90.0``, or in one line, ``"stem/vocals/gain_db" = -90.0``. It may have a ``description``, ``fade_ms``,
``reset = true`` (all other controls go back to their defaults), ``[outputs]`` and ``[[chains.STEM]]``.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stream_sep.control.presets.paths import SUFFIX, named_files, shipped_folder
from stream_sep.control.presets.preset import Preset
from stream_sep.control.presets.schema import KNOWN_STEMS, SCHEMA, EffectCheck, parse_preset
from stream_sep.control.presets.toml_text import read_text
from stream_sep.control.presets.writer import write_preset
from stream_sep.control.transport import TRANSPORT
from stream_sep.errors import PresetError, reason
from stream_sep.folders import config_folder, is_reachable
from stream_sep.suggestions import did_you_mean

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from stream_sep.control.state import ControlState

__all__ = [
    "FOLDER_VARIABLE",
    "KNOWN_STEMS",
    "SCHEMA",
    "Preset",
    "check_preset",
    "find_preset",
    "list_presets",
    "load_preset",
    "preset_of",
    "remove_preset",
    "save_preset",
    "shipped_presets",
    "store_preset",
    "user_folder",
]

FOLDER_VARIABLE = "STREAM_SEP_PRESETS"
"""Folder of the user's presets."""

_NAME = re.compile(r"\w[\w .-]{0,60}(?<![ .])")  # a name may come from the network: no path out of the folder
_DIGITS = 4


def user_folder() -> Path:
    """Return the folder of the user's presets, which may not exist yet."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else config_folder() / "presets"


def shipped_presets() -> dict[str, Traversable]:
    """Return the bundled presets by name; found in a wheel as well as in a checkout.

    >>> "karaoke" in shipped_presets()
    True
    """
    return named_files(shipped_folder() / "mixes")


def list_presets() -> dict[str, Traversable]:
    """Return the files of all presets by name, sorted; the user's override the bundled ones."""
    own = user_folder()
    try:
        found = {**shipped_presets(), **(named_files(own) if is_reachable(own) else {})}
    except OSError as error:
        raise PresetError(f"cannot read the presets in {own}: {reason(error)}") from error
    return dict(sorted(found.items()))


def find_preset(name: str) -> Traversable:
    """Return the file of a preset by name, never another file, as the name may come from a control surface.

    Args:
        name: of the preset.

    Returns:
        Its file.

    Raises:
        PresetError: no such preset.
    """
    found = list_presets()
    if name not in found:
        raise PresetError(f"no preset {name!r}; {did_you_mean(name, found)}")
    return found[name]


def load_preset(name: str, *, stems: tuple[str, ...] | None = None, files: bool = True) -> Preset:
    """Return a preset.

    Args:
        name: a preset's name, or a file.
        stems: the separator's stems; a preset that names another is rejected. None accepts any.
        files: whether ``name`` may be a file in another folder.

    Returns:
        The preset.

    Raises:
        PresetError: no such preset, it cannot be read, or it is invalid.

    >>> dict(load_preset("karaoke").values)
    {'stem/vocals/gain_db': -90.0}
    """
    preset, problems = _read(name, stems, files=files)
    if problems:
        more = f" (and {len(problems) - 1} more: see stream-sep presets check)" if len(problems) > 1 else ""
        raise PresetError(problems[0] + more)
    return preset


def check_preset(
    name: str,
    *,
    stems: tuple[str, ...] = KNOWN_STEMS,
    check_effect: EffectCheck | None = None,
) -> tuple[str, ...]:
    """Return all problems in a preset.

    Args:
        name: a preset's name, or a file.
        stems: the separator's stems.
        check_effect: as `parse_preset`.

    Returns:
        A message each, with file, line and key; empty if it is valid.

    Raises:
        PresetError: no such preset, or it is not TOML.

    >>> check_preset("karaoke")
    ()
    """
    return _read(name, stems, check_effect=check_effect)[1]


def save_preset(preset: Preset) -> Path:
    """Write a preset to the user's folder atomically; the comments of an existing file are kept.

    Args:
        preset: with its name.

    Returns:
        Its file.

    Raises:
        PresetError: an invalid name, or the file cannot be written.
    """
    if not _NAME.fullmatch(preset.name):
        raise PresetError(f"invalid preset name {preset.name!r}; use up to 61 letters, digits, '-', '_' and spaces")
    path = user_folder() / f"{preset.name}{SUFFIX}"
    write_preset(path, preset)
    return path


def remove_preset(name: str) -> Path:
    """Delete a user preset; return its file.

    Args:
        name: of a user preset.

    Returns:
        The file that was deleted.

    Raises:
        PresetError: no such preset, it is bundled, or the file cannot be deleted.
    """
    own = user_folder()
    try:
        mine = named_files(own) if is_reachable(own) else {}
        if name in mine:
            path = own / mine[name].name
            path.unlink()
            return path
    except OSError as error:
        raise PresetError(f"cannot remove preset {name!r}: {reason(error)}") from error
    if name in shipped_presets():
        raise PresetError(f"preset {name!r} is bundled and cannot be removed; save one of that name to override it")
    raise PresetError(f"no preset {name!r} in {own}; {did_you_mean(name, mine)}")


def preset_of(name: str, controls: ControlState) -> Preset:
    """Return the current values of all controls as a preset.

    Args:
        name: of the preset.
        controls: read once.

    Returns:
        The preset.
    """
    settable = [
        path
        for path, parameter in controls.parameters.items()
        if not parameter.readonly and not path.startswith(TRANSPORT)  # the position in a song is not a setting
    ]
    now = controls.snapshot()
    rounded = {path: round(value, _DIGITS) if isinstance(value := now[path], float) else value for path in settable}
    return Preset(name, rounded)


def store_preset(name: str, controls: ControlState) -> Path:
    """Save the current values of the controls; an existing preset keeps its chains, outputs, fade and description.

    Args:
        name: of the preset.
        controls: read once.

    Returns:
        Its file.

    Raises:
        PresetError: as `save_preset`, or the preset of that name is broken.
    """
    new = preset_of(name, controls)
    if name in list_presets():
        old = load_preset(name, files=False)
        new = replace(old, values=new.values)
    return save_preset(new)


def _read(
    name: str,
    stems: tuple[str, ...] | None,
    *,
    files: bool = True,
    check_effect: EffectCheck | None = None,
) -> tuple[Preset, tuple[str, ...]]:
    try:
        path = Path(name)
        known = not files or name in list_presets() or not path.is_file()
        entry = find_preset(name) if known else path
        text = read_text(entry)
    except (OSError, ValueError) as error:
        raise PresetError(f"cannot read preset {name}: {reason(error)}") from error
    return parse_preset(text, entry.name.removesuffix(SUFFIX), str(entry), stems, check_effect)
