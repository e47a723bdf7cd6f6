"""Work on many songs in several processes, of which any may be killed: by a crash in a decoder, or for its memory."""

from __future__ import annotations

import itertools
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, TypeVar

from stream_sep.errors import AudioFileError
from stream_sep.lowlevel.process_pool import process_pool

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

T = TypeVar("T")
R = TypeVar("R")


def work_in_processes(
    work: Callable[[T], R], items: Iterable[T], jobs: int
) -> Iterator[tuple[T, R | AudioFileError]]:
    """Yield each item with its result as soon as it is done, or with an error if it ends every process.

    Args:
        work: called with each item, in another process.
        items: the items.
        jobs: number of processes.
    """
    left = iter(items)
    while lost := (yield from _until_killed(work, left, jobs)):
        for item in lost:  # any of them may be the cause: each gets a process of its own
            if (yield from _until_killed(work, iter([item]), 1)):
                yield item, AudioFileError("the process that decoded it was killed; is there enough memory?")


def _until_killed(
    work: Callable[[T], R], items: Iterator[T], jobs: int
) -> Generator[tuple[T, R | AudioFileError], None, list[T]]:
    """Work until there are no more items or a process is killed; return the items that were lost with it."""
    running: dict[Future[R], T] = {}
    fresh: list[T] = []
    with process_pool(jobs) as pool:
        try:
            while True:
                fresh += itertools.islice(items, jobs - len(running))
                while fresh:
                    future = pool.submit(work, fresh[0])
                    running[future] = fresh.pop(0)
                if not running:
                    return []
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    yield running.pop(future), result
        except BrokenProcessPool:
            return [*running.values(), *fresh]
