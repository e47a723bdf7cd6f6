"""Many songs: one that fails does not stop the rest, and several can be done at once."""

from __future__ import annotations

import multiprocessing
import os
import queue
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError, StreamSepError
from stream_sep.files.song import no_file
from stream_sep.files.song_separator import Outcome, SongSeparator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stream_sep.files.job import Job
    from stream_sep.files.tracks import Track

_PATIENCE = 0.1  # seconds between looks at the workers' reports

_LOST = "its process ended, twice, perhaps for lack of memory; try a smaller --segment"

_own: dict[str, Any] = {}
"""What a worker process has of its own: the loaded model and the way to report."""


def separate_all(
    tracks: Sequence[Track], job: Job, report: Callable[[int, float], None], *, jobs: int = 1
) -> Iterator[tuple[int, Outcome]]:
    """Do a job for every track; give the outcomes, each with the track's index, as they come.

    Args:
        tracks: the songs.
        job: what to do with each.
        report: told the index of a song and which share of it is done.
        jobs: songs at once, each in a process with its own copy of the model.

    Raises:
        SeparatorError: the model cannot be loaded.
        ConfigError: the job asks for what the model does not have, or ``jobs`` is less than 1.
    """
    if jobs < 1:
        raise ConfigError(f"{jobs} jobs at once do nothing; 1 or more")
    if not any(track.path.exists() for track in tracks):  # or a model would be loaded, perhaps from afar, for nothing
        for index, track in enumerate(tracks):
            yield index, Outcome(track, failure=str(no_file(track.path)))
    elif min(jobs, len(tracks)) <= 1:
        separator = SongSeparator(job)
        for index, track in enumerate(tracks):
            yield index, attempt(separator, track, partial(report, index))
    else:
        yield from _in_processes(tracks, job, report, min(jobs, len(tracks)))


def attempt(separator: SongSeparator, track: Track, report: Callable[[float], None]) -> Outcome:
    """Do a job for one track, and where that fails, tell in the outcome why."""
    try:
        return separator.separate(track, report)
    except StreamSepError as error:
        return Outcome(track, failure=str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other songs go on, and it is told
        return Outcome(track, failure=f"{track.path} failed: {type(error).__name__}: {error}; please report this")


def _in_processes(
    tracks: Sequence[Track], job: Job, report: Callable[[int, float], None], workers: int
) -> Iterator[tuple[int, Outcome]]:
    """Do all songs at once; those that are lost with a process are done again, one at a time.

    Whatever ended it, lack of memory more often than not, then ends no other song with it.
    """
    left, at_once = list(range(len(tracks))), workers
    while left:
        lost = []
        for index, outcome in _in_pool(tracks, left, job, report, at_once):
            if outcome is None:
                lost.append(index)
            else:
                yield index, outcome
        left = sorted(lost)
        if left and at_once == 1:  # nobody else was there to end it
            yield left[0], Outcome(tracks[left[0]], failure=f"{tracks[left[0]].path} was not separated: {_LOST}")
            left = left[1:]
        at_once = 1


def _in_pool(
    tracks: Sequence[Track], indices: Sequence[int], job: Job, report: Callable[[int, float], None], workers: int
) -> Iterator[tuple[int, Outcome | None]]:
    """Give what became of some of the songs; None for those that were lost with a process."""
    threads = job.recipe.threads or max(1, (os.cpu_count() or 1) // workers)
    shared = replace(job, recipe=replace(job.recipe, threads=threads))
    context = multiprocessing.get_context("spawn")
    reports = context.Queue()
    with ProcessPoolExecutor(workers, context, _start_worker, (shared, reports)) as pool:
        running: dict[Future[Outcome], int] = {}
        try:
            for index in indices:
                try:
                    running[pool.submit(_separate_here, index, tracks[index])] = index
                except BrokenExecutor:  # already, while the songs are still being handed out
                    yield index, None
            while running:
                done, _ = wait(running, _PATIENCE, FIRST_COMPLETED)
                _pass_on(reports, report)
                for future in done:
                    yield running.pop(future), _result(future)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _result(future: Future[Outcome]) -> Outcome | None:
    try:
        return future.result()
    except BrokenExecutor:
        return None


def _pass_on(reports: Any, report: Callable[[int, float], None]) -> None:  # noqa: ANN401 - a queue of a context
    while True:
        try:
            report(*reports.get_nowait())
        except queue.Empty:
            return


def _start_worker(job: Job, reports: Any) -> None:  # noqa: ANN401 - a queue of a context
    _own["separator"], _own["reports"] = None, reports
    try:
        _own["separator"] = SongSeparator(job)
    except StreamSepError as error:
        _own["refusal"] = error


def _separate_here(index: int, track: Track) -> Outcome:
    if _own["separator"] is None:
        raise _own["refusal"]
    return attempt(_own["separator"], track, lambda share: _own["reports"].put((index, share)))
