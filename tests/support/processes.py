"""Other processes as Linux shows them."""

import re
from pathlib import Path

from stream_sep.evaluation.signals import child_processes


def is_running(pid):
    """Return whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children_of(pid):
    """Return the numbers of a process's children; none if it has ended."""
    return set(child_processes(pid))


def catches(pid, number):
    """Return whether a process has a handler for a signal."""
    caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))[1]
    return bool(int(caught, 16) >> number - 1 & 1)
