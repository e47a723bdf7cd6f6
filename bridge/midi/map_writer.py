"""Saves the result of MIDI learn in one of the user's maps."""

from __future__ import annotations

import os
import re
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

import tomlkit

from bridge.midi.address import Address
from bridge.midi.map import SCHEMA, controls_of, parse_map
from bridge.midi.map_files import GENERIC, match_map, midi_maps, user_maps_folder
from stream_sep.control.presets.toml_text import read_text
from stream_sep.errors import ConfigError, reason

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.midi.map import Control


def entry(control: Control) -> dict[str, Any]:
    """Return a control's entry in a map: the values that differ from the defaults.

    >>> from bridge.midi.map import Control
    >>> entry(Control(Address("cc14", 1, 7), "stem/1/fader", "absolute"))
    {'in': 'cc:1:7', 'to': 'stem/1/fader', 'mode': '14-bit'}
    """
    fine = control.source.kind == "cc14"
    source = Address("cc", control.source.channel, control.source.number) if fine else control.source
    written: dict[str, Any] = {"in": str(source), "to": control.to, "mode": "14-bit" if fine else control.mode}
    for field in fields(control):
        value = getattr(control, field.name)
        if field.default is not MISSING and value != field.default:
            written[field.name] = str(value) if isinstance(value, Address) else value
    return written


def save_control(control: Control, port: str, file: Path | None = None) -> Path:
    """Save a control in a map, atomically; it replaces the control's earlier entry.

    A new map starts as a copy of the one that matches the port.

    Args:
        control: the control.
        port: name of the device's port.
        file: of the map; in the user's folder, named after the map that matches the port, unless given.

    Returns:
        The file.

    Raises:
        ConfigError: the map is not valid, or cannot be written.
    """
    known = match_map(port)
    device = port.split(":", maxsplit=1)[0].strip()  # ALSA and JACK write client:port
    name = known if known != GENERIC else re.sub(r"[^a-z0-9]+", "-", device.casefold()).strip("-") or "device"
    file = file or user_maps_folder() / f"{name}.toml"
    try:
        text = _begin(file, known, device)
        written = _with_control(text, control)
        parse_map(written, str(file))
        _replace(file, written)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot write MIDI map {file}: {reason(error)}") from error
    return file


def _begin(file: Path, known: str, device: str) -> str:
    if file.is_file():
        text = read_text(file)
    elif known != GENERIC:
        text = read_text(midi_maps()[known])
    else:
        text = tomlkit.dumps({"schema": SCHEMA, "name": device, "match": [device]})
    parse_map(text, str(file))
    return text


def _with_control(text: str, control: Control) -> str:
    document = tomlkit.parse(text)
    tables = tomlkit.aot()
    for old in document.get("control", []):
        series = controls_of(old.unwrap())
        if control.source not in {one.source for one in series}:
            tables.append(old)
            continue
        for one in series:
            if one.source != control.source:
                tables.append(tomlkit.item(entry(one)))
    tables.append(tomlkit.item(entry(control)))
    document["control"] = tables
    return tomlkit.dumps(document)


def _replace(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
