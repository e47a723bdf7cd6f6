"""Which changes of a chain are parameter changes, and which need new instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from stream_sep.effects.catalog import is_file, parameter_spec
from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream_sep.effects.catalog import ParameterSpec, Setting
    from stream_sep.effects.spec import EffectSpec

ParameterChange: TypeAlias = "tuple[int, str, Setting]"
"""One parameter change: the effect's index among those not bypassed, the parameter, the value."""


def parameter_changes(
    old: Sequence[EffectSpec], new: Sequence[EffectSpec], parameter_specs: Sequence[Mapping[str, ParameterSpec]]
) -> list[ParameterChange] | None:
    """Return the parameter changes from ``old`` to ``new``, or None where new instances are needed.

    Args:
        old: the current effects.
        new: the requested effects.
        parameter_specs: for each effect of ``old`` that is not bypassed, the parameters its plug-in file declares.

    Raises:
        ConfigError: a parameter that an effect from a file does not have, or a value out of its range.

    >>> from stream_sep.effects.spec import EffectSpec
    >>> small, large = (EffectSpec("Reverb", {"room_size": size}) for size in (0.1, 0.9))
    >>> parameter_changes([small], [large], [{}])
    [(0, 'room_size', 0.9)]
    >>> parameter_changes([EffectSpec("Gain", {"gain_db": 0})], [EffectSpec("Gain", {"gain_db": 3})], [{}]) is None
    True
    """
    if [(effect.plugin, effect.bypass) for effect in old] != [(effect.plugin, effect.bypass) for effect in new]:
        return None
    played = [(before, after) for before, after in zip(old, new, strict=True) if not after.bypass]
    changes: list[ParameterChange] = []
    for place, (before, after) in enumerate(played):
        for name in _differences(before, after):
            if name not in after.parameters or not _is_automatable(after, name, parameter_specs[place]):
                return None
            changes.append((place, name, after.parameters[name]))
    return changes


def _differences(before: EffectSpec, after: EffectSpec) -> list[str]:
    names = {**before.parameters, **after.parameters}
    return [name for name in names if before.parameters.get(name) != after.parameters.get(name)]


def _is_automatable(effect: EffectSpec, name: str, parameter_specs: Mapping[str, ParameterSpec]) -> bool:
    if not is_file(effect.plugin):
        return parameter_spec(effect.plugin, name).automatable
    try:
        spec = parameter_spec(effect.plugin, name, parameter_specs)
    except ConfigError as error:
        raise ConfigError(f"effect {effect.plugin!r} {error}") from None
    try:
        if spec.automatable:
            spec.coerce(effect.parameters[name])
    except ConfigError as error:
        raise ConfigError(f"effect {effect.plugin!r}: {name} {effect.parameters[name]!r} {error}") from None
    return spec.automatable
