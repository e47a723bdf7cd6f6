"""Every control of a running engine: one path each, one place that checks values, one way to be told of changes.

dB is what is stored. Listeners are told which path changed and read the value when they need it, so late or
reordered notices still end on the truth.
"""

from __future__ import annotations

import contextlib
import difflib
import logging
import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from stream_sep.control.levels import LOUDEST_DB, SILENCE_DB
from stream_sep.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

_log = logging.getLogger(__name__)

KARAOKE_STEM = "vocals"
"""The stem that the control ``karaoke`` takes out."""

UNLIMITED = 2.0**53
"""The bound of a number that has no bound of its own: every whole number up to here is exact."""

Value: TypeAlias = float | bool | str
"""What a control holds: a number, on and off, or a text."""


@dataclass(frozen=True)
class Parameter:
    """One control.

    Attributes:
        path: its address, such as ``stem/vocals/gain_db``.
        default: its value at the start; a bool makes it a switch, a str a text.
        low: least value of a number.
        high: greatest value of a number.
        unit: for people, such as ``dB``.
        readonly: whether only the engine writes it, to tell how it is.
    """

    path: str
    default: Value
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    readonly: bool = False

    def __post_init__(self) -> None:
        """Refuse bounds, and a default, that could let infinity or NaN in."""
        for number in (self.low, self.high, self.default):
            if isinstance(number, float) and not math.isfinite(number):
                raise ParameterError(f"{self.path} cannot begin at, or be bounded by, {number}")

    def coerce(self, value: object) -> Value:
        """Return ``value`` as this parameter stores it: within its range, or on and off for a switch.

        Args:
            value: a number, a switch or a text; of levels in dB, and of what is read-only, infinity is an end of the
                range.

        Returns:
            What is stored: a text, a bool or a finite float.

        Raises:
            ParameterError: not a number, NaN, or infinity where that is not a level; for a text, not a text.

        >>> Parameter("x", 0.0, -90, 10).coerce(99)
        10.0
        """
        if isinstance(self.default, str):
            if not isinstance(value, str):
                raise ParameterError(f"{self.path} takes a text, not {value!r:.60}")
            return value
        if not isinstance(value, bool | int | float) or value != value:  # noqa: PLR0124 - NaN alone is not itself
            raise ParameterError(f"{self.path} takes a number, not {value!r:.60}")
        if isinstance(self.default, bool):
            return bool(value)
        if abs(value) == math.inf and self.unit != "dB" and not self.readonly:
            raise ParameterError(f"{self.path} takes a finite number, not {value}")
        return float(min(max(value, self.low), self.high))


def parameters_for(stems: tuple[str, ...]) -> tuple[Parameter, ...]:
    """Return the controls of an engine with these stems."""
    of_stems = [
        parameter
        for stem in stems
        for parameter in (
            Parameter(f"stem/{stem}/gain_db", 0.0, SILENCE_DB, LOUDEST_DB, "dB"),
            Parameter(f"stem/{stem}/mute", default=False),
            Parameter(f"stem/{stem}/solo", default=False),
            Parameter(f"stem/{stem}/pan", 0.0, -1.0, 1.0),
            Parameter(f"stem/{stem}/chain/bypass", default=False),
        )
    ]
    return (
        *of_stems,
        Parameter("master/gain_db", 0.0, SILENCE_DB, LOUDEST_DB, "dB"),
        Parameter("master/mute", default=False),
        Parameter("master/limiter", default=False),
        Parameter("bypass", default=False),
        *([Parameter("karaoke", 0.0, 0.0, 1.0)] if KARAOKE_STEM in stems else []),
        Parameter("ramp_ms", 10.0, 1.0, 10000.0, "ms"),
        Parameter("preset", "", readonly=True),
        Parameter("engine/model", "", readonly=True),
        Parameter("engine/device", "", readonly=True),
        Parameter("engine/state", "stopped", readonly=True),
        Parameter("engine/latency_frames", 0.0, 0.0, UNLIMITED, "frames", readonly=True),
        Parameter("engine/latency_ms", 0.0, 0.0, UNLIMITED, "ms", readonly=True),
        Parameter("engine/load", 0.0, 0.0, UNLIMITED, readonly=True),
        Parameter("engine/late_hops", 0.0, 0.0, UNLIMITED, readonly=True),
        Parameter("engine/xruns", 0.0, 0.0, UNLIMITED, readonly=True),
        Parameter("engine/dry_frames", 0.0, 0.0, UNLIMITED, "frames", readonly=True),
        Parameter("engine/restarts", 0.0, 0.0, UNLIMITED, readonly=True),
    )


