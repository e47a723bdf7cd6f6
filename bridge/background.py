"""Slow calls, such as files and plug-ins, off the thread that serves a connection."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from bridge.unexpected import UnexpectedErrors
from stream_sep.errors import BridgeError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

MAX_WAITING = 8
"""Maximum number of waiting calls."""


@dataclass(frozen=True)
class Outcome(Generic[_Result]):
    """The outcome of a call.

    Attributes:
        result: its return value; None if it failed.
        error: why it failed.
    """

    result: _Result | None = None
    error: StreamSepError | None = None


@dataclass(frozen=True)
class _Job:
    call: Callable[[], object]
    done: Callable[[Outcome[object]], None]


class BackgroundCalls:
    """Makes calls one after another on its own thread, which runs while there are calls.

    Args:
        name: of the thread.
        wake: called, on that thread, when `finish` has something to do.
    """

    def __init__(self, name: str, wake: Callable[[], None]) -> None:
        self._name, self._wake, self._unexpected = name, wake, UnexpectedErrors(_log, name)
        self._waiting: deque[_Job] = deque()
        self._finished: deque[tuple[_Job, Outcome[object]]] = deque()
        self._changed = threading.Condition()
        self._running = False

    @property
    def busy(self) -> bool:
        """Whether a call is running or waiting."""
        return self._running

    def submit(self, call: Callable[[], _Result], done: Callable[[Outcome[_Result]], None]) -> None:
        """Queue a call.

        Args:
            call: the function to call.
            done: callback for the outcome, on the thread that calls `finish`.

        Raises:
            BridgeError: too many calls are waiting.
        """
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                raise BridgeError(f"{MAX_WAITING} slow commands are waiting already; try again in a moment")
            self._waiting.append(_Job(call, done))  # type: ignore[arg-type] # `done` takes the result of `call`
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait until all calls are done.

        Args:
            seconds: how long at most.

        Returns:
            Whether all are done.
        """
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, seconds)

    def finish(self) -> None:
        """Pass the outcomes of ended calls to their callbacks."""
        while True:
            with self._changed:
                if not self._finished:
                    return
                job, outcome = self._finished.popleft()
            job.done(outcome)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._running = False
                    self._changed.notify_all()
                    return
                job = self._waiting.popleft()
            outcome = self._outcome(job.call)
            with self._changed:
                self._finished.append((job, outcome))
            self._wake()

    def _outcome(self, call: Callable[[], object]) -> Outcome[object]:
        try:
            return Outcome(call())
        except StreamSepError as error:
            return Outcome(error=error)
        except Exception as error:  # noqa: BLE001 - the thread has more calls to make
            self._unexpected.note(error)
            return Outcome(error=BridgeError(f"this failed unexpectedly: {type(error).__name__}: {error}"))
