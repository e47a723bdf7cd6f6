"""What a child process does first: take its pipes, leave signals to the parent, and tie its life to the parent's."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from typing import BinaryIO, NamedTuple

PARENT_VARIABLE = "STREAM_SEP_PARENT_PID"
"""Environment variable in which the parent leaves its process id."""

_PR_SET_PDEATHSIG = 1  # prctl(2)


class Pipes(NamedTuple):
    """A child's ends of the pipes to its parent.

    Attributes:
        requests: what the parent writes.
        replies: what the parent reads.
    """

    requests: BinaryIO
    replies: BinaryIO


def open_pipes() -> Pipes:
    """Make this process a child of `ChildProcess` and return its pipes; to be called once, on the main thread.

    Whatever a library prints from now on goes to standard error and never between two replies.
    """
    for name in (signal.SIGINT, signal.SIGTERM):  # a handler, as what is ignored would stay so in programs it starts
        signal.signal(name, lambda *_: None)
    _die_with_parent()
    pipes = Pipes(sys.stdin.buffer, os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    return pipes


def _die_with_parent() -> None:
    """Have Linux kill this process when its parent ends: end of file alone ends no process that is stopped."""
    parent = os.environ.pop(PARENT_VARIABLE, None)
    if sys.platform != "linux" or parent is None:
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        os._exit(0)
