"""Requests to a child process and its replies: one message per frame, matched by number.

The client never blocks in a write and never waits without a timeout; if the process ends, the reply is `CLOSED`.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from stream_sep import errors
from stream_sep.lowlevel.child_side import open_pipes
from stream_sep.lowlevel.deadline import Deadline
from stream_sep.lowlevel.wire import encode_message, read_message, write_message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream_sep.lowlevel.child_process import ChildProcess
    from stream_sep.lowlevel.child_side import Pipes

Message = dict[str, Any]

CLOSED: Mapping[str, Any] = {
    "closed": True,
    "error": "the separator process exited unexpectedly; see its output above",
}
"""The reply when the process has ended."""

ALIVE: Mapping[str, Any] = {"alive": True}
"""The heartbeat message of a process that is busy with a request."""

ALIVE_SECONDS = 1.0
"""Interval of the heartbeat."""

_POLL_SECONDS = 0.5
_CLOSE_TIMEOUT = 2.0


class RpcClient:
    """Sends requests over the pipes of a `ChildProcess`.

    Args:
        child: the process.
        report: called with messages for the user.
        on_message: callback that receives every other message that is not a reply.
        on_close: called, on the reading thread, when the process has closed its end.
    """

    def __init__(
        self,
        child: ChildProcess,
        report: Callable[[str], None],
        *,
        on_message: Callable[[Message], None] = lambda _: None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._child, self._report = child, report
        self._on_message, self._on_close = on_message, on_close
        self._numbers = itertools.count()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._waiting: dict[int, queue.SimpleQueue[Mapping[str, Any]]] = {}
        self._closed, self._last_sign = False, time.monotonic()
        self._reader = threading.Thread(target=self._read, name=f"{child.module} reader", daemon=True)
        self._reader.start()
        self._writer = threading.Thread(target=self._write, name=f"{child.module} writer", daemon=True)
        self._writer.start()

    def request(self, message: Mapping[str, Any], timeout: float, silence: float | None = None) -> Mapping[str, Any]:
        """Send ``message`` and wait for its reply.

        Args:
            message: the request.
            timeout: most seconds to wait.
            silence: most seconds without any message, such as `ALIVE`; ``timeout`` unless given.

        Returns:
            The reply; `CLOSED` if the process ends first; an error with the key ``timeout`` if it takes too long.
        """
        reply: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        number = next(self._numbers)
        self._waiting[number] = reply
        self._outbox.put(encode_message({**message, "id": number}))
        if self._closed:
            reply.put(CLOSED)
        try:
            return self._await(reply, timeout, timeout if silence is None else silence)
        finally:
            self._waiting.pop(number, None)

    def notify(self, message: Mapping[str, Any]) -> None:
        """Send ``message`` without waiting for a reply."""
        self._outbox.put(encode_message(message))

    def close(self, patience: float = 0.0, limit: float = _CLOSE_TIMEOUT) -> int | None:
        """End the process, as `ChildProcess.close`, after handling all its messages.

        Args:
            patience: seconds in which the child may end by itself.
            limit: seconds for all waits after that.
        """
        by_itself = Deadline(patience)
        self._outbox.put(None)
        if patience:
            self._writer.join(patience)  # earlier messages are still read
        deadline = Deadline(by_itself.left + limit)
        code = self._child.close(by_itself.left, limit)
        for thread in {self._reader, self._writer} - {threading.current_thread()}:
            thread.join(deadline.left)
        return code

    def _await(
        self, reply: queue.SimpleQueue[Mapping[str, Any]], timeout: float, silence: float
    ) -> Mapping[str, Any]:
        begun = self._last_sign = time.monotonic()
        while True:
            now = time.monotonic()
            left = min(begun + timeout, self._last_sign + silence) - now
            try:
                return reply.get(timeout=min(max(left, 0.0), _POLL_SECONDS))
            except queue.Empty:
                if left <= 0:
                    waited = now - begun
                    return {
                        "timeout": True,
                        "error": f"the process {self._child.pid} did not respond in {waited:.0f} s",
                    }

    def _read(self) -> None:
        while (message := read_message(self._child.replies)) is not None:
            self._last_sign = time.monotonic()
            waiting = self._waiting.get(message.get("id", -1))
            if waiting is not None:
                waiting.put(message)
            elif "report" in message:
                self._report(message["report"])
            elif "alive" not in message:
                self._on_message(message)
        self._closed = True
        for waiting in list(self._waiting.values()):
            waiting.put(CLOSED)
        self._outbox.put(None)
        self._on_close()

    def _write(self) -> None:
        pipe = self._child.requests
        while (frame := self._outbox.get()) is not None:
            try:
                pipe.write(frame)
                pipe.flush()
            except (OSError, ValueError):  # the reading thread detects it
                return


class RpcServer:
    """The child's side: reads requests, and its threads may reply and report at once.

    Args:
        pipes: the child's ends of the pipes; opened unless given.
    """

    def __init__(self, pipes: Pipes | None = None) -> None:
        self._pipes, self._writing = pipes or open_pipes(), threading.Lock()

    def receive(self) -> Message:
        """Return the next request, or `CLOSED` when the parent has ended or closed the pipe."""
        message = read_message(self._pipes.requests)
        return dict(CLOSED) if message is None else message

    def reply(self, request: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Send ``result`` as the reply to ``request``.

        Args:
            request: the request.
            result: its result.
        """
        self.send({**result, "id": request.get("id")})

    def report(self, message: str) -> None:
        """Send a message for the user."""
        self.send({"report": message})

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message that is not a reply."""
        with self._writing:
            write_message(self._pipes.replies, message)

    def send_signs_of_life(self) -> threading.Event:
        """Send `ALIVE` every second, as during a long load, until the returned event is set."""
        done = threading.Event()

        def run() -> None:
            while not done.wait(ALIVE_SECONDS):
                self.send(ALIVE)

        threading.Thread(target=run, name="signs of life", daemon=True).start()
        return done


def error_reply(error: Exception) -> dict[str, Any]:
    """Return ``error`` as a reply.

    >>> error_reply(errors.ConfigError("no"))
    {'error': 'no', 'kind': 'ConfigError'}
    """
    return {"error": str(error), "kind": type(error).__name__}


def raise_for_error(reply: Mapping[str, Any]) -> None:
    """Raise the error in ``reply``, if there is one.

    Raises:
        StreamSepError: one of its kinds.
    """
    if "error" in reply:
        kind = getattr(errors, reply.get("kind", "SeparatorError"), errors.SeparatorError)
        raise kind(reply["error"])
