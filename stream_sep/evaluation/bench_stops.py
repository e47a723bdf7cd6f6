"""The time that commands take to end after a signal at a random moment, and whether they end as shells expect."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.lowlevel.stop_signals import stop_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "demo": ("demo", "--no-audio", "--out", "out"),
    "live": ("live", "--backend", "jack", "--osc-port", "0", "--record", "out"),
}
"""Name of a command -> its arguments."""

_FIRST_SECONDS = 1.0  # before, Python itself still starts, and the system ends the program
_PATIENCE = 60.0


@dataclass(frozen=True)
class Stop:
    """One run that a signal ended.

    Attributes:
        after: seconds from the start of the command to the signal.
        seconds: from the signal to the end of the process.
        code: exit code; negative is the number of a signal that ended it.
        expected: exit code as in shells.
        printed: what it printed.
    """

    after: float
    seconds: float
    code: int
    expected: int
    printed: str

    @property
    def is_right(self) -> bool:
        """Whether it ended with the right code and without a traceback."""
        return self.code == self.expected and "Traceback" not in self.printed


def measure_stops(name: str = "demo", runs: int = 30, longest: float = 8.0, seed: int = 0) -> list[Stop]:
    """Start a command many times and end each run by a signal at a random moment.

    Args:
        name: one of `COMMANDS`; ``live`` needs a JACK server.
        runs: number of runs; the signals take turns.
        longest: seconds after which the signal comes at the latest.
        seed: of the moments.

    Raises:
        ConfigError: there is no such command, or no such signals, as on Windows.
    """
    if name not in COMMANDS:
        raise ConfigError(f"stops are measured of {' and '.join(COMMANDS)}, not of {name!r}")
    if os.name != "posix":
        raise ConfigError("stops are measured with signals of POSIX, which this system does not have")
    moments = random.Random(seed)  # noqa: S311 - moments, no secrets
    numbers = itertools.islice(itertools.cycle(stop_signals()), runs)
    return [_stop(COMMANDS[name], int(number), moments.uniform(_FIRST_SECONDS, longest)) for number in numbers]


def _stop(arguments: Sequence[str], number: int, after: float) -> Stop:
    command = [sys.executable, "-P", "-m", "stream_sep", *arguments]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(  # noqa: S603 - ourselves, no shell
            command,
            cwd=folder,
            start_new_session=True,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after)
        sent = time.monotonic()
        with contextlib.suppress(ProcessLookupError):  # it ended by itself, which its exit code shows
            os.killpg(process.pid, number)
        try:
            printed = process.communicate(timeout=_PATIENCE)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            printed = process.communicate()[0]
        return Stop(after, time.monotonic() - sent, process.returncode, 128 + number, printed)


def figures(stops: Sequence[Stop]) -> dict[str, Any]:
    """Return the main figures, by name."""
    seconds = [stop.seconds for stop in stops]
    p50, p95 = np.percentile(seconds, [50, 95])
    return {
        "runs": len(stops),
        "seconds to end (p50, p95, max)": [float(p50), float(p95), max(seconds)],
        "wrong exit codes or tracebacks": sum(not stop.is_right for stop in stops),
    }
