"""Points at which tests end the process as a power cut would; inactive unless the environment names one."""

from __future__ import annotations

import os
import signal

VARIABLE = "STREAM_SEP_CRASH_AT"
POINTS = (
    "after_write",
    "after_fsync",
    "after_rename",
    "before_commit",
    "after_commit",
    "claimed",
    "after_read",
    "first_window",
    "before_publish",
    "after_publish",
    "after_done",
)


def crash_point(name: str) -> None:
    """End the process with SIGKILL if the environment names this point.

    Args:
        name: one of `POINTS`.
    """
    assert name in POINTS, name
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
