"""Which changes of a chain are a turn of a knob, and which take other effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from stream_sep.effects.catalog import is_file, knob
from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream_sep.effects.catalog import Knob, Setting
    from stream_sep.effects.spec import EffectSpec

Move: TypeAlias = "tuple[int, str, Setting]"
"""A turn of a knob: the effect's place among those that are not bypassed, the parameter, the value."""


def moves_between(
    old: Sequence[EffectSpec], new: Sequence[EffectSpec], knobs: Sequence[Mapping[str, Knob]]
) -> list[Move] | None:
    """Return the moves that lead from ``old`` to ``new``, or None where that takes other effects.

    Args:
        old: the effects that play.
        new: the effects that are wanted.
        knobs: of each effect of ``old`` that is not bypassed, the parameters that only its file knows.

    Raises:
        ConfigError: a parameter that an effect from a file does not have, or a value out of its range.

    >>> from stream_sep.effects.spec import EffectSpec
    >>> small, large = (EffectSpec("Reverb", {"room_size": size}) for size in (0.1, 0.9))
    >>> moves_between([small], [large], [{}])
    [(0, 'room_size', 0.9)]
    >>> moves_between([EffectSpec("Gain", {"gain_db": 0})], [EffectSpec("Gain", {"gain_db": 3})], [{}]) is None
    True
    """
    if [(effect.plugin, effect.bypass) for effect in old] != [(effect.plugin, effect.bypass) for effect in new]:
        return None
    played = [(before, after) for before, after in zip(old, new, strict=True) if not after.bypass]
    moves: list[Move] = []
    for place, (before, after) in enumerate(played):
        for name in _differences(before, after):
            if name not in after.parameters or not _moves(after, name, knobs[place]):
                return None
            moves.append((place, name, after.parameters[name]))
    return moves


def _differences(before: EffectSpec, after: EffectSpec) -> list[str]:
    names = {**before.parameters, **after.parameters}
    return [name for name in names if before.parameters.get(name) != after.parameters.get(name)]


def _moves(effect: EffectSpec, name: str, knobs: Mapping[str, Knob]) -> bool:
    if not is_file(effect.plugin):
        return knob(effect.plugin, name).moves
    try:
        known = knob(effect.plugin, name, knobs)
    except ConfigError as error:
        raise ConfigError(f"effect {effect.plugin!r} {error}") from None
    try:
        if known.moves:
            known.coerce(effect.parameters[name])
    except ConfigError as error:
        raise ConfigError(f"effect {effect.plugin!r}: {name} {effect.parameters[name]!r} {error}") from None
    return known.moves
