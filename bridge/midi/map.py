"""Maps: which control of a MIDI device moves what, parsed strictly from TOML."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bridge.midi.address import Address, check_address, parse_address
from bridge.midi.messages import RELATIVE
from bridge.midi.targets import target_kind
from stream_sep.control.presets.toml_text import parse
from stream_sep.errors import ConfigError
from stream_sep.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 1
"""The schema version that this program reads."""

PROFILES = ("mackie-control",)
"""Device profiles beyond plain controls: Mackie Control's texts, meters and handshake."""

_MODES = {
    "value": ("absolute", "14-bit", "reset", *RELATIVE),
    "switch": ("toggle", "hold", "latch"),
    "press": ("press",),
}
_TOP_KEYS: Mapping[str, type] = {
    "schema": int,
    "name": str,
    "match": list,
    "pickup": bool,
    "bank": int,
    "profile": str,
    "control": list,
}
_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "in": str,
    "to": str,
    "mode": str,
    "led": str,
    "led_on": int,
    "led_off": int,
    "led_style": str,
    "motor": bool,
    "touch": str,
    "step": (int, float),
    "low": (int, float),
    "high": (int, float),
    "count": int,
    "stride": int,
    "over": str,
}


@dataclass(frozen=True)
class Control:
    """One control of a device and its target.

    Attributes:
        source: address of the messages that it sends.
        to: the control it moves, such as ``stem/1/fader``.
        mode: ``absolute``, ``reset`` or one of `RELATIVE` for values; ``toggle``, ``hold`` or ``latch`` for switches;
            ``press`` for actions.
        led: address of its LED or LED ring.
        led_on: value that turns the LED on.
        led_off: value that turns it off.
        led_style: ``plain``, or ``ring`` for Mackie Control's rings around knobs.
        motor: whether it follows values sent to it: a motor fader, or an endless knob that sends absolute values.
        touch: note of its touch sensor.
        step: travel of one step of a relative knob, 0 to 1.
        low: value at the bottom of its travel, in the control's unit; the control's minimum by default.
        high: value at the top; the control's maximum by default.
    """

    source: Address
    to: str
    mode: str
    led: Address | None = None
    led_on: int = 127
    led_off: int = 0
    led_style: str = "plain"
    motor: bool = False
    touch: Address | None = None
    step: float = 0.01
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class MidiMap:
    """The map of a device: the target of each of its controls.

    Attributes:
        name: name shown to users.
        controls: the controls of the device.
        match: parts of the names of ports that this map is for.
        pickup: whether faders without a motor act only after they reached the current value.
        bank: number of stems that ``bank/left`` and ``bank/right`` move by.
        profile: one of `PROFILES`, or empty.
    """

    name: str
    controls: tuple[Control, ...]
    match: tuple[str, ...] = ()
    pickup: bool = True
    bank: int = 8
    profile: str = ""


def parse_map(content: str, file: str = "map") -> MidiMap:
    """Read a map.

    Args:
        content: TOML.
        file: its name in error messages.

    Returns:
        The map.

    Raises:
        ConfigError: it is not valid; the message names the file and the key.
    """
    try:
        return _map(parse(content))
    except (ValueError, ConfigError) as error:
        raise ConfigError(f"MIDI map {file}: {error}") from error


def _map(table: Mapping[str, Any]) -> MidiMap:
    if table.get("schema") != SCHEMA:
        raise ConfigError(f"it does not begin with schema = {SCHEMA}, which this program reads")
    _check_keys(table, _TOP_KEYS)
    match, profile = table.get("match", []), table.get("profile", "")
    if not all(isinstance(part, str) and part for part in match):
        raise ConfigError("match takes a list of parts of port names")
    if profile:
        _one_of("profile", profile, PROFILES)
    if table.get("bank", 8) < 1:
        raise ConfigError(f"bank takes a number of stems, at least 1, not {table['bank']}")
    controls = [one for place, entry in enumerate(table.get("control", []), 1) for one in _entry(place, entry)]
    name, pickup, bank = table.get("name", ""), table.get("pickup", True), table.get("bank", 8)
    return MidiMap(name, tuple(controls), tuple(match), pickup, bank, profile)


def _entry(place: int, entry: object) -> list[Control]:
    if not isinstance(entry, dict):
        raise ConfigError(f"control {place}: write each control under [[control]]")
    try:
        return controls_of(entry)
    except ConfigError as error:
        raise ConfigError(f"control {place}: {error}") from error


