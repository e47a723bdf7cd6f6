"""Thread priorities: audio callbacks first, then separators, then everything else.

Real-time priority is for the work that must be done before the next block, as in professional sound servers.
Systems grant it to trusted users (``ulimit -r``); for others nothing changes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NICE = -11  # as desktop sound servers use
_SEPARATOR, _SOUND = 1, 2  # the lowest two: threads of JACK and drivers precede both
_BUSIEST = 0.6


def raise_worker_priority(busy: float = 1.0) -> None:
    """Raise the priority of this thread above ordinary programs, where the system allows it.

    Args:
        busy: the share of its time that it computes. A thread that is busy for 60 % of it or less gets real-time
            priority, below audio callbacks only; a busier one could block the machine.
    """
    with suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    if busy <= _BUSIEST:
        with suppress(AttributeError, OSError):
            _make_real_time(0, _SEPARATOR)


def raise_audio_priority(threads: Iterable[int]) -> None:
    """Raise the priority of audio callback threads above separators, where the system allows it.

    Args:
        threads: their ids, as of `thread_ids`; those with real-time priority keep it.
    """
    for thread in threads:
        with suppress(AttributeError, OSError):
            if os.sched_getscheduler(thread) == os.SCHED_OTHER:
                _make_real_time(thread, _SOUND)


def thread_ids() -> frozenset[int]:
    """Return the ids of all threads of this process, including those of libraries; none if unavailable."""
    try:
        return frozenset(int(entry.name) for entry in Path("/proc/self/task").iterdir())
    except OSError:
        return frozenset()


def _make_real_time(thread: int, level: int) -> None:
    """Set real-time priority for a thread, 0 for this one; its children do not inherit it."""
    os.sched_setscheduler(thread, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(level))
