"""A loaded preset: control values, effect chains, device channels and a fade."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from stream_sep.control.parameters import KARAOKE_STEM, parameters_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.control.parameters import Value

_RESET = ("gain_db", "mute", "solo", "pan")


@dataclass(frozen=True)
class Preset:
    """A named set of control values, with chains, outputs and a fade.

    Attributes:
        name: of the preset.
        values: by control path, as ``{"stem/vocals/gain_db": -90.0}``.
        chains: stem -> its effects in order, each a table of ``plugin``, ``parameters`` and ``bypass``.
        outputs: bus (``main`` or a stem) -> the first of its two device channels, counted from 1.
        fade_ms: length of the fade in ms; None uses ``ramp_ms``.
        description: a short text for the user.
        resets_all: whether all other stems go back to unity, centre and unmuted, and karaoke and bypass off.

    >>> Preset("quiet", {"master/gain_db": -20.0}).values["master/gain_db"]
    -20.0
    """

    name: str
    values: Mapping[str, Value] = field(default_factory=dict)
    chains: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    outputs: Mapping[str, int] = field(default_factory=dict)
    fade_ms: float | None = None
    description: str = ""
    resets_all: bool = False

    def __post_init__(self) -> None:
        """Store read-only copies."""
        for name in ("values", "chains", "outputs"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def resolve(self, stems: tuple[str, ...]) -> dict[str, Value]:
        """Return the values to apply to a mixer with ``stems``: its own, over the defaults if it resets.

        >>> only = Preset("only", {"stem/bass/solo": True}, resets_all=True).resolve(("bass",))
        >>> only["stem/bass/gain_db"], only["stem/bass/solo"]
        (0.0, True)
        """
        return {**(defaults(stems) if self.resets_all else {}), **self.values}


def defaults(stems: tuple[str, ...]) -> dict[str, Value]:
    """Return the defaults of a preset that resets; master, limiter and ramp keep their values."""
    paths = {f"stem/{stem}/{name}" for stem in stems for name in _RESET} | {"bypass"}
    paths |= {"karaoke"} if KARAOKE_STEM in stems else set()
    return {parameter.path: parameter.default for parameter in parameters_for(stems) if parameter.path in paths}
