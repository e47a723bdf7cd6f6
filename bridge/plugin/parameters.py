"""The plug-in's parameters, read from the one table that the native code is compiled from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENTRY = re.compile(
    r'^PARAMETER\((?P<id>\d+), "(?P<symbol>\w+)", "(?P<name>[^"]+)", (?P<minimum>-?\d+), (?P<maximum>-?\d+), '
    r'(?P<default>-?\d+), (?P<kind>\w+), "(?P<unit>\w*)", "(?P<path>[\w/]*)"\)$',
    re.MULTILINE,
)


@dataclass(frozen=True)
class PluginParameter:
    """A parameter as DAWs see it.

    Attributes:
        id: its number; it never changes.
        symbol: its name in LV2 and in saved states.
        name: that DAWs show.
        minimum: least value.
        maximum: greatest value.
        default: value at the start.
        kind: ``CONTINUOUS``, ``TOGGLE``, ``CHOICE``, ``BYPASS``, ``METER`` or ``COUNTER``.
        unit: ``dB``, ``ms`` or none.
        path: the engine's control, or none.
    """

    id: int
    symbol: str
    name: str
    minimum: int
    maximum: int
    default: int
    kind: str
    unit: str
    path: str

    @property
    def readonly(self) -> bool:
        """Whether it is an output of the plug-in."""
        return self.kind in {"METER", "COUNTER"}


def plugin_parameters() -> tuple[PluginParameter, ...]:
    """Return the parameters in the order of the table.

    >>> [parameter.symbol for parameter in plugin_parameters()][:3]
    ['bypass', 'karaoke', 'vocals_gain']
    """
    text = (files("bridge.plugin") / "native" / "parameters.def").read_text(encoding="utf-8")
    return tuple(_parameter(found.groupdict()) for found in _ENTRY.finditer(text))


def _parameter(entry: Mapping[str, str]) -> PluginParameter:
    return PluginParameter(
        id=int(entry["id"]),
        symbol=entry["symbol"],
        name=entry["name"],
        minimum=int(entry["minimum"]),
        maximum=int(entry["maximum"]),
        default=int(entry["default"]),
        kind=entry["kind"],
        unit=entry["unit"],
        path=entry["path"],
    )
