"""Orderly shutdown on Ctrl-C, SIGTERM or a closed terminal, at any time."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import typer

from stream_sep.lowlevel.stop_signals import stop_signals

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_REPEAT_SECONDS = 0.5
"""Time in which one cause may give several signals: shells, wrappers and timeout pass on what the group gets too."""


_RETRY_SECONDS = 0.002


class Interrupted(BaseException):
    """A signal arrived that ends the program, before `Interrupts.defer` was called.

    Args:
        number: of the signal.

    Attributes:
        exit_code: 128 plus the number, as in shells.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.exit_code = 128 + number


class Interrupts:
    """Handles the signals that end a program, while the ``with`` block runs.

    The first one raises `Interrupted` on the main thread or, after `defer`, sets an event. A second one, of a user
    who will not wait for the shutdown, ends the process at once.

    Args:
        clock: monotonic time in seconds.

    Python drops exceptions in destructors and in callbacks of C libraries, such as libsndfile's for reading. They are
    raised again.

    Attributes:
        number: of the signal that arrived; 0 before.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.number = 0
        self._clock, self._arrived = clock, 0.0
        self._event: threading.Event | None = None
        self._before: dict[int, Any] = {}
        self._hook = sys.unraisablehook
        self._is_dropped = self._is_retry = False
        self._left = threading.Event()
        self._retrier: threading.Thread | None = None

    def defer(self) -> threading.Event:
        """Return an event that a signal sets from now on, in place of raising."""
        self._event = threading.Event()
        return self._event

    def exit(self) -> None:
        """Exit with the exit code of the signal, if one arrived.

        Raises:
            Exit: typer's own.
        """
        if self.number:
            raise typer.Exit(128 + self.number)

    def __enter__(self) -> Self:
        """Install the handlers; SIGHUP stays ignored where it was, as under nohup."""
        for number in stop_signals():
            self._before[number] = signal.signal(number, self._handle)
        self._hook, sys.unraisablehook = sys.unraisablehook, self._note_dropped
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the previous handlers.

        Raises:
            Interrupted: the block ended otherwise after a signal, such as with the error of a library that took the
                exception dropped in its callback for a damaged file.
        """
        self._left.set()
        if self._retrier is not None:
            self._retrier.join()
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        sys.unraisablehook = self._hook
        if self.number and self._event is None and not isinstance(error, Interrupted):
            raise Interrupted(self.number) from error

    def _handle(self, number: int, _frame: object) -> None:
        if self._is_retry:
            self._is_retry = False
            if self._is_dropped:
                self._is_dropped = False
                raise Interrupted(self.number)
            return
        if self.number:
            if self._clock() > self._arrived + _REPEAT_SECONDS:
                os._exit(128 + self.number)
            return
        self.number, self._arrived = number, self._clock()
        if self._event is not None:
            self._event.set()
            return
        self._retrier = threading.Thread(target=self._retry, name="signal again", daemon=True)
        self._retrier.start()
        raise Interrupted(number)

    def _note_dropped(self, dropped: sys.UnraisableHookArgs) -> None:
        if not issubclass(dropped.exc_type, Interrupted):
            self._hook(dropped)
            return
        self._is_dropped = True  # last, as the handler must not raise in here

    def _retry(self) -> None:
        while not self._left.wait(_RETRY_SECONDS):
            if self._is_dropped:
                self._is_retry = True
                _signal_main_thread(self.number)


def _signal_main_thread(number: int) -> None:
    """Signal the main thread itself, which ends what it waits for; a signal to another thread would not."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)
