"""Presets: named sets of control values, as TOML files that ship with the package or lie anywhere."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from stream_sep.errors import PresetError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from stream_sep.control import ControlState

SCHEMA = 1
"""The version of the files this program reads."""


def shipped_presets() -> dict[str, Traversable]:
    """Return the presets that ship, by name; found in a wheel as well as in a checkout.

    >>> "karaoke" in shipped_presets()
    True
    """
    installed = resources.files("stream_sep") / "presets"
    folder = installed if installed.is_dir() else Path(__file__).parent.parent / "presets"
    return {entry.name.removesuffix(".toml"): entry for entry in folder.iterdir() if entry.name.endswith(".toml")}


def load_preset(name: str) -> dict[str, float | bool]:
    """Return the control values of a shipped preset's name, or of a file.

    Raises:
        PresetError: there is none, or it is not what this program reads.

    >>> load_preset("karaoke")
    {'stem/vocals/gain_db': -90.0}
    """
    shipped = shipped_presets()
    entry = shipped.get(name) or Path(name)
    if not entry.is_file():
        raise PresetError(f"there is no preset {name!r}; a file, or one of: {', '.join(sorted(shipped))}")
    try:
        values = tomllib.loads(entry.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PresetError(f"cannot read preset {entry}: {error}") from error
    if values.pop("schema", None) != SCHEMA:
        raise PresetError(f"preset {entry} does not begin with schema = {SCHEMA}, which this program reads")
    return values


def apply_preset(name: str, controls: ControlState) -> None:
    """Set all of a preset's values, or none of them if one is refused."""
    controls.update(load_preset(name))
