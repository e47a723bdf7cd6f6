"""The files of maps: those that ship, and the user's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.midi.map import parse_map
from stream_sep.control.presets.paths import named_files, shipped_folder
from stream_sep.control.presets.toml_text import read_text
from stream_sep.errors import ConfigError, reason
from stream_sep.folders import config_folder, is_reachable

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from bridge.midi.map import MidiMap

GENERIC = "generic"
"""The map for a device that no other map matches."""

FOLDER_VARIABLE = "STREAM_SEP_MIDI_MAPS"
"""Folder of the user's MIDI maps."""


def user_maps_folder() -> Path:
    """Return the folder of the user's maps, which may not exist yet."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else config_folder() / "midi"


def midi_maps() -> dict[str, Traversable]:
    """Return the files of all maps, by name: the user's own override those that ship.

    Raises:
        ConfigError: the folder of the user's maps cannot be read.

    >>> sorted(midi_maps())[:2]
    ['generic', 'launch-control-xl']
    """
    own = user_maps_folder()
    try:
        return {**named_files(shipped_folder() / "midi"), **(named_files(own) if is_reachable(own) else {})}
    except OSError as error:
        raise ConfigError(f"cannot read the MIDI maps in {own}: {reason(error)}") from error


def load_map(name: str | Path) -> MidiMap:
    """Return the map of a name, or of a file.

    Raises:
        ConfigError: there is none, or it is not valid.

    >>> load_map("nanokontrol2").controls[0].to
    'stem/1/fader'
    """
    known = midi_maps()
    file = known.get(str(name)) or Path(name)
    if not file.is_file():
        raise ConfigError(f"unknown MIDI map {str(name)!r}; give a file or one of {', '.join(sorted(known))}")
    try:
        content = read_text(file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read MIDI map {file}: {reason(error)}") from error
    return parse_map(content, str(file))


def match_map(port: str) -> str:
    """Return the name of the map for a port: the one that matches the longest part of its name, the user's own first.

    A file that cannot be read matches nothing.

    >>> match_map("X-TOUCH MINI MIDI 1"), match_map("Some Piano")
    ('x-touch-mini', 'generic')
    """
    best, length = GENERIC, 0
    for name, file in midi_maps().items():  # the user's come last
        for part in _matches(file):
            if part.casefold() in port.casefold() and len(part) >= length:
                best, length = name, len(part)
    return best


def _matches(file: Traversable) -> tuple[str, ...]:
    try:
        return parse_map(read_text(file), str(file)).match
    except (ConfigError, OSError, ValueError):
        return ()
