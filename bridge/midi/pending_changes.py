"""What a device's moves make of the desk: gathered, and stored as one change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.mixer_jobs import MixerJobs, is_of_effect
from stream_sep.errors import StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.protocols import MixerControl
    from stream_sep.control.state import Value


class PendingChanges:
    """Values on their way to a desk; reading one gives what it will be.

    A burst of moves of one fader is one change, and of two faders of one moment one change too.

    Args:
        desk: what is moved.
        refused: told the sentence when the desk will not take something.
    """

    def __init__(self, desk: MixerControl, refused: Callable[[str], None]) -> None:
        self.desk = desk
        self._refused = refused
        self._waiting: dict[str, Value] = {}
        self._jobs = MixerJobs(desk, wake=lambda: None)

    def __getitem__(self, path: str) -> Value:
        return self._waiting[path] if path in self._waiting else self.desk.controls[path]

    def __setitem__(self, path: str, value: Value) -> None:
        self._waiting[path] = value

    def default(self, path: str) -> Value:
        """Return what a control is at the start."""
        return self.desk.controls.parameters[path].default

    def recall(self, preset: str) -> None:
        """Apply a preset, after what was moved before.

        Args:
            preset: its name.
        """
        self.commit()
        self._try(lambda: self._jobs.recall(preset, None, self._refuse))

    def finish(self) -> None:
        """Take in what took longer: presets and effects that have come."""
        self._try(self._jobs.finish)

    def commit(self) -> None:
        """Store what waits."""
        values, self._waiting = self._waiting, {}
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
