"""A module of this package run in a child process.

The child gets its own session, so that Ctrl-C in the terminal, a closed terminal and signals to the group reach
only the parent, which then ends the child. The child ends with its standard input; on Linux the kernel also kills it
when its parent is gone, even while it is stopped or hangs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from typing import BinaryIO, cast

from stream_sep.lowlevel.child_side import PARENT_VARIABLE
from stream_sep.lowlevel.deadline import Deadline

_SPAWN_TIMEOUT = 30.0
_REAP_TIMEOUT = 1.0


class ChildProcess:
    """Runs ``main()`` of a module in a separate Python process, with pipes to its standard input and output.

    Nothing is imported from the current folder unless it is on `sys.path` here.

    Args:
        module: dotted name of the module.
        quiet: discard the child's standard error.

    Raises:
        OSError: the system cannot start a process.
    """

    def __init__(self, module: str, *, quiet: bool = False) -> None:
        self.module, self.ended = module, threading.Event()
        self._quiet = quiet
        self._process: subprocess.Popen[bytes] | None = None
        self._refused: OSError | None = None
        self._is_abandoned = False
        started = threading.Event()
        # Linux kills the child when the thread that started it ends, so it has one that lives as long as the child.
        self._keeper = threading.Thread(target=self._keep, args=(started,), name=f"{module} keeper", daemon=True)
        self._keeper.start()
        if not started.wait(_SPAWN_TIMEOUT):
            self._is_abandoned = True
            self._refused = OSError(f"the system did not start a process for {module} in {_SPAWN_TIMEOUT:g} s")
        if self._refused is not None:
            raise self._refused

    @property
    def pid(self) -> int:
        """Process id."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code of the process, negative for a signal; None while it runs."""
        return self._child.poll()

    @property
    def requests(self) -> BinaryIO:
        """The pipe to the child's standard input."""
        return cast("BinaryIO", self._child.stdin)

    @property
    def replies(self) -> BinaryIO:
        """The pipe from the child's standard output."""
        return cast("BinaryIO", self._child.stdout)

    def kill(self) -> None:
        """Kill the process."""
        with suppress(OSError):
            self._child.kill()

    def close(self, patience: float = 0.0, limit: float = _REAP_TIMEOUT) -> int | None:
        """End the process and close its pipes; harmless when it has ended already.

        Args:
            patience: seconds to wait for the child to end by itself, its standard input closed, before it is killed.
            limit: seconds to wait for the end of a killed child.

        Returns:
            The exit code, or None if even a killed process does not end, as on a disk that does not respond.
        """
        if patience > 0:
            _close(self.requests)
            self.ended.wait(patience)
        self.kill()
        deadline = Deadline(limit)
        if not self.ended.wait(limit):  # threads may still wait in the pipes, and closing would wait for them
            self._is_abandoned = True
        if self.ended.is_set():
            self._close_pipes()
            if threading.current_thread() is not self._keeper:
                self._keeper.join(deadline.left)
        return self.exit_code

    @property
    def _child(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _keep(self, started: threading.Event) -> None:
        try:
            self._process = self._spawn()
        except OSError as error:
            self._refused = error
            return
        finally:
            started.set()
        if self._is_abandoned:
            self._process.kill()
        self._process.wait()
        self.ended.set()
        if self._is_abandoned:
            self._close_pipes()

    def _close_pipes(self) -> None:
        _close(self.requests)
        _close(self.replies)

    def _spawn(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        return subprocess.Popen(  # noqa: S603 - runs modules of ours
            [sys.executable, "-P", "-c", f"from {self.module} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if self._quiet else None,
            env={**os.environ, "PYTHONPATH": path, PARENT_VARIABLE: str(os.getpid())},
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )


def _close(pipe: BinaryIO) -> None:
    with suppress(OSError, ValueError):
        pipe.close()
