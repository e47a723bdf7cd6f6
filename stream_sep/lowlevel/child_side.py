"""Setup of a child process: its pipes, signals left to the parent, and its end with the parent's."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from typing import BinaryIO, NamedTuple

PARENT_VARIABLE = "STREAM_SEP_PARENT_PID"
"""Set by stream_sep in its child processes: the process id of the parent, with which they end."""

_PR_SET_PDEATHSIG = 1  # prctl(2)


class Pipes(NamedTuple):
    """A child's ends of the pipes to its parent.

    Attributes:
        requests: written by the parent.
        replies: read by the parent.
    """

    requests: BinaryIO
    replies: BinaryIO


def open_pipes() -> Pipes:
    """Set this process up as a child of `ChildProcess` and return its pipes; to be called once, on the main thread.

    Output that libraries print from now on goes to standard error, never between two replies.
    """
    for name in (signal.SIGINT, signal.SIGTERM):  # a handler, as what is ignored would stay so in programs it starts
        signal.signal(name, lambda *_: None)
    _die_with_parent()
    pipes = Pipes(sys.stdin.buffer, os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    return pipes


def _die_with_parent() -> None:
    """Make Linux kill this process when its parent ends: end of file alone does not end a stopped process."""
    parent = os.environ.pop(PARENT_VARIABLE, None)
    if sys.platform != "linux" or parent is None:
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        os._exit(0)
