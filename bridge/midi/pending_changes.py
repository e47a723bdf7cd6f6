"""Changes from a device: gathered, and applied to the mixer as one change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.mixer_jobs import MixerJobs
from stream_sep.effects.controls import is_of_effect
from stream_sep.errors import StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.protocols import MixerControl
    from stream_sep.control.parameters import Value


class PendingChanges:
    """Values to be applied to a mixer; reading a path returns the pending value, if there is one.

    A burst of moves of one fader is one change, and of two faders of one moment one change too.

    Args:
        mixer: the mixer.
        refused: callback that receives a message when the mixer rejects a change.
    """

    def __init__(self, mixer: MixerControl, refused: Callable[[str], None]) -> None:
        self.mixer = mixer
        self._refused = refused
        self._pending: dict[str, Value] = {}
        self._jobs = MixerJobs(mixer, wake=lambda: None)

    def __getitem__(self, path: str) -> Value:
        return self._pending[path] if path in self._pending else self.mixer.controls[path]

    def __setitem__(self, path: str, value: Value) -> None:
        self._pending[path] = value

    def default(self, path: str) -> Value:
        """Return the default of a control."""
        return self.mixer.controls.parameters[path].default

    def recall(self, preset: str) -> None:
        """Apply a preset, after the earlier changes.

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
        self.mixer.apply(values)
        self._jobs.moved(values)

    def _try(self, call: Callable[[], None]) -> None:
        try:
            call()
        except StreamSepError as error:
            self._refuse(error)

    def _refuse(self, error: StreamSepError) -> None:
        self._refused(str(error))
