"""Worker processes as children of the service, started again when they end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Self

from bridge.web.service.worker import SUPERVISOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.web.service.config import ServiceConfig

DATABASE_VARIABLE = "STREAM_SEP_DATABASE"
"""URL of the database, as in ``serve --database``."""

_AGAIN_SECONDS = 1.0
_END_SECONDS = 15.0


class WorkerPool:
    """Keeps worker processes running; ends them on exit.

    Args:
        command: of one worker.
        count: of workers.
    """

    def __init__(self, command: Sequence[str], count: int) -> None:
        self._command, self._count = list(command), count
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Start them."""
        for number in range(self._count):
            thread = threading.Thread(target=self._keep_one, name=f"worker {number}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them, and wait until they have released their jobs."""
        self._ended.set()
        for thread in self._threads:
            thread.join(_END_SECONDS + 5.0)

    def _keep_one(self) -> None:
        while not self._ended.is_set():
            env = {**os.environ, SUPERVISOR: str(os.getpid())}
            with subprocess.Popen(self._command, stdin=subprocess.DEVNULL, env=env) as worker:  # noqa: S603 - our own program
                while worker.poll() is None and not self._ended.wait(0.2):
                    pass
                _end(worker)
            self._ended.wait(_AGAIN_SECONDS)


def worker_command(config: ServiceConfig) -> list[str]:
    """Return the command of a worker for a service; the database is passed by `pass_database_on`."""
    options = ["--role", "worker", "--data", str(config.data), "--model", config.model]
    return [sys.executable, "-P", "-m", "stream_sep", "serve", "run", *options]


def pass_database_on(config: ServiceConfig) -> None:
    """Pass the database to child processes in the environment: command lines would show a password in its URL."""
    if config.database:
        os.environ[DATABASE_VARIABLE] = config.database


def _end(worker: subprocess.Popen[bytes]) -> None:
    if worker.poll() is None:
        worker.terminate()
        try:
            worker.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            worker.kill()
