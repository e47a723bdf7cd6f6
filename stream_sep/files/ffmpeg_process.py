"""Runs of ffmpeg and ffprobe that end even where a program hangs, as on a disk that does not respond."""

from __future__ import annotations

import math
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from stream_sep.errors import AudioFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_SILENCE = 60.0
"""Seconds without output after which a program hangs."""

_POLL_SECONDS = 0.5


def run_to_end(
    command: Sequence[str], path: object, is_working: Callable[[], bool] = lambda: False
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, and collect its output.

    Args:
        command: the program and its arguments.
        path: the file that it reads or writes, for the error message.
        is_working: called after each `MAX_SILENCE` seconds; whether it has worked since.

    Raises:
        AudioFileError: it hangs.
    """
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as program:  # type: ignore[call-overload] # noqa: S603 - no shell, and every path is one argument
        try:
            while True:
                try:
                    output, errors = program.communicate(timeout=MAX_SILENCE)
                except subprocess.TimeoutExpired:
                    if not is_working():
                        raise no_response(Path(command[0]).stem, path) from None
                else:
                    return subprocess.CompletedProcess(command, program.returncode, output, errors)
        finally:
            program.kill()


def no_response(program: str, path: object) -> AudioFileError:
    """Return the error of a program that hangs.

    Args:
        program: its name.
        path: the file that it reads or writes.
    """
    return AudioFileError(f"{program} did not respond for {MAX_SILENCE:g} s with {path}; is the disk still there?")


class Output(threading.Thread):
    """Reads the output of a program, and kills it if none comes.

    Args:
        program: a process whose standard output is a pipe.

    Attributes:
        stalled: whether none came.
    """

    def __init__(self, program: subprocess.Popen[bytes]) -> None:
        super().__init__(name="ffmpeg watch", daemon=True)
        self.stalled, self._program, self._reading_since = False, program, math.inf
        self._closed = threading.Event()
        self.start()

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes, or what is left."""
        assert self._program.stdout is not None
        self._reading_since = time.monotonic()
        try:
            return self._program.stdout.read(size)
        finally:
            self._reading_since = math.inf

    def close(self) -> None:
        """End the program."""
        self._closed.set()
        self._program.kill()

    def run(self) -> None:
        """Kill the program if it hangs."""
        while not self._closed.wait(_POLL_SECONDS):
            if time.monotonic() - self._reading_since > MAX_SILENCE:
                self.stalled = True
                self._program.kill()
