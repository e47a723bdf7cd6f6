"""Effect chains as immutable values: parsed from tables, checked, compared and copied with changes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from stream_sep.effects.catalog import EFFECTS, UNSUPPORTED, Setting, is_file, parameter_spec
from stream_sep.errors import ConfigError
from stream_sep.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEYS = ("plugin", "parameters", "bypass")


@dataclass(frozen=True)
class EffectSpec:
    """One effect and its parameters.

    Attributes:
        plugin: the name of one of Pedalboard's own, such as ``Reverb``, or the path of a VST3 (or Audio Unit).
        parameters: by name; the rest stay as the effect has them.
        bypass: whether it is left out for now.

    Raises:
        ConfigError: no such effect or parameter, or a value out of its range; a file's parameters are checked when
            it is loaded.

    >>> EffectSpec("Reverb", {"room_size": 0.8}).parameters["room_size"]
    0.8
    >>> EffectSpec("Reverb", {"rom_size": 0.8})
    Traceback (most recent call last):
    ...
    stream_sep.errors.ConfigError: effect 'Reverb' has no parameter 'rom_size'; did you mean 'room_size'?
    """

    plugin: str
    parameters: Mapping[str, Setting] = field(default_factory=dict)
    bypass: bool = False

    def __post_init__(self) -> None:
        """Check the values and freeze the mapping."""
        if not isinstance(self.bypass, bool):
            raise ConfigError(f"effect {self.plugin!r}: bypass {self.bypass!r} is not true or false")
        if not is_file(self.plugin):
            self._check_name()
        checked = {name: self._checked(name, value) for name, value in self.parameters.items()}
        object.__setattr__(self, "parameters", MappingProxyType(checked))

    @classmethod
    def parse(cls, table: Mapping[str, Any] | EffectSpec) -> EffectSpec:
        """Return the effect that a table of ``plugin``, ``parameters`` and ``bypass`` describes.

        Raises:
            ConfigError: as for the class, or a key that none of these is.
        """
        if isinstance(table, EffectSpec):
            return table
        if not isinstance(table, Mapping) or not isinstance(table.get("plugin"), str):
            raise ConfigError(
                f"{table!r} is not an effect; write one as {{'plugin': 'Reverb', 'parameters': {{...}}}}"
            )
        for key in table:
            if key not in _KEYS:
                raise ConfigError(f"effect {table['plugin']!r} has no {key!r}; {did_you_mean(str(key), _KEYS)}")
        parameters = table.get("parameters", {})
        if not isinstance(parameters, Mapping):
            raise ConfigError(f"the parameters of effect {table['plugin']!r} are not a table: {parameters!r}")
        return cls(table["plugin"], parameters, table.get("bypass", False))

    def with_parameter(self, name: str, value: Any) -> EffectSpec:  # noqa: ANN401 - checked as any other
        """Return the effect with one parameter, or ``bypass``, at another value.

        Args:
            name: the parameter's name, or ``bypass``.
            value: its new value.
        """
        if name == "bypass":
            return dataclasses.replace(self, bypass=value)
        return dataclasses.replace(self, parameters={**self.parameters, name: value})

    def to_dict(self) -> dict[str, Any]:
        """Return the table that `parse` reads."""
        return {"plugin": self.plugin, "parameters": dict(self.parameters), "bypass": self.bypass}

    def _check_name(self) -> None:
        if self.plugin in UNSUPPORTED:
            raise ConfigError(f"{UNSUPPORTED[self.plugin]}; use a VST3 instead")
        if self.plugin not in EFFECTS:
            raise ConfigError(f"no effect is called {self.plugin!r}; {did_you_mean(self.plugin, sorted(EFFECTS))}")

    def _checked(self, name: str, value: object) -> Setting:
        if is_file(self.plugin):
            if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
                return value
            raise ConfigError(f"effect {self.plugin!r}: {name} {value!r} is not a finite number, text or boolean")
        try:
            spec = parameter_spec(self.plugin, name)
        except ConfigError as error:
            raise ConfigError(f"effect {self.plugin!r} {error}") from None
        try:
            return spec.coerce(value)
        except ConfigError as error:
            raise ConfigError(f"effect {self.plugin!r}: {name} {value!r} {error}") from None


@dataclass(frozen=True)
class ChainSpec:
    """The effects of every stem, in signal order.

    Attributes:
        effects: by stem; a stem that is not there has none.

    >>> chains = ChainSpec.parse({"vocals": [{"plugin": "Reverb", "parameters": {"room_size": 0.3}}]})
    >>> chains.of("vocals")[0].plugin, chains.of("bass")
    ('Reverb', ())
    """

    effects: Mapping[str, tuple[EffectSpec, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Drop stems without effects and freeze the mapping."""
        kept = {stem: tuple(effects) for stem, effects in self.effects.items() if effects}
        object.__setattr__(self, "effects", MappingProxyType(kept))

    @classmethod
    def parse(cls, table: Mapping[str, Iterable[Mapping[str, Any] | EffectSpec]] | ChainSpec | None) -> ChainSpec:
        """Return the chains that a table of stems describes, such as ``[[chains.vocals]]`` of a preset.

        Raises:
            ConfigError: a table that is no chain, with the stem and the place of the effect.
        """
        if table is None or isinstance(table, ChainSpec):
            return table or cls()
        if not isinstance(table, Mapping):
            raise ConfigError(f"{table!r} is not a table of stems and their effects")
        return cls({stem: _parse_chain(stem, effects) for stem, effects in table.items()})

    def of(self, stem: str) -> tuple[EffectSpec, ...]:
        """Return the effects of ``stem``."""
        return self.effects.get(stem, ())

    def check(self, stems: tuple[str, ...]) -> None:
        """Check the names of the stems.

        Raises:
            ConfigError: a chain for a stem that is none of ``stems``.
        """
        for stem in self.effects:
            if stem not in stems:
                raise ConfigError(f"no stem {stem!r} to put a chain on; {did_you_mean(stem, stems)}")

    def with_effect(self, stem: str, index: int, parameter: str, value: object) -> ChainSpec:
        """Return the chains with one parameter, or ``bypass``, of one effect at another value.

        Args:
            stem: whose chain.
            index: the effect's index, bypassed ones counted.
            parameter: the parameter's name, or ``bypass``.
            value: its new value.

        Raises:
            ConfigError: no such effect or parameter, or a value out of its range.
        """
        effects = list(self.of(stem))
        if not 0 <= index < len(effects):
            raise ConfigError(f"the chain of {stem!r} has no effect {index}: it has {len(effects)}, counted from 0")
        effects[index] = effects[index].with_parameter(parameter, value)
        return ChainSpec({**self.effects, stem: tuple(effects)})

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Return the table that `parse` reads; plain enough for JSON and TOML."""
        return {stem: [effect.to_dict() for effect in effects] for stem, effects in self.effects.items()}


def _parse_chain(stem: str, effects: Iterable[Mapping[str, Any] | EffectSpec]) -> tuple[EffectSpec, ...]:
    if isinstance(effects, str | Mapping):
        raise ConfigError(f"the chain of {stem!r} is not a list of effects: {effects!r}")
    parsed = []
    for place, effect in enumerate(effects):
        try:
            parsed.append(EffectSpec.parse(effect))
        except ConfigError as error:
            raise ConfigError(f"the chain of {stem!r}, effect {place}: {error}") from None
    return tuple(parsed)
