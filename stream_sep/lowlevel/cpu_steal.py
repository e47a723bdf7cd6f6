"""Whether this machine's processors are its own, or a host's that gives them to others as well."""

from __future__ import annotations

import os
from pathlib import Path

_STOLEN = 8  # which number of a line of processor times is the time that a host gave to others (proc(5): steal)


def cpu_steal_seconds(times: Path = Path("/proc/stat")) -> float:
    """Return for how long a host kept this machine's processors from it since it started, summed over all of them.

    Args:
        times: what Linux tells of its processors. On a machine of its own it is 0; other systems tell nothing, so 0.
    """
    try:
        ticks = int(times.read_text(encoding="ascii").split(maxsplit=_STOLEN + 1)[_STOLEN])
    except (OSError, ValueError, IndexError):
        return 0.0
    return ticks / os.sysconf("SC_CLK_TCK")
