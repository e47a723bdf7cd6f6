"""Targets of a map, its ``to``: a control's path with the law of its travel, or an action."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from stream_sep.control.levels import LOUDEST_DB, SILENCE_DB, db_to_position, position_to_db
from stream_sep.control.transport import FASTEST, OCTAVE, SLOWEST
from stream_sep.errors import ConfigError
from stream_sep.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_sep.control.parameters import Value

Kind: TypeAlias = Literal["value", "switch", "press"]

STRIP_TARGETS: dict[str, Kind] = {
    "fader": "value",
    "gain": "value",
    "pan": "value",
    "mute": "switch",
    "solo": "switch",
    "chain/bypass": "switch",
}
"""The controls of a stem, after ``stem/<name or number>/``."""

PLAIN_TARGETS: dict[str, Kind] = {
    "master/fader": "value",
    "master/gain": "value",
    "master/mute": "switch",
    "master/limiter": "switch",
    "bypass": "switch",
    "karaoke": "value",
    "transport/play": "switch",
    "transport/loop/on": "switch",
    "transport/speed": "value",
    "transport/pitch": "value",
    "transport/next": "press",
    "transport/previous": "press",
    "bank/left": "press",
    "bank/right": "press",
    "channel/left": "press",
    "channel/right": "press",
    "solo/clear": "press",
}
"""The controls that exist once; the last seven are actions."""

_RANGES = {"pan": (-1.0, 1.0), "karaoke": (0.0, 1.0), "speed": (SLOWEST, FASTEST), "pitch": (-OCTAVE, OCTAVE)}

_EFFECT = re.compile(r"(stem/.+)/(chain/[1-9][0-9]*/[^/]+)")


def target_kind(to: str) -> Kind:
    """Return the kind of a target: value, switch or press.

    Raises:
        ConfigError: there is no such target; the nearest is named.

    >>> target_kind("stem/1/mute"), target_kind("preset/karaoke")
    ('switch', 'press')
    """
    first, _, rest = to.partition("/")
    stem, _, leaf = rest.partition("/")
    if first == "stem" and stem and leaf in STRIP_TARGETS:
        return STRIP_TARGETS[leaf]
    if effect := _EFFECT.fullmatch(to):
        return "switch" if effect[2].endswith("/bypass") else "value"
    if first == "preset" and rest:
        return "press"
    if to not in PLAIN_TARGETS:
        of_stem = [f"stem/{stem or 1}/{leaf}" for leaf in STRIP_TARGETS]
        hint = did_you_mean(to, [*of_stem, *PLAIN_TARGETS, "preset/karaoke"])
        raise ConfigError(f"there is nothing to move at {to!r}; {hint}")
    return PLAIN_TARGETS[to]


def is_effect(to: str) -> bool:
    """Return whether a target is a setting of an effect, which may come and go.

    >>> is_effect("stem/1/chain/1/room_size"), is_effect("stem/1/chain/bypass")
    (True, False)
    """
    return _EFFECT.fullmatch(to) is not None


_DECIMALS = 6  # in dB: hides rounding errors in the law of the travel


@dataclass(frozen=True)
class Target:
    """A control of the mixer and the law that maps travel to its values.

    Attributes:
        path: of the control.
        law: ``fader``, ``decibels``, ``linear`` or ``switch``.
        low: value at the bottom of the travel.
        high: value at its top.
    """

    path: str
    law: Literal["fader", "decibels", "linear", "switch"]
    low: float = 0.0
    high: float = 1.0

    @property
    def centred(self) -> bool:
        """Whether the middle of the travel is a distinct value, as a pan's centre is."""
        return self.law == "linear" and self.low == -self.high

    def value(self, position: float, snap_db: float = 1e-6) -> Value:
        """Return the value at a travel of 0 to 1.

        Args:
            position: the travel.
            snap_db: a level nearer to 0 dB than this is 0 dB.

        Returns:
            A level in dB, a number in the control's unit, or on and off.
        """
        if self.law == "switch":
            return position >= 0.5
        if self.law == "linear":
            return self.low + position * (self.high - self.low)
        level = position_to_db(position) if self.law == "fader" else self.low + position * (self.high - self.low)
        return 0.0 if abs(level) < snap_db else round(level, _DECIMALS)

    def position(self, value: Value) -> float:
        """Return the travel, 0 to 1, of a value."""
        if self.law == "fader":
            return db_to_position(float(value))
        return min(max((float(value) - self.low) / (self.high - self.low), 0.0), 1.0)


def find_target(
    to: str, stems: Sequence[str], *, low: float | None = None, high: float | None = None, offset: int = 0
) -> Target | None:
    """Return the control of ``to``, or None if it is an action or a stem that is not there.

    Args:
        to: as in a map; a stem by name or, from 1, by number.
        stems: names of the mixer's stems.
        low: another bottom than the control's own, in its unit.
        high: another top.
        offset: the stem that number 1 means, from 0; names are not shifted.

    Returns:
        The control with its law; None for actions and for stems that are not there.

    >>> find_target("stem/1/fader", ("vocals", "other")).path
    'stem/vocals/gain_db'
    """
    where, _, leaf = to.rpartition("/")
    effect = _EFFECT.fullmatch(to)
    if effect:
        where, leaf = effect[1], effect[2]
    if to.endswith("/chain/bypass"):
        where, leaf = to.removesuffix("/chain/bypass"), "chain/bypass"
    if where.startswith("stem/"):
        stem = _find_stem(where.removeprefix("stem/"), stems, offset)
        if stem is None:
            return None
        where = f"stem/{stem}"
    elif to not in PLAIN_TARGETS or PLAIN_TARGETS[to] == "press":
        return None
    if leaf in {"fader", "gain"}:
        ends = (SILENCE_DB if low is None else low, LOUDEST_DB if high is None else high)
        return Target(f"{where}/gain_db", "fader" if leaf == "fader" else "decibels", *ends)
    path = f"{where}/{leaf}" if where else leaf
    if effect and not leaf.endswith("/bypass"):
        return Target(path, "linear", 0.0 if low is None else low, 1.0 if high is None else high)
    if leaf in _RANGES:
        bottom, top = _RANGES[leaf]
        return Target(path, "linear", bottom if low is None else low, top if high is None else high)
    return Target(path, "switch")


def _find_stem(stem: str, stems: Sequence[str], offset: int) -> str | None:
    if stem in stems:
        return stem
    place = int(stem) - 1 + offset if stem.isdecimal() else -1
    return stems[place] if 0 <= place < len(stems) else None
