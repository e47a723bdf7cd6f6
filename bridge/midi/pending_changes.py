"""What a device's moves make of the desk: gathered, and stored as one change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_sep.errors import StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable

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

    def __getitem__(self, path: str) -> Value:
        return self._waiting[path] if path in self._waiting else self.desk.controls[path]

    def __setitem__(self, path: str, value: Value) -> None:
        self._waiting[path] = value

    def default(self, path: str) -> Value:
        """Return what a control is at the start."""
        return self.desk.controls.parameters[path].default

    def recall(self, preset: str) -> None:
        """Apply a preset, after what was moved before."""
        self.commit()
        try:
            self.desk.recall(preset)
        except StreamSepError as error:
            self._refused(str(error))

    def commit(self) -> None:
        """Store what waits."""
        values, self._waiting = self._waiting, {}
        if not values:
            return
        try:
            self.desk.apply(values)
        except StreamSepError as error:
            self._refused(str(error))
