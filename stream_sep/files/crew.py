"""A pool of processes that separate queued songs, each with its own loaded models; any song can be cancelled."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from stream_sep.errors import ConfigError, StreamSepError, reason
from stream_sep.files.crew_process import LOST, CrewProcess
from stream_sep.files.part_files import sweep_outputs
from stream_sep.files.progress import Progress
from stream_sep.files.song_separator import Outcome

if TYPE_CHECKING:
    from stream_sep.files.job import SeparationJob
    from stream_sep.files.tracks import Track

_TRIES = 2
"""Attempts for a song whose process is lost, the last one with no other song in parallel."""

_POLL_SECONDS = 0.1
_CANCEL_SECONDS = 10.0
"""Seconds after which a process that does not react to a cancellation is killed."""

_SHUTDOWN_SECONDS = 2.0

_LOST = "its process ended, twice, perhaps for lack of memory; try a smaller --segment"


@dataclass(eq=False)
class Handle:
    """A song that was submitted to a crew.

    Attributes:
        track: the song.
        job: its job.
        progress: its progress.
        outcome: its outcome; None until it is done.
        refusal: the error if its model could not be loaded; also in the outcome.
    """

    track: Track
    job: SeparationJob
    progress: Progress = field(default_factory=Progress)
    outcome: Outcome | None = None
    refusal: StreamSepError | None = None
    _tries: int = 0
    _cancelled: bool = False


class Crew:
    """Separates submitted songs in their own processes.

    Use it in a ``with`` statement, or `close` it: unfinished songs are then cancelled.

    Args:
        size: songs at once.

    Raises:
        ConfigError: less than one.
    """

    def __init__(self, size: int = 1) -> None:
        if size < 1:
            raise ConfigError(f"--jobs must be at least 1, not {size}")
        self._size, self._context = size, multiprocessing.get_context("spawn")
        self._waiting: deque[Handle] = deque()
        self._alone: deque[Handle] = deque()
        self._running: set[Handle] = set()
        self._done: deque[Handle] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(size)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        """Return the crew."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def submit(self, track: Track, job: SeparationJob) -> Handle:
        """Queue a song.

        Args:
            track: the song.
            job: its job; the threads of torch are divided among parallel songs unless it sets them.
        """
        threads = job.settings.threads or max(1, (os.cpu_count() or 1) // self._size)
        handle = Handle(track, replace(job, settings=replace(job.settings, threads=threads)))
        with self._changed:
            self._waiting.append(handle)
            self._changed.notify_all()
        return handle

    def cancel(self, handle: Handle) -> None:
        """Cancel a song and delete its unfinished files; does nothing to a finished one."""
        with self._changed:
            handle._cancelled = True  # noqa: SLF001 - of the same module
            for line in (self._waiting, self._alone):
                if handle in line:
                    line.remove(handle)
                    self._finish(handle, Outcome(handle.track, cancelled=True))

    def progress(self, handle: Handle) -> Progress:
        """Return the progress of a song."""
        return handle.progress

    def wait(self, seconds: float | None = None) -> Handle | None:
        """Return the next finished song; None if there is none within ``seconds``, or none is left."""
        until = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while not self._done and (self._waiting or self._alone or self._running):
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
            return self._done.popleft() if self._done else None

    def close(self) -> None:
        """Cancel unfinished songs and end all processes within a few seconds; leaves no partial files."""
        with self._changed:
            self._closed = True
            for handle in (*self._waiting, *self._alone):
                self._finish(handle, Outcome(handle.track, cancelled=True))
            self._waiting.clear()
            self._alone.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    # run by one thread per process

    def _serve(self) -> None:
        process: CrewProcess | None = None
        while (handle := self._next()) is not None:
            try:
                process = process if process is not None and process.is_alive else CrewProcess(self._context)
                outcome = self._separate(process, handle)
            except OSError as error:  # no process could be started
                outcome = Outcome(handle.track, error=f"{handle.track.path} was not separated: {reason(error)}")
            if outcome is None:
                process = None
            self._settle(handle, outcome)
        if process is not None:
            process.end(_SHUTDOWN_SECONDS)

    def _next(self) -> Handle | None:
        """Wait for a song; songs of a lost process come last."""
        with self._changed:
            while not self._closed:
                if self._waiting:
                    return self._begin(self._waiting)
                if self._alone and not self._running:
                    return self._begin(self._alone)
                self._changed.wait()
        return None

    def _begin(self, line: deque[Handle]) -> Handle:
        handle = line.popleft()
        handle._tries += 1  # noqa: SLF001 - of the same module
        self._running.add(handle)
        return handle

    def _separate(self, process: CrewProcess, handle: Handle) -> Outcome | None:
        """Separate a song in ``process``; return None if the process was lost."""
        process.send(handle.track, handle.job)
        stopped_at = 0.0
        while True:
            message = process.receive(_POLL_SECONDS)
            if isinstance(message, Progress):
                handle.progress = message
            elif isinstance(message, StreamSepError):
                handle.refusal = message
            elif isinstance(message, Outcome):
                return message
            elif message is LOST:
                return self._lost(process, handle)
            if not (handle._cancelled or self._closed):  # noqa: SLF001 - of the same module
                continue
            stopped_at = stopped_at or time.monotonic()
            process.cancel()
            if time.monotonic() - stopped_at > (_SHUTDOWN_SECONDS if self._closed else _CANCEL_SECONDS):
                process.kill()
                return self._lost(process, handle)

    def _lost(self, process: CrewProcess, handle: Handle) -> Outcome | None:
        process.kill()
        target = handle.job.target(handle.track, "stem").parent
        if target.is_dir():
            sweep_outputs(target)
            with suppress(OSError):
                target.rmdir()
        return None

    def _settle(self, handle: Handle, outcome: Outcome | None) -> None:
        with self._changed:
            self._running.discard(handle)
            if handle._cancelled or self._closed:  # noqa: SLF001 - of the same module
                self._finish(handle, outcome or Outcome(handle.track, cancelled=True))
            elif outcome is not None:
                self._finish(handle, outcome)
            elif handle._tries < _TRIES:  # noqa: SLF001 - as above
                self._alone.append(handle)
            else:
                why = f"{handle.track.path} was not separated: {_LOST}"
                self._finish(handle, Outcome(handle.track, error=why))
            self._changed.notify_all()

    def _finish(self, handle: Handle, outcome: Outcome) -> None:
        handle.outcome = outcome
        self._done.append(handle)
        self._changed.notify_all()
