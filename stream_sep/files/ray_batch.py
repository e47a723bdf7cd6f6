"""Batches of songs on many machines: workers of Ray (https://ray.io) load the model, and get one song at a time.

The machines share the folders of the songs and of the stems, under the same names, and have stream_sep installed.
"""

from __future__ import annotations

import platform
import time
from collections import Counter, deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stream_sep.errors import Cancelled, ConfigError, SeparatorError, StreamSepError
from stream_sep.files.progress import Progress
from stream_sep.files.ray_cluster import connect, import_ray, room_for
from stream_sep.files.song_separator import Outcome, SongSeparator, attempt
from stream_sep.files.tracks import refuse_shared_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    from stream_sep.files.job import SeparationJob
    from stream_sep.files.tracks import Track

TRIES = 3
"""Attempts for a song whose workers are lost, before it counts as failed: it may be the cause."""

_MAX_SPAWN_FAILURES = 10  # of workers, one after the other, until that is an error
_POLL_SECONDS = 0.2  # seconds between progress polls
_SHUTDOWN_SECONDS = 5.0  # seconds that workers have to clean up
_START_TIMEOUT = 300.0  # seconds without any worker until that is an error


def separate_on_ray(
    tracks: Sequence[Track],
    job: SeparationJob,
    report: Callable[[int, Progress], None],
    *,
    address: str | None = None,
    jobs: int | None = None,
) -> Iterator[tuple[int, Outcome]]:
    """Do a job for every track on a Ray cluster; yield the outcomes, with their indices, as they complete.

    Args:
        tracks: the songs.
        job: the job for each.
        report: callback that receives a song's index and its progress.
        address: of the cluster; unless given it is what ``RAY_ADDRESS`` names, or one on this machine, for so long.
        jobs: songs at once; one for every GPU, or for every four cores where there is none, unless given.

    Raises:
        SeparatorError: Ray is not installed or not to be reached, no worker starts, or the model cannot be loaded.
        ConfigError: the job needs a stem that the model does not have, or ``jobs`` is less than 1.
    """
    if jobs is not None and jobs < 1:
        raise ConfigError(f"--jobs must be at least 1, not {jobs}")
    refuse_shared_targets(tracks, job)
    ray = import_ray()
    ours = not ray.is_initialized()
    if ours:
        connect(ray, address)
    try:
        yield from _WorkerPool(ray, tracks, _shared(job), report, jobs or len(tracks)).outcomes()
    finally:
        if ours:
            ray.shutdown()


class _Worker:
    """A worker on the cluster with a loaded model. One thread separates, another returns the progress."""

    def __init__(self, job: SeparationJob) -> None:
        self._separator: SongSeparator | None = None
        self._refusal: StreamSepError | None = None
        self._progress, self._stopped = Progress(), False
        try:
            self._separator = SongSeparator(job)
        except StreamSepError as error:
            self._refusal = error

    def refusal(self) -> StreamSepError | None:
        return self._refusal

    def separate(self, track: Track) -> Outcome:
        assert self._separator is not None, "a worker that refuses gets no song"
        if not track.path.is_file():
            where = f"file not found: {track.path} on the machine {platform.node()}"
            return Outcome(
                track, error=f"{where}; the machines of a Ray cluster share the folders of songs and stems"
            )
        self._set_progress(Progress())
        return attempt(self._separator, track, self._set_progress)

    def progress(self) -> Progress:
        return self._progress

    def stop(self) -> None:
        self._stopped = True

    def _set_progress(self, progress: Progress) -> None:
        if self._stopped:
            raise Cancelled("it was stopped")
        self._progress = progress


