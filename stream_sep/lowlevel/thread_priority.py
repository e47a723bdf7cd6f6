"""Who goes first where programs want the processor at once: sound, then separators, then all that can wait.

Real-time priority is for the little that must be done before the next block, as the sound servers of studios have it.
Systems give it to users whom they trust with it (``ulimit -r``); for others all stays as it was.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NICE = -11  # what desktop sound servers ask for
_SEPARATOR, _SOUND = 1, 2  # the lowest two: what JACK and drivers do goes before both
_BUSIEST = 0.6


def raise_worker_priority(busy: float = 1.0) -> None:
    """Have this thread go before programs that can wait, where the system allows it.

    Args:
        busy: the share of its time that it computes. A thread that is busy for 60 % of it or less is given real-time
            priority, and nothing but sound goes before it; a busier one could bring the machine to a stand.
    """
    with suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    if busy <= _BUSIEST:
        with suppress(AttributeError, OSError):
            _make_real_time(0, _SEPARATOR)


def raise_audio_priority(threads: Iterable[int]) -> None:
    """Have threads that run audio callbacks go before separators, where the system allows it.

    Args:
        threads: their ids, as of `thread_ids`; those that have real-time priority already keep theirs.
    """
    for thread in threads:
        with suppress(AttributeError, OSError):
            if os.sched_getscheduler(thread) == os.SCHED_OTHER:
                _make_real_time(thread, _SOUND)


def thread_ids() -> frozenset[int]:
    """Return the ids of all threads of this process, those of libraries too; none where the system does not tell."""
    try:
        return frozenset(int(entry.name) for entry in Path("/proc/self/task").iterdir())
    except OSError:
        return frozenset()


def _make_real_time(thread: int, level: int) -> None:
    """Give a thread, or 0 for this one, real-time priority; what it starts is as any other."""
    os.sched_setscheduler(thread, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(level))
