"""Every control of a running engine: one path each, one place that validates values, one way to subscribe to changes.

Levels are stored in dB. Listeners receive the path that changed and read the value when they need it, so late or
reordered notifications still end with the current value.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

from stream_sep.control.transition import DEFAULT_TRANSITION
from stream_sep.errors import ParameterError
from stream_sep.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from stream_sep.control.parameters import Parameter, Value
    from stream_sep.control.transition import Transition

_log = logging.getLogger(__name__)


def _notify(listener: Callable[..., None], *change: object) -> None:
    try:
        listener(*change)
    except Exception:  # noqa: BLE001 - a listener can fail in any way; the change stays
        _log.exception("a listener failed on the change of %s", change[0] if change else "the tree")


class ControlState:
    """The values of all controls; safe from any thread.

    Args:
        parameters: the controls.

    >>> from stream_sep.control.parameters import parameters_for
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
        self._change_listeners: list[Callable[..., None]] = []
        self._watchers: list[Callable[..., None]] = []
        self._lock = threading.Lock()

    def __getitem__(self, path: str) -> Value:
        self._find(path)
        return self._values[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def set(self, path: str, value: object) -> Value:
        """Store ``value`` and notify the listeners if it changed; return the stored value.

        Args:
            path: of the control.
            value: in its unit.

        Returns:
            The stored value, clamped to the range.

        Raises:
            ParameterError: an unknown path, or an invalid value; nothing changes.
        """
        self.update({path: value})
        return self._values[path]

    def update(self, values: Mapping[str, object], transition: Transition = DEFAULT_TRANSITION) -> None:
        """Store many values as one change, or none of them if one is invalid.

        Args:
            values: by path.
            transition: how the gains move to them.
        """
        self.check(values)
        self.publish(values, transition)

    def check(self, values: Mapping[str, object]) -> None:
        """Validate values as `update` does, without a change.

        Raises:
            ParameterError: an unknown or read-only path, or an invalid value.
        """
        for path, value in values.items():
            parameter = self._find(path)
            if parameter.readonly:
                raise ParameterError(f"{path} is read-only")
            parameter.coerce(value)

    def publish(self, values: Mapping[str, object], transition: Transition = DEFAULT_TRANSITION) -> None:
        """Store many values as `update` does, read-only ones too: the engine's status."""
        checked = {path: self._find(path).coerce(value) for path, value in values.items()}
        with self._lock:
            there = {path: value for path, value in checked.items() if path in self.parameters}
            changed = tuple(path for path, value in there.items() if self._values[path] != value)
            self._values = {**self._values, **there}
        self._notify_of(changed, transition)

    def replace_parameters(self, retired: Collection[str], parameters: Collection[Parameter]) -> None:
        """Replace the controls ``retired`` by others at their defaults; notify tree subscribers if the tree changed.

        Listeners are notified of existing controls that now have another value.

        Args:
            retired: paths to remove.
            parameters: controls to add.
        """
        with self._lock:
            before, values = self.parameters, self._values
            kept = {path: parameter for path, parameter in before.items() if path not in retired}
            new = {parameter.path: parameter.default for parameter in parameters}
            self._values = {**{path: values[path] for path in kept}, **new}
            self.parameters = {**kept, **{parameter.path: parameter for parameter in parameters}}
            changed = tuple(path for path, value in new.items() if path in before and values[path] != value)
            watchers = tuple(self._watchers) if _shapes(before) != _shapes(self.parameters) else ()
        for watcher in watchers:
            _notify(watcher)
        self._notify_of(changed, DEFAULT_TRANSITION)

    def snapshot(self) -> dict[str, Value]:
        """Return a consistent copy of all values."""
        return dict(self._values)

    def subscribe(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Call ``listener(path)`` after every change, on the thread that made it; return a function to unsubscribe.

        An exception in a listener is logged; it stops neither the change nor the other listeners.
        """
        return self._register(self._listeners, listener)

    def subscribe_changes(self, listener: Callable[[tuple[str, ...], Transition], None]) -> Callable[[], None]:
        """Call ``listener(paths, transition)`` once for every change, before the listeners of its paths."""
        return self._register(self._change_listeners, listener)

    def subscribe_tree(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call ``watcher()`` after controls were added or removed, as `subscribe` does."""
        return self._register(self._watchers, watcher)

    def _notify_of(self, paths: tuple[str, ...], transition: Transition) -> None:
        with self._lock:
            change_listeners, listeners = tuple(self._change_listeners), tuple(self._listeners)
        for listener in change_listeners if paths else ():
            _notify(listener, paths, transition)
        for path in paths:
            for listener in listeners:
                _notify(listener, path)

    def _register(self, subscribers: list[Callable[..., None]], listener: Callable[..., None]) -> Callable[[], None]:
        with self._lock:
            subscribers.append(listener)

        def stop() -> None:
            with self._lock, contextlib.suppress(ValueError):
                subscribers.remove(listener)

        return stop

    def _find(self, path: str) -> Parameter:
        if path not in self.parameters:
            raise ParameterError(f"there is no control {path!r}; {did_you_mean(path, self.parameters)}")
        return self.parameters[path]


def _shapes(parameters: Mapping[str, Parameter]) -> set[tuple[object, ...]]:
    """Return the definitions of the controls without their values, to compare two trees."""
    return {(one.path, type(one.default), one.low, one.high, one.unit) for one in parameters.values()}
