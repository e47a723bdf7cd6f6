"""A pool of processes for long calls. It ends with the block that uses it, even if its processes hang."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stream_sep.lowlevel.scratch_folder import ScratchFolder
from stream_sep.lowlevel.shared_memory import start_tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future


@contextmanager
def process_pool(size: int) -> Iterator[ProcessPoolExecutor]:
    """Run a pool of spawned processes; they are killed if the block ends with an error, or by a signal.

    Their temporary files are deleted with the pool; other files of theirs are left to the caller.

    Args:
        size: number of processes.
    """
    others = set(multiprocessing.active_children())
    with ScratchFolder() as folder, _Pool(size, str(folder)) as pool:
        try:
            yield pool
        except BaseException:
            for child in set(multiprocessing.active_children()) - others:
                child.kill()
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def sigint_left_to_parent() -> Iterator[None]:
    """Block SIGINT on this thread, and so in processes that it starts: a terminal sends Ctrl-C to all of them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    start_tracker()  # which unblocks it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Pool(ProcessPoolExecutor):
    def __init__(self, size: int, folder: str) -> None:
        start_tracker()
        super().__init__(size, multiprocessing.get_context("spawn"), _prepare, (folder,))

    def submit(self, call: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:  # noqa: ANN401 - as its base
        """Submit a call, for which a process may be started."""
        with sigint_left_to_parent():
            return super().submit(call, *args, **options)


def _prepare(folder: str) -> None:
    """Set up a process of the pool, with a folder for temporary files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for systems that cannot block it
    tempfile.tempdir = os.environ["TMPDIR"] = folder
