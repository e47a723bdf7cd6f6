"""One OSC address: its type and range, and the conversion of arguments to values of a control."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING, TypeAlias

from stream_sep.errors import ParameterError

if TYPE_CHECKING:
    from bridge.osc.codec import Arguments
    from bridge.protocols import MixerControl


Read: TypeAlias = Callable[["MixerControl"], "Arguments"]


class Group(IntFlag):
    """Groups of addresses to subscribe to, added up."""

    FADERS = 1
    BUTTONS = 2
    METERS = 4
    ENGINE = 8
    NAMES = 16
    PRESET = 32
    EVERYTHING = 63


@dataclass(frozen=True)
class Node:
    """One address.

    Attributes:
        address: such as ``/stem/vocals/fader``.
        types: OSC types of its arguments, such as ``f``.
        group: for subscriptions.
        read: returns its current arguments from a mixer.
        sources: paths of the controls that its value depends on.
        path: the control that it sets; empty if it is read-only.
        to_stored: converts an argument, a number or a text, to that control's unit.
        low: least value, if it has one.
        high: greatest value, if it has one.
        unit: such as ``dB``.
        description: for users.
    """

    address: str
    types: str
    group: Group
    read: Read
    sources: tuple[str, ...] = ()
    path: str = ""
    to_stored: Callable[[object], object] = str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    description: str = ""

    def decode(self, argument: object) -> tuple[object, Arguments]:
        """Return the value of ``argument``, and the arguments that its sender now assumes.

        Args:
            argument: as received.

        Returns:
            The value, in the control's unit, and the arguments of the matching feedback message.

        Raises:
            ParameterError: it is read-only, or the argument has the wrong type.
        """
        if not self.path:
            raise ParameterError(f"{self.address} is read-only")
        if self.types == "s":
            if not isinstance(argument, str):
                raise ParameterError(f"{self.address} takes a text, not {argument!r:.40}")
            return argument, (argument,)
        value = number(self.address, argument)
        return self.to_stored(value), (int(value > 0) if self.types == "i" else value,)


def number(address: str, argument: object) -> float:
    """Convert an argument to a number: any of OSC's numbers, true, false, or a number as text.

    Args:
        address: for the error message.
        argument: as received.

    Returns:
        The number, which may be infinite.

    Raises:
        ParameterError: it is not a number, or NaN.

    >>> number("/stem/vocals/mute", True), number("/stem/vocals/gain", "-6")
    (1.0, -6.0)
    """
    if isinstance(argument, bool | int | float | str):
        try:
            value = float(argument)
        except (ValueError, OverflowError):
            value = math.nan
        if not math.isnan(value):
            return value
    raise ParameterError(f"{address} takes a number, not {argument!r:.40}")
