"""Validation of preset files; each problem is a message with the file, the line and the key."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from stream_sep.control.parameters import parameters_for
from stream_sep.control.presets.preset import Preset
from stream_sep.control.presets.toml_lines import Keys, lines_of
from stream_sep.control.presets.toml_text import parse
from stream_sep.control.transport import transport_parameters
from stream_sep.errors import PresetError
from stream_sep.protocols import MAIN, STEMS
from stream_sep.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from stream_sep.control.parameters import Parameter, Value

EffectCheck: TypeAlias = "Callable[[Mapping[str, Any]], Iterable[tuple[Keys, str]]]"
"""Finds problems in an effect's table: each as the keys that lead to it, and a message."""

SCHEMA = 1
"""The version of the preset files that this program reads and writes."""

KNOWN_STEMS = (*STEMS, "guitar", "piano")
"""Stems of the bundled separators, for files that are checked without a separator."""

MAX_FADE_MS = 60000.0
"""The longest fade of a preset."""

_TABLES = ("chains", "outputs")
_SINGLE = ("schema", "description", "fade_ms", "reset")
_EFFECT_KEYS = ("plugin", "parameters", "bypass")


def parse_preset(
    text: str,
    name: str,
    where: str,
    stems: tuple[str, ...] | None = None,
    check_effect: EffectCheck | None = None,
) -> tuple[Preset, tuple[str, ...]]:
    r"""Return a preset and its problems, a message each; invalid values are left out of the preset.

    Args:
        text: the content of the file.
        name: of the preset.
        where: name of the file in the messages.
        stems: the separator's stems; None accepts any.
        check_effect: finds problems in the effects; None defers that to when they are loaded.

    Returns:
        The preset, and the messages.

    Raises:
        PresetError: it is not TOML, or of another schema.

    >>> parse_preset("schema = 1\nstem.bass.gain_db = 40", "x", "x.toml", ("bass",))[1]
    ("x.toml:2: 'stem/bass/gain_db' is 40, which is outside -90..10 dB",)
    """
    try:
        data = parse(text)
    except ValueError as error:
        raise PresetError(f"cannot read preset {where}: {error}") from error
    schema = data.pop("schema", None)
    if schema != SCHEMA or isinstance(schema, bool):
        found = "has no schema" if schema is None else f"has schema {schema!r}"
        raise PresetError(f"preset {where} {found}; this program reads schema = {SCHEMA}")
    rules = _Rules(where, text, stems, check_effect)
    preset = Preset(
        name=name,
        description=rules.description(data.pop("description", "")),
        fade_ms=rules.fade(data.pop("fade_ms", None)),
        resets_all=rules.switch(("reset",), data.pop("reset", False)),
        outputs=rules.outputs(data.pop("outputs", {})),
        chains=rules.chains(data.pop("chains", {})),
        values=rules.values(data),
    )
    return preset, tuple(rules.problems)