class _WorkerPool:
    """The workers and the queue of songs. A song is dispatched only when a worker is free."""

    def __init__(
        self,
        ray: ModuleType,
        tracks: Sequence[Track],
        job: SeparationJob,
        report: Callable[[int, Progress], None],
        most: int,
    ) -> None:
        self._ray, self._tracks, self._job, self._report, self._most = ray, tracks, job, report, most
        self._waiting = deque(range(len(tracks)))
        self._lost: Counter[int] = Counter()  # workers, by song
        self._starting: dict[Any, Any] = {}  # by the ref of its first reply
        self._running: dict[Any, tuple[Any, int]] = {}
        self._polled: dict[Any, int] = {}  # how far a song is
        self._idle: list[Any] = []
        self._spawn_failures = 0

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        busy = time.monotonic()
        try:
            while self._waiting or self._running:
                self._spawn()
                for ref in self._ready([*self._starting, *self._running], _POLL_SECONDS):
                    if ref in self._starting:
                        self._admit(ref)
                    else:
                        yield from self._finish(ref)
                self._dispatch()
                self._pass_on()
                busy = time.monotonic() if self._running else busy
                if time.monotonic() > busy + _START_TIMEOUT:
                    raise SeparatorError(
                        f"no worker of Ray began in {_START_TIMEOUT:.0f} s; see 'ray status' for what is free"
                    )
        finally:
            self._stop()

    def _ready(self, refs: list[Any], seconds: float) -> list[Any]:
        """Return the completed refs, waiting for the first for up to ``seconds``."""
        if not refs:
            time.sleep(seconds)
            return []
        ready: list[Any] = self._ray.wait(refs, num_returns=len(refs), timeout=0)[0]
        return ready or self._ray.wait(refs, timeout=seconds)[0]

    def _spawn(self) -> None:
        """Start workers, as many as fit and have work."""
        room, needs, job = room_for(self._ray, self._job)
        target = min(room, self._most, len(self._waiting) + len(self._running))
        for _ in range(target - len(self._starting) - len(self._running) - len(self._idle)):
            worker = self._ray.remote(max_concurrency=2, **needs)(_Worker).remote(job)
            self._starting[worker.refusal.remote()] = worker

    def _admit(self, ref: Any) -> None:  # noqa: ANN401 - a Ray ObjectRef
        worker = self._starting.pop(ref)
        try:
            refusal = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            self._spawn_failures += 1  # its machine may be gone: retry, but not for ever
            if self._spawn_failures < _MAX_SPAWN_FAILURES:
                return
            why = f"workers of Ray end as they start ({str(error).strip().splitlines()[-1]})"
            raise SeparatorError(f"{why}; is the same stream_sep installed on all machines?") from error
        if refusal is not None:
            raise refusal
        self._spawn_failures = 0
        self._idle.append(worker)

    def _dispatch(self) -> None:
        while self._idle and self._waiting:
            worker, index = self._idle.pop(), self._waiting.popleft()
            self._running[worker.separate.remote(_reachable(self._tracks[index]))] = worker, index

    def _finish(self, ref: Any) -> Iterator[tuple[int, Outcome]]:  # noqa: ANN401 - as above
        worker, index = self._running.pop(ref)
        track = self._tracks[index]
        try:
            outcome: Outcome = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            self._lost[index] += 1
            if self._lost[index] < TRIES:
                self._waiting.appendleft(index)
                self._report(index, Progress())
                return
            why = f"{TRIES} workers ended while at it ({type(error).__name__}), perhaps for lack of memory"
            yield index, Outcome(track, error=f"{track.path} was not separated: {why}; finished songs are kept")
            return
        self._idle.append(worker)
        yield index, replace(outcome, track=track, notes=(*outcome.notes, *self._notes(index, outcome)))

    def _notes(self, index: int, outcome: Outcome) -> Iterator[str]:
        if self._lost[index]:
            yield f"it was begun {self._lost[index] + 1} times, as a worker was lost"
        if not all(file.is_file() for file in outcome.files):
            yield "its stems are not to be seen from here; share --out with the machines of the cluster"

    def _pass_on(self) -> None:
        """Report the progress of songs, and request it again; a lost worker does not reply."""
        running = {index for _, index in self._running.values()}
        for ref in self._ready([*self._polled], 0.0):
            index = self._polled.pop(ref)
            try:
                progress = self._ray.get(ref)
            except self._ray.exceptions.RayError:
                continue
            if index in running:
                self._report(index, progress)
        for worker, index in self._running.values():
            if index not in self._polled.values():
                self._polled[worker.progress.remote()] = index

    def _stop(self) -> None:
        """Release all workers; those with unfinished songs delete their partial files first."""
        for worker, _ in self._running.values():
            worker.stop.remote()
        if self._running:
            self._ray.wait([*self._running], num_returns=len(self._running), timeout=_SHUTDOWN_SECONDS)
        for worker in (*self._starting.values(), *self._idle, *(worker for worker, _ in self._running.values())):
            self._ray.kill(worker)  # at once, as the next run may wait for its place


def _shared(job: SeparationJob) -> SeparationJob:
    """Return a job that means the same on every machine."""
    repo = job.settings.repo and job.settings.repo.absolute()
    return replace(job, out=job.out.absolute(), settings=replace(job.settings, repo=repo))


def _reachable(track: Track) -> Track:
    return replace(track, path=track.path.absolute())