def _notify(listener: Callable[..., None], *path: str) -> None:
    try:
        listener(*path)
    except Exception:  # noqa: BLE001 - whatever a listener does, the change stands
        _log.exception("a listener failed on the change of %s", *path or ("the tree",))


class ControlState:
    """The values of all controls; safe from any thread.

    Args:
        parameters: the controls there are.

    >>> state = ControlState(parameters_for(("vocals", "other")))
    >>> state.set("stem/vocals/gain_db", -200)
    -90.0
    >>> state["stem/vocals/gain_db"]
    -90.0
    """

    def __init__(self, parameters: tuple[Parameter, ...]) -> None:
        self.parameters = {parameter.path: parameter for parameter in parameters}
        self._values: dict[str, Value] = {path: parameter.default for path, parameter in self.parameters.items()}
        self._listeners: list[Callable[..., None]] = []
        self._watchers: list[Callable[..., None]] = []
        self._lock = threading.Lock()

    def __getitem__(self, path: str) -> Value:
        self._find(path)
        return self._values[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def set(self, path: str, value: object) -> Value:
        """Store ``value`` and tell the listeners if that changed anything; return what was stored.

        Args:
            path: of the control.
            value: in its unit.

        Returns:
            What was stored: the value, within its range.

        Raises:
            ParameterError: there is no such path, or it cannot hold that value; nothing changes.
        """
        self.update({path: value})
        return self._values[path]

    def update(self, values: Mapping[str, object]) -> None:
        """Store many values as one change, or none of them if one is refused."""
        self.check(values)
        self.publish(values)

    def check(self, values: Mapping[str, object]) -> None:
        """Refuse what `update` would refuse, and change nothing.

        Raises:
            ParameterError: there is no such path, it is read-only, or it cannot hold that value.
        """
        for path, value in values.items():
            parameter = self._find(path)
            if parameter.readonly:
                raise ParameterError(f"{path} is read-only")
            parameter.coerce(value)

    def publish(self, values: Mapping[str, object]) -> None:
        """Store many values as `update` does, read-only ones too: what the engine tells of itself."""
        checked = {path: self._find(path).coerce(value) for path, value in values.items()}
        with self._lock:
            there = {path: value for path, value in checked.items() if path in self.parameters}
            changed = [path for path, value in there.items() if self._values[path] != value]
            self._values = {**self._values, **there}
            listeners = tuple(self._listeners)
        for path in changed:
            for listener in listeners:
                _notify(listener, path)

    def replace_parameters(self, retired: Collection[str], parameters: Collection[Parameter]) -> None:
        """Have other controls in place of ``retired``, each at its default; tell who watches the tree if it changed.

        The listeners are told of a control that was there already and now has another value.

        Args:
            retired: paths that are to go.
            parameters: controls that come in their place.
        """
        with self._lock:
            before, values = self.parameters, self._values
            kept = {path: parameter for path, parameter in before.items() if path not in retired}
            new = {parameter.path: parameter.default for parameter in parameters}
            self._values = {**{path: values[path] for path in kept}, **new}
            self.parameters = {**kept, **{parameter.path: parameter for parameter in parameters}}
            changed = [path for path, value in new.items() if path in before and values[path] != value]
            listeners = tuple(self._listeners)
            watchers = tuple(self._watchers) if _shapes(before) != _shapes(self.parameters) else ()
        for watcher in watchers:
            _notify(watcher)
        for path in changed:
            for listener in listeners:
                _notify(listener, path)

    def snapshot(self) -> dict[str, Value]:
        """Return all values as they are at one moment."""
        return dict(self._values)

    def subscribe(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Call ``listener(path)`` after every change, on the thread that made it; return how to stop that.

        A listener that raises is logged: neither the change nor the other listeners are its to stop.
        """
        return self._register(self._listeners, listener)

    def subscribe_tree(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call ``watcher()`` after controls have come or gone, as `subscribe` does."""
        return self._register(self._watchers, watcher)

    def _register(self, told: list[Callable[..., None]], listener: Callable[..., None]) -> Callable[[], None]:
        with self._lock:
            told.append(listener)

        def stop() -> None:
            with self._lock, contextlib.suppress(ValueError):
                told.remove(listener)

        return stop

    def _find(self, path: str) -> Parameter:
        if path not in self.parameters:
            near = difflib.get_close_matches(path, self.parameters, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(self.parameters)}"
            raise ParameterError(f"there is no control {path!r}; {hint}")
        return self.parameters[path]


def _shapes(parameters: Mapping[str, Parameter]) -> set[tuple[object, ...]]:
    """Return what tells controls apart: all but their values."""
    return {(one.path, type(one.default), one.low, one.high, one.unit) for one in parameters.values()}