def leaves(table: Mapping[str, Any], above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield the keys and the value of everything in ``table`` that is not a table itself.

    Args:
        table: a parsed TOML table.
        above: the keys that lead to it.

    Returns:
        Keys and value of each.

    >>> list(leaves({"stem": {"bass": {"mute": True}}, "stem/drums/mute": False}))
    [(('stem', 'bass', 'mute'), True), (('stem/drums/mute',), False)]
    """
    for key, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def check_value(parameter: Parameter, value: object) -> str:
    """Return the problem with ``value`` as the end of a message, after the word "which".

    Args:
        parameter: the control.
        value: from TOML.

    Returns:
        The end of a message; empty if the value is valid.

    >>> check_value(parameters_for(("bass",))[1], 1)
    'is not true or false'
    """
    if isinstance(parameter.default, bool):
        return "" if isinstance(value, bool) else "is not true or false"
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return "is not a number"
    if not parameter.low <= value <= parameter.high:
        return f"is outside {parameter.low:g}..{parameter.high:g} {parameter.unit}".rstrip()
    return ""


class _Rules:
    """Checks one file, and collects its problems."""

    def __init__(
        self, where: str, text: str, stems: tuple[str, ...] | None, check_effect: EffectCheck | None
    ) -> None:
        self.problems: list[str] = []
        self._where, self._text, self._stems, self._check_effect = where, text, stems, check_effect

    @cached_property
    def _lines(self) -> Mapping[Keys, int]:
        return lines_of(self._text)  # on demand, as it parses the file again, and few files have problems

    def refuse(self, keys: Keys, message: str) -> None:
        line = next(
            (self._lines[keys[:depth]] for depth in range(len(keys), 0, -1) if keys[:depth] in self._lines), 1
        )
        self.problems.append(f"{self._where}:{line}: {message}")

    def description(self, value: object) -> str:
        if isinstance(value, str):
            return value
        self.refuse(("description",), f"'description' is {value!r}, which is not a text")
        return ""

    def fade(self, value: object) -> float | None:
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_FADE_MS:
            return float(value)
        self.refuse(("fade_ms",), f"'fade_ms' is {value!r}, which is outside 0..{MAX_FADE_MS:g} ms")
        return None

    def switch(self, keys: Keys, value: object) -> bool:
        if isinstance(value, bool):
            return value
        self.refuse(keys, f"{keys[-1]!r} is {value!r}, which is not true or false")
        return False

    def outputs(self, table: object) -> dict[str, int]:
        found: dict[str, int] = {}
        for bus, first in self._table(("outputs",), table, "buses and channels, such as main = 1"):
            keys = ("outputs", bus)
            taken = next((other for other, start in found.items() if _shares(start, first)), None)
            if bus != MAIN and not self._has_stem(bus):
                self.refuse(keys, f"there is no bus {bus!r}; {did_you_mean(bus, (MAIN, *self._stems_or_known()))}")
            elif not isinstance(first, int) or isinstance(first, bool) or first < 1:
                self.refuse(keys, f"{bus!r} goes to {first!r}, which is not a channel; channels count from 1")
            elif taken is not None:
                self.refuse(
                    keys, f"{bus!r} and {taken!r} share a channel: each takes two, from {first} and {found[taken]}"
                )
            else:
                found[bus] = first
        return found

    def chains(self, table: object) -> dict[str, tuple[Mapping[str, Any], ...]]:
        found = {}
        for stem, effects in self._table(("chains",), table, "stems and their effects"):
            keys = ("chains", stem)
            if not self._has_stem(stem):
                self.refuse(keys, self._no_stem(stem))
            elif not isinstance(effects, list) or not all(isinstance(effect, dict) for effect in effects):
                self.refuse(
                    keys, f"the chain of {stem!r} is not a list of effects: write [[chains.{stem}]] before each"
                )
            else:
                found[stem] = tuple(
                    effect for place, effect in enumerate(effects) if self._effect((*keys, place), effect)
                )
        return found

    def _effect(self, keys: Keys, effect: Mapping[str, Any]) -> bool:
        before = len(self.problems)
        for key in effect:
            if key not in _EFFECT_KEYS:
                self.refuse((*keys, key), f"an effect has no {key!r}; {did_you_mean(key, _EFFECT_KEYS)}")
        if not isinstance(effect.get("plugin"), str):
            self.refuse((*keys, "plugin"), 'an effect needs plugin = "NAME", the name or the file of one')
        if not isinstance(effect.get("parameters", {}), dict):
            self.refuse((*keys, "parameters"), "'parameters' of an effect is not a table of names and values")
        self.switch((*keys, "bypass"), effect.get("bypass", False))
        if len(self.problems) == before and self._check_effect is not None:
            for inner, message in self._check_effect(effect):
                self.refuse((*keys, *inner), message)
        return len(self.problems) == before

    def values(self, table: Mapping[str, Any]) -> dict[str, Value]:
        found: dict[str, Value] = {}
        stems = tuple(dict.fromkeys((*self._stems_or_known(), *self._named(table))))
        every = (*parameters_for(stems), *transport_parameters())
        parameters = {parameter.path: parameter for parameter in every}
        for keys, value in leaves(table):
            path = "/".join(map(str, keys))
            if wrong := self._control(path, value, parameters, twice=path in found):
                self.refuse(keys, wrong)
            else:
                found[path] = value if isinstance(value, bool) else float(value)
        return found

    def _control(self, path: str, value: object, parameters: Mapping[str, Parameter], *, twice: bool) -> str:
        first, _, rest = path.partition("/")
        stem = rest.partition("/")[0]
        if first == "stem" and stem and not self._has_stem(stem):
            return f"there is no control {path!r}: {self._no_stem(stem, path)}"
        settable = tuple(name for name, parameter in parameters.items() if not parameter.readonly)
        if path in parameters and path not in settable:
            return f"{path!r} is read-only"
        if path == f"stem/{stem}/chain":
            return f"there is no {path!r}; effects stand in tables of their own, [[chains.{stem}]]"
        if path not in parameters:
            plain = (*_SINGLE, *_TABLES)
            hint = did_you_mean(path, (*plain, *settable), f"choose from {', '.join(plain)} and controls")
            return f"there is no {path!r}; {hint}"
        wrong = check_value(parameters[path], value)
        return f"{path!r} is {value!r}, which {wrong}" if wrong else f"{path!r} is set twice" if twice else ""

    def _named(self, table: Mapping[str, Any]) -> list[str]:
        """Return the stems that a file names, where any name is accepted."""
        paths = ["/".join(map(str, keys)).split("/") for keys, _ in leaves(table)]
        return [] if self._stems is not None else [path[1] for path in paths if path[0] == "stem" and len(path) > 2]

    def _stems_or_known(self) -> tuple[str, ...]:
        return KNOWN_STEMS if self._stems is None else self._stems

    def _has_stem(self, stem: str) -> bool:
        return self._stems is None or stem in self._stems

    def _no_stem(self, stem: str, path: str = "") -> str:
        stems = self._stems or ()
        hint = did_you_mean(
            stem, stems, "", shown=lambda near: path.replace(f"stem/{stem}/", f"stem/{near}/") if path else near
        )
        return f"the separator has no stem {stem!r}; it has {', '.join(stems)}{'; ' if hint else ''}{hint}"

    def _table(self, keys: Keys, value: object, holds: str) -> list[tuple[str, Any]]:
        if isinstance(value, dict):
            return list(value.items())
        self.refuse(keys, f"{keys[-1]!r} is {value!r}, which is not a table of {holds}")
        return []


def _shares(first: object, second: object) -> bool:
    return isinstance(first, int) and isinstance(second, int) and abs(first - second) < 2
