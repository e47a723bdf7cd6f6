"""CPU steal: the time that a virtual machine's host gave its processors to others."""

from __future__ import annotations

import os
from pathlib import Path

_STEAL = 8  # index of steal in a line of processor times (proc(5))


def cpu_steal_seconds(times: Path = Path("/proc/stat")) -> float:
    """Return the CPU steal since the start of the machine, summed over all processors.

    Args:
        times: Linux's file of processor times. Steal is 0 on a physical machine, and on other systems.
    """
    try:
        ticks = int(times.read_text(encoding="ascii").split(maxsplit=_STEAL + 1)[_STEAL])
    except (OSError, ValueError, IndexError):
        return 0.0
    return ticks / os.sysconf("SC_CLK_TCK")
