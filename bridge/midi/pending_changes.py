"""Changes from a device: gathered, and applied to the desk as one change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.mixer_jobs import MixerJobs, is_of_effect
from stream_sep.errors import StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.protocols import MixerControl
    from stream_sep.control.state import Value


class PendingChanges:
    """Values to be applied to a desk; reading a path returns the pending value, if there is one.

    A burst of moves of one fader is one change, and of two faders of one moment one change too.

    Args:
        desk: the desk.
        refused: callback that receives a message when the desk rejects a change.
    """

    def __init__(self, desk: MixerControl, refused: Callable[[str], None]) -> None:
        self.desk = desk
        self._refused = refused
        self._pending: dict[str, Value] = {}
        self._jobs = MixerJobs(desk, wake=lambda: None)

    def __getitem__(self, path: str) -> Value:
        return self._pending[path] if path in self._pending else self.desk.controls[path]

    def __setitem__(self, path: str, value: Value) -> None:
        self._pending[path] = value

    def default(self, path: str) -> Value:
        """Return the default of a control."""
        return self.desk.controls.parameters[path].default

    def recall(self, preset: str) -> None:
        """Apply a preset, after what was moved before.

        Args:
            preset: its name.
        """
        self.commit()
        self._try(lambda: self._jobs.recall(preset, None, self._refuse))

    def finish(self) -> None:
        """Complete presets and effects that have been loaded."""
        self._try(self._jobs.finish)

    def commit(self) -> None:
        """Apply the pending values."""
        values, self._pending = self._pending, {}
        effects = {path: values.pop(path) for path in list(values) if is_of_effect(path)}
        if values:
            self._try(lambda: self._apply(values))
        if effects:
            self._try(lambda: self._jobs.set_effects(effects, self._refuse))

    def _apply(self, values: Mapping[str, Value]) -> None:
        self.desk.apply(values)
        self._jobs.moved(values)

    def _try(self, call: Callable[[], None]) -> None:
        try:
            call()
        except StreamSepError as error:
            self._refuse(error)

    def _refuse(self, error: StreamSepError) -> None:
        self._refused(str(error))
