"""Questions and answers with a child process: JSON lines over its standard input and output."""

from __future__ import annotations

import itertools
import json
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stream_sep import errors

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping

GONE: Mapping[str, Any] = {
    "gone": True,
    "error": "the separator process ended without a word; its own message is above",
}
"""The answer of a process that is not there any more."""


class Dialog:
    """The side that asks.

    Args:
        process: the child, with text pipes.
        report: is told the sentences that come unasked.
    """

    def __init__(self, process: subprocess.Popen[str], report: Callable[[str], None]) -> None:
        self._process, self._report = process, report
        self._numbers = itertools.count()
        self._writing = threading.Lock()
        self._waiting: dict[int, queue.SimpleQueue[Mapping[str, Any]]] = {}
        self._over = False
        self._listener = threading.Thread(target=self._listen, name="separator answers", daemon=True)
        self._listener.start()

    def ask(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send ``message`` and wait for its answer, or for the end of the process: `GONE`."""
        answer: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        with self._writing:
            number = next(self._numbers)
            self._waiting[number] = answer
            send(self._process.stdin, {**message, "number": number})
        if self._over:
            answer.put(GONE)
        return answer.get()

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send ``message``, which nobody answers."""
        with self._writing:
            send(self._process.stdin, message)

    def close(self) -> None:
        """Let go of the pipes of a process that has ended."""
        if threading.current_thread() is not self._listener:
            self._listener.join(1)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _listen(self) -> None:
        while (message := receive(self._process.stdout)) is not GONE:
            if "report" in message:
                self._report(message["report"])
            elif message.get("number") in self._waiting:
                self._waiting.pop(message["number"]).put(message)
        self._over = True
        for answer in list(self._waiting.values()):
            answer.put(GONE)


def send(pipe: Any, message: Mapping[str, Any]) -> None:  # noqa: ANN401 - a text stream, or None for mypy's sake
    """Write a line; a reader that is gone is found by other means."""
    with suppress(OSError, ValueError):
        pipe.write(json.dumps(message, default=str) + "\n")
        pipe.flush()


def receive(pipe: Any) -> Mapping[str, Any]:  # noqa: ANN401 - as above
    """Return the next line, or `GONE`."""
    try:
        line = pipe.readline()
        message: Mapping[str, Any] = json.loads(line) if line else GONE
    except (OSError, ValueError):
        return GONE
    return message


def refusal(error: Exception) -> dict[str, Any]:
    """Return ``error`` as an answer.

    >>> refusal(errors.ConfigError("no"))
    {'error': 'no', 'kind': 'ConfigError'}
    """
    return {"error": str(error), "kind": type(error).__name__}


def raise_refusal(answer: Mapping[str, Any]) -> None:
    """Raise the error that ``answer`` tells of, if it does.

    Raises:
        StreamSepError: one of its kinds.
    """
    if "error" in answer:
        kind = getattr(errors, answer.get("kind", "SeparatorError"), errors.SeparatorError)
        raise kind(answer["error"])
