"""Signal measurements: delay, null tests, levels, memory and CPU time."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_sep.protocols import Block


def delay_between(reference: Block, delayed: Block) -> int:
    """Return the delay of ``delayed`` against ``reference`` in frames; ``(channels, frames)`` both.

    The peak of their cross-correlation, whitened so that music gives one sharp peak (GCC-PHAT: Knapp and Carter,
    "The generalized correlation method for estimation of time delay", 1976).

    Args:
        reference: ``(channels, frames)``.
        delayed: ``(channels, frames)``.

    >>> noise = np.random.default_rng(0).standard_normal((1, 1000)).astype(np.float32)
    >>> delay_between(noise, np.pad(noise, ((0, 0), (37, 0))))
    37
    """
    size = 1 << (reference.shape[1] + delayed.shape[1]).bit_length()
    cross = np.fft.rfft(delayed.sum(axis=0), size) * np.conj(np.fft.rfft(reference.sum(axis=0), size))
    peak = int(np.argmax(np.fft.irfft(cross / (np.abs(cross) + 1e-9), size)))
    return peak - size if peak > size // 2 else peak


def null_db(reference: Block, other: Block) -> float:
    """Return the level of the difference of two signals against the first, in dB; -300 when they are the same.

    Args:
        reference: ``(channels, frames)``.
        other: ``(channels, frames)``.
    """
    difference = float(np.square((reference - other).astype(np.float64)).sum())
    energy = float(np.square(reference.astype(np.float64)).sum())
    return -300.0 if difference == 0 else float(10 * np.log10(difference / (energy + 1e-30)))


def resident_bytes(pid: int | None = None) -> int | None:
    """Return the memory a process holds (this one unless given), or None if the system does not report it."""
    try:
        with open(f"/proc/{pid or 'self'}/status", encoding="ascii") as status:  # noqa: PTH123 - a kernel file
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def cpu_seconds() -> float:
    """Return the time that processors gave to this process so far, and to those it has started and that still run.

    Of this process alone if the system does not report more.
    """
    return time.process_time() + sum(map(_seconds_of, child_processes()))


def cpu_percent(seconds: float) -> float:
    """Return the share of a core that `cpu_seconds` counts during the next seconds, in percent.

    Args:
        seconds: how long to measure, at rest.
    """
    cpu, began = cpu_seconds(), time.perf_counter()
    time.sleep(seconds)
    return 100 * (cpu_seconds() - cpu) / (time.perf_counter() - began)


def child_processes(pid: int | None = None) -> list[int]:
    """Return the children of a process (this one unless given) that run; none if the system does not list them."""
    tasks = Path(f"/proc/{pid or 'self'}/task").glob("*/children")
    return [int(child) for task in tasks for child in _words(task)]


def _seconds_of(pid: int) -> float:
    # the name, in brackets, may hold spaces: user and system time are the 12th and 13th field after it
    fields = " ".join(_words(Path(f"/proc/{pid}/stat"))).rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").split()
    except OSError:  # a thread or a process that has just ended
        return []
