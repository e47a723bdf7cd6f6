"""Other processes: their end, and how Linux shows them."""

import re
import subprocess
from pathlib import Path

from stream_sep.evaluation.signals import child_processes


def end(process, patience=10):
    """Terminate a child process, and kill it if it has not ended after some seconds."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


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
