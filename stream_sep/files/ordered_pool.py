"""A parallel map over threads with ordered results and bounded look-ahead."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

Tag = TypeVar("Tag")
Result = TypeVar("Result")


def ordered_map(
    tasks: Iterable[tuple[Tag, Callable[[], Result]]],
    threads: int,
    initializer: Callable[[], None] | None = None,
    before_last: Callable[[], None] | None = None,
) -> Iterator[tuple[Tag, Result]]:
    """Yield the result of every call, in the order of the calls.

    Calls are read from ``tasks`` by the consumer, at most ``threads`` plus one ahead of the current result; the error
    of a failed call is raised in its turn.

    Args:
        tasks: calls, each with a tag.
        threads: calls at once; 1 makes them where the results are read, with no thread.
        initializer: called in every thread before its first call.
        before_last: called, in its thread, before a last call that is left over when calls of the same length are
            shared out to all threads, and so has the machine to itself.

    >>> list(ordered_map([("a", lambda: 1), ("b", lambda: 2)], threads=2))
    [('a', 1), ('b', 2)]
    """
    if threads <= 1:
        for tag, call in tasks:
            yield tag, call()
        return
    pool = ThreadPoolExecutor(threads, "window", initializer or (lambda: None))
    running: deque[tuple[Tag, Future[Result]]] = deque()
    try:
        for number, (tag, call, is_last) in enumerate(_with_ends(tasks)):
            left_over = before_last if is_last and number % threads == 0 else None
            running.append((tag, pool.submit(call if left_over is None else partial(_both, left_over, call))))
            if len(running) == threads:
                first, future = running.popleft()
                yield first, future.result()
        while running:
            first, future = running.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _both(first: Callable[[], None], call: Callable[[], Result]) -> Result:
    first()
    return call()


def _with_ends(tasks: Iterable[tuple[Tag, Callable[[], Result]]]) -> Iterator[tuple[Tag, Callable[[], Result], bool]]:
    """Yield every call, and whether it is the last."""
    calls = iter(tasks)
    held = next(calls, None)
    while held is not None:
        following = next(calls, None)
        yield *held, following is None
        held = following
