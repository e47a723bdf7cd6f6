"""One process of a crew: separates one song after the other, controlled over a pipe."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stream_sep.errors import Cancelled, StreamSepError
from stream_sep.files.song_models import ModelShelf
from stream_sep.files.song_separator import Outcome, SongSeparator, attempt
from stream_sep.lowlevel.process_pool import sigint_left_to_parent

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from stream_sep.files.job import SeparationJob
    from stream_sep.files.progress import Progress
    from stream_sep.files.tracks import Track

_REPORT_SECONDS = 0.1

LOST = object()
"""Returned in place of a message when the process has ended."""


class CrewProcess:
    """A process that separates one song after the other."""

    def __init__(self, context: Any) -> None:  # noqa: ANN401 - of multiprocessing, which has no common type
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=True)
        with sigint_left_to_parent():
            self._process.start()
        theirs.close()
        self._cancelled = False

    @property
    def is_alive(self) -> bool:
        """Whether it can receive a song."""
        return bool(self._process.is_alive())

    def send(self, track: Track, job: SeparationJob) -> None:
        """Send it a song; if the process has ended, `receive` returns `LOST`.

        Args:
            track: the song.
            job: its job.
        """
        self._cancelled = False
        with suppress(OSError):
            self._pipe.send((track, job))

    def receive(self, seconds: float) -> object:
        """Return its next message: `Progress`, a model error, an `Outcome`; None after ``seconds``; or `LOST`."""
        try:
            return self._pipe.recv() if self._pipe.poll(seconds) else None
        except (EOFError, OSError):
            return LOST

    def cancel(self) -> None:
        """Request once that it stops its current song."""
        if not self._cancelled:
            self._cancelled = True
            with suppress(OSError):
                self._pipe.send(CANCEL)

    def end(self, seconds: float) -> None:
        """Wait for it to end, and kill it after ``seconds``."""
        self._pipe.close()
        self._process.join(seconds)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.join()


CANCEL = "cancel"


def _work(pipe: Connection) -> None:
    """Separate songs in this process until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for systems that cannot block it
    shelf, stop, songs = ModelShelf(), threading.Event(), _Inbox(pipe)
    threading.Thread(target=songs.run, args=(stop,), daemon=True).start()
    while (song := songs.take()) is not None:
        stop.clear()
        outcome = _separate_here(*song, shelf, _reporter(pipe, stop), pipe)
        try:
            pipe.send(outcome)
        except OSError:
            return


class _Inbox:
    """Receives songs and cancellations through a pipe; a closed pipe cancels the song and ends the queue."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._songs: deque[tuple[Track, SeparationJob] | None] = deque()
        self._came = threading.Condition()

    def run(self, stop: threading.Event) -> None:
        message: Any = ()
        while message is not None:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                message = None
            if message is None or message == CANCEL:
                stop.set()
            if message != CANCEL:
                with self._came:
                    self._songs.append(message)
                    self._came.notify()

    def take(self) -> tuple[Track, SeparationJob] | None:
        with self._came:
            while not self._songs:
                self._came.wait()
            return self._songs.popleft()


def _reporter(pipe: Connection, stop: threading.Event) -> Callable[[Progress], None]:
    """Return a function that sends progress, rate-limited, and raises if the song was cancelled."""
    last, stage = 0.0, ""

    def report(progress: Progress) -> None:
        nonlocal last, stage
        if stop.is_set():
            raise Cancelled("the song was cancelled")
        now = time.monotonic()
        if progress.stage != stage or now > last + _REPORT_SECONDS or progress.share == 1.0:
            last, stage = now, progress.stage
            with suppress(OSError):
                pipe.send(progress)

    return report


def _separate_here(
    track: Track, job: SeparationJob, shelf: ModelShelf, report: Callable[[Progress], None], pipe: Connection
) -> Outcome:
    try:
        separator = SongSeparator(job, shelf.get(job.settings))
    except StreamSepError as error:
        with suppress(OSError):
            pipe.send(error)
        return Outcome(track, error=str(error))
    except Exception as error:  # noqa: BLE001 - a model can fail in any way; the other songs continue
        return Outcome(track, error=f"the model {job.settings.model!r} failed: {type(error).__name__}: {error}")
    return attempt(separator, track, report)