def controls_of(entry: Mapping[str, Any]) -> list[Control]:
    """Return the controls of one ``[[control]]``: one, or as many as its ``count``.

    Raises:
        ConfigError: it is not valid.

    >>> [str(one.source) for one in controls_of({"in": "cc:1:0", "to": "stem/1/fader", "count": 2})]
    ['cc:1:0', 'cc:1:1']
    """
    _check_keys(entry, _KEYS)
    for key in ("in", "to"):
        if key not in entry:
            raise ConfigError(f"{key!r} is missing; a control has at least an 'in' and a 'to'")
    first, count, stride = _control(entry), entry.get("count", 1), entry.get("stride", 1)
    channels = _one_of("over", entry.get("over", "number"), ("number", "channel")) == "channel"
    if not 1 <= count <= 128 or (count > 1 and _numbered(first.to, 1) == first.to):
        raise ConfigError(f"count = {count} takes 1 to 128 and a stem by number, such as to = 'stem/1/fader'")
    return [_nth(first, place, stride, channels=channels) for place in range(count)]


def _control(entry: Mapping[str, Any]) -> Control:
    source, to = parse_address(entry["in"]), entry["to"]
    kind = target_kind(to)
    button = source.kind in {"note", "program"}
    modes = (*_MODES["switch"], *_MODES["value"]) if to == "karaoke" else _MODES[kind]
    fallback = {"switch": "toggle", "press": "press"}.get(kind, "toggle" if button else "absolute")
    mode = _one_of("mode", entry.get("mode", fallback), modes)
    if button and mode in {"absolute", "14-bit", *RELATIVE}:
        raise ConfigError(f"mode = {mode!r} needs a fader or a knob, which {entry['in']!r} is not")
    if mode == "14-bit":
        source, mode = check_address(replace(source, kind="cc14")) if source.kind == "cc" else source, "absolute"
    led, touch = (parse_address(entry[key]) if key in entry else None for key in ("led", "touch"))
    plain = {key: entry[key] for key in ("led_on", "led_off", "motor", "step", "low", "high") if key in entry}
    if ("low" in entry or "high" in entry) and (kind != "value" or to.endswith("fader")):
        raise ConfigError(
            f"low and high are for gain, pan, karaoke and effects, not for {to!r}; a fader has a law of its own"
        )
    style = _one_of("led_style", entry.get("led_style", "plain"), ("plain", "ring"))
    _check_numbers(plain)
    return Control(source, to, mode, led=led, touch=touch, led_style=style, **plain)


def _check_numbers(plain: Mapping[str, Any]) -> None:
    for key in ("led_on", "led_off"):
        if not 0 <= plain.get(key, 0) <= 127:
            raise ConfigError(f"{key} takes 0 to 127, not {plain[key]}")
    if not 0 < plain.get("step", 1) <= 1:
        raise ConfigError(f"step takes a part of the travel, above 0 and at most 1, not {plain['step']}")
    for key in ("low", "high"):
        if not math.isfinite(plain.get(key, 0.0)):
            raise ConfigError(f"{key} takes a finite number, not {plain[key]}")
    if plain.get("low", -1e9) >= plain.get("high", 1e9):
        raise ConfigError(f"low = {plain['low']} is not below high = {plain['high']}")


def _nth(first: Control, place: int, stride: int, *, channels: bool) -> Control:
    def nth(address: Address | None) -> Address | None:
        if address is None:
            return None
        along_channels = channels or address.kind == "bend"
        moved = address.moved(0, place * stride) if along_channels else address.moved(place * stride)
        return check_address(moved)

    source = nth(first.source)
    assert source is not None
    return replace(first, source=source, led=nth(first.led), touch=nth(first.touch), to=_numbered(first.to, place))


def _numbered(to: str, more: int) -> str:
    parts = to.split("/")
    if parts[0] == "stem" and parts[1].isdecimal():
        parts[1] = str(int(parts[1]) + more)
    return "/".join(parts)


def _check_keys(table: Mapping[str, Any], known: Mapping[str, type | tuple[type, ...]]) -> None:
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"unknown key {key!r}; {did_you_mean(key, known)}")
        if not isinstance(value, known[key]) or (isinstance(value, bool) and known[key] is not bool):
            raise ConfigError(f"{key} cannot be {value!r}")


def _one_of(key: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ConfigError(f"{key} cannot be {value!r}; {did_you_mean(value, known)}")
    return value
