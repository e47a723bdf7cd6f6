"""Orderly shutdown on Ctrl-C, SIGTERM or a closed terminal, at any time."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, Self

import typer

if TYPE_CHECKING:
    from types import TracebackType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


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

    The first one raises `Interrupted` on the main thread or, after `defer`, sets an event. Later ones are ignored, so
    that the shutdown completes.

    Attributes:
        number: of the signal that arrived; 0 before.
    """

    def __init__(self) -> None:
        self.number = 0
        self._event: threading.Event | None = None
        self._before: dict[int, Any] = {}

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
        for number in SIGNALS:
            if number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the previous handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _handle(self, number: int, _frame: object) -> None:
        if self.number:
            return
        self.number = number
        if self._event is None:
            raise Interrupted(number)
        self._event.set()
