"""A batch of values for the mixer: of several for one control, only the newest is applied."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from stream_sep.effects.controls import is_of_effect
from stream_sep.errors import StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.mixer_jobs import MixerJobs
    from bridge.network import Address
    from bridge.protocols import MixerControl


class WriteBatch:
    """Collects the values that are due at the same time.

    Args:
        mixer: receives them.
        jobs: sets those of effects, and records the others while a preset is being recalled.
        changed: called for every control that a message sets, even if its value stays the same.
        refused: called with the sender and the error.
    """

    def __init__(
        self,
        mixer: MixerControl,
        jobs: MixerJobs,
        changed: Callable[[str], None],
        refused: Callable[[Address, StreamSepError], None],
    ) -> None:
        self._mixer, self._jobs, self._changed, self._refused = mixer, jobs, changed, refused
        self._values: dict[str, object] = {}
        self._senders: set[Address] = set()
        self._at: float | None = None

    def begin(self, at: float | None) -> None:
        """Begin a batch; apply the previous one if it is due at another time.

        Args:
            at: `time.monotonic` at which it is due; None for now.
        """
        if at != self._at:
            self.apply()
            self._at = at

    def value(self, path: str) -> object:
        """Return the value of a control after the batch.

        Args:
            path: of the control.

        Returns:
            The value in the batch, or else the current one.
        """
        return self._values.get(path, self._mixer.controls[path])

    def put(self, path: str, value: object, sender: Address) -> None:
        """Add a value to the batch.

        Args:
            path: of the control.
            value: checked already.
            sender: receives the error if the mixer rejects it.
        """
        self._values[path] = value
        self._senders.add(sender)
        if self._at is None:  # a value out of range gets feedback even if nothing changed
            self._changed(path)

    def apply(self) -> None:
        """Apply the batch as one change."""
        values, senders, at = self._values, self._senders, self._at
        self._values, self._senders, self._at = {}, set(), None
        effects = {path: values.pop(path) for path in list(values) if is_of_effect(path)}
        try:
            if values:
                self._mixer.apply(values, at=at)
                self._jobs.moved(values)
            if effects:
                self._jobs.set_effects(effects, partial(self._refuse, senders))
        except StreamSepError as error:
            self._refuse(senders, error)

    def _refuse(self, senders: set[Address], error: StreamSepError) -> None:
        for sender in senders:
            self._refused(sender, error)
