"""Slow operations on the mixer for a control surface: presets and effects, in the background and rate-limited."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from bridge.background import BackgroundCalls
from bridge.rate_limit import TokenBucket
from stream_sep.errors import BridgeError, PresetError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.background import Outcome
    from bridge.protocols import MixerControl

    Failed = Callable[[StreamSepError], None]

_Result = TypeVar("_Result")

MAX_PRESETS = 256
"""A control surface stores no new preset where there are as many."""

QUICK_SECONDS = 0.05
"""How long a surface waits for a preset, so that later moves override it; a plug-in takes longer."""

_FRESH_SECONDS = 1.0
_STORES = 8, 1.0  # at once, and a second
_RECALLS = 20, 20.0


class MixerJobs:
    """Recalls and stores presets and sets effects for one surface; for one thread, which calls `finish` when woken.

    A preset with plug-ins may take seconds. Values set meanwhile apply at once, and again after the
    preset: they were set after it was requested.

    Args:
        mixer: whose presets they are.
        wake: called, from any thread, when `finish` has something to do.
        changed: called when there are other presets than before.
    """

    def __init__(
        self,
        mixer: MixerControl,
        wake: Callable[[], None],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._mixer, self._changed = mixer, changed
        self._calls = BackgroundCalls("mixer jobs", wake)
        self._stores, self._recalls = TokenBucket(*_STORES), TokenBucket(*_RECALLS)
        self._moved: dict[str, object] = {}
        self._effects: dict[str, object] = {}
        self._lock = threading.Lock()
        self._recalling = 0
        self._names: tuple[str, ...] = ()
        self._fresh_until = -math.inf

    def load_names(self) -> None:
        """Read the names of the presets, blocking: for the start, before any client is served."""
        with contextlib.suppress(StreamSepError):
            self._names = self._mixer.presets()
        self._fresh_until = time.monotonic() + _FRESH_SECONDS

    @property
    def is_fresh(self) -> bool:
        """Whether `names` was read recently."""
        return time.monotonic() < self._fresh_until

    @property
    def names(self) -> tuple[str, ...]:
        """The presets there were when their folder was last read; it is read again if that is long ago."""
        if not self.is_fresh:
            with contextlib.suppress(BridgeError):  # a queued job reads them too, or the next one does
                self.refresh()
        return self._names

    def refresh(self, done: Callable[[], None] = lambda: None) -> None:
        """Read which presets there are.

        Args:
            done: called when `names` has them.

        Raises:
            BridgeError: too much waits already.
        """
        self._fresh_until = time.monotonic() + _FRESH_SECONDS

        def take(outcome: Outcome[tuple[str, ...]]) -> None:
            self._take_names(outcome)
            done()

        self._submit(self._mixer.presets, take)

    def recall(self, preset: object, fade_ms: float | None, failed: Failed) -> None:
        """Apply a preset soon.

        Args:
            preset: its name, or its number in the list from 1.
            fade_ms: as `MixerControl.recall`.
            failed: called with the error.

        Raises:
            PresetError: presets are recalled too fast.
            BridgeError: too much waits already.
        """
        if not self._recalls.take():
            raise PresetError(f"presets are recalled at most {_RECALLS[1]:g} times a second")

        def done(outcome: Outcome[None]) -> None:
            self._recalling -= 1
            moved, self._moved = self._moved, {}
            if outcome.error is not None:
                failed(outcome.error)
            elif moved:
                self._mixer.apply(moved)

        self._recalling += 1
        try:
            self._submit(lambda: self._mixer.recall(self._named(preset), fade_ms=fade_ms), done)
        except StreamSepError:
            self._recalling -= 1
            raise

    def store(self, preset: str, failed: Failed, *, replace: bool = True) -> None:
        """Keep the controls as they are under a name.

        Args:
            preset: the name.
            failed: called with the error.
            replace: whether a preset of that name is replaced; otherwise that is refused.

        Raises:
            PresetError: presets are stored too fast.
            BridgeError: too much waits already.
        """
        if not self._stores.take():
            raise PresetError(f"presets are stored at most once a second; {preset!r:.60} was not stored")

        def done(outcome: Outcome[tuple[str, ...]]) -> None:
            if outcome.error is not None:
                failed(outcome.error)
            self._take_names(outcome)

        self._submit(lambda: self._stored(preset, replace=replace), done)

    def set_effects(self, values: Mapping[str, object], failed: Failed) -> None:
        """Set parameters of effects, which may have to be reloaded; of the queued values, the newest wins.

        Args:
            values: by control path.
            failed: called with the error.

        Raises:
            BridgeError: too much waits already.
        """
        with self._lock:
            waiting = bool(self._effects)
            self._effects.update(values)

        def apply() -> None:
            with self._lock:
                chosen, self._effects = self._effects, {}
            self._mixer.apply(chosen)

        def done(outcome: Outcome[None]) -> None:
            if outcome.error is not None:
                failed(outcome.error)

        if waiting:
            return
        try:
            self._submit(apply, done)
        except StreamSepError:
            self._effects = {}
            raise

    def moved(self, values: Mapping[str, object]) -> None:
        """Record values that are set while a preset is being recalled; they override the preset's.

        Args:
            values: by control path.
        """
        if self._recalling:
            self._moved.update(values)

    def finish(self) -> None:
        """Call the callbacks of finished jobs."""
        self._calls.finish()

    def _submit(self, call: Callable[[], _Result], done: Callable[[Outcome[_Result]], None]) -> None:
        was_idle = not self._calls.busy
        self._calls.submit(call, done)
        if was_idle and self._calls.wait(QUICK_SECONDS):
            self._calls.finish()

    def _stored(self, preset: str, *, replace: bool) -> tuple[str, ...]:
        names = self._mixer.presets()
        if preset in names and not replace:
            raise PresetError(f"preset {preset!r} exists; send 1 after its name to replace it")
        if preset not in names and len(names) >= MAX_PRESETS:
            raise PresetError(f"there are {len(names)} presets already; remove some before you store {preset!r:.60}")
        self._mixer.store(preset)
        return self._mixer.presets()

    def _named(self, preset: object) -> str:
        names = self._mixer.presets()
        if isinstance(preset, str) and (preset in names or not preset.isdecimal()):
            return preset
        index = float(str(preset))
        if index not in range(1, len(names) + 1):
            raise PresetError(f"there is no preset number {index:g}, only 1 to {len(names)}")
        return names[int(index) - 1]

    def _take_names(self, outcome: Outcome[tuple[str, ...]]) -> None:
        if outcome.result is not None and outcome.result != self._names:
            self._names = outcome.result
            self._changed()
