"""Shared memory of several processes, released even where one is killed or arrays over it are still alive."""

from __future__ import annotations

import contextlib
import signal
import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from typing import Any


class DetachableSharedMemory(SharedMemory):
    """Shared memory that may be closed while arrays over it are alive: they keep their pages, without a warning.

    Python releases it to the system even if this process is killed, from a process that must outlive it.
    """

    def __init__(self, name: str | None = None, *, create: bool = False, size: int = 0, **options: Any) -> None:  # noqa: ANN401 - of newer Pythons
        if create:
            start_tracker()
        super().__init__(name, create, size, **options)

    def __del__(self) -> None:
        with contextlib.suppress(BufferError, OSError):
            self.close()


def detach(shared: SharedMemory, *, owner: bool) -> None:
    """Close shared memory, and unlink it if this process created it.

    Args:
        shared: the memory.
        owner: whether this process created it.
    """
    with contextlib.suppress(BufferError):  # a thread that hangs may hold arrays over it: it is released with them
        shared.close()
    if owner:
        shared.unlink()


def open_untracked(name: str) -> SharedMemory:
    """Open shared memory untracked: Python before 3.13 would delete it when this process ends."""
    if sys.version_info >= (3, 13):
        return DetachableSharedMemory(name=name, track=False)
    shared = DetachableSharedMemory(name=name)
    if sys.platform != "win32":
        resource_tracker.unregister(shared._name, "shared_memory")  # type: ignore[attr-defined] # noqa: SLF001 - no public way
    return shared


def start_tracker() -> None:
    """Start Python's resource tracker if it does not run, so that a closed terminal does not end it first."""
    if sys.platform == "win32":
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # it unblocks all others, and ignores them
    try:
        resource_tracker.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
