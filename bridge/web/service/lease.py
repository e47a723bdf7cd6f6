"""A worker's hold on a job: renewed by a thread, because reading and loading a model report nothing."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Self

from sqlalchemy.exc import SQLAlchemyError

from bridge.web.service import queue
from bridge.web.service.queue import Claim, LeaseLostError
from bridge.web.service.tables import Song
from stream_sep.errors import Cancelled

if TYPE_CHECKING:
    from types import TracebackType

    from bridge.web.service.context import Service

RENEW_SECONDS = 5.0
DEAF_SECONDS = 30.0
STUCK_SECONDS = 600.0
_TELL_SECONDS = 0.5
_log = logging.getLogger(__name__)


class StopWorkError(Cancelled):
    """The work on a job has to end here.

    Args:
        reason: ``cancelled``, ``lost`` or ``stopping``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the work was ended: {reason}")
        self.reason = reason


class Lease:
    """Holds a job while it is worked on.

    Args:
        service: where the queue is.
        claimed: the job.
        stop: set when the worker is told to end.
    """

    def __init__(self, service: Service, claimed: Claim, stop: threading.Event) -> None:
        self._service, self._claimed, self._stop = service, claimed, stop
        self._ended = threading.Event()
        self._reason = ""
        self._moved = self._told = time.monotonic()
        self._stage = ""
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Self:
        """Begin to renew."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Renew no more."""
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Raise `StopWorkError` if the work has to end."""
        if self._reason:
            raise StopWorkError(self._reason)
        if self._stop.is_set():
            raise StopWorkError("stopping")

    def report(self, stage: str, share: float, frames_ready: int = 0, seconds_left: float | None = None) -> None:
        """Write down how far the work is, twice a second at most; raise `StopWorkError` if it has to end.

        Args:
            stage: read, separate or pack.
            share: of the whole work, 0 to 1.
            frames_ready: of the stems.
            seconds_left: until it is done, if that can be told.
        """
        now = self._moved = time.monotonic()
        self.check()
        if stage == self._stage and now - self._told < _TELL_SECONDS:
            return
        self._stage, self._told = stage, now
        try:
            with self._service.database.write() as session:
                job = queue.held(session, self._claimed)
                job.stage, job.share = stage, share
                job.frames_ready, job.seconds_left = frames_ready, seconds_left
                queue.tell_progress(self._service, session, job, session.get_one(Song, job.song_id))
        except LeaseLostError:
            self._reason = "lost"
            raise StopWorkError("lost") from None

    def _keep(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            try:
                cancelled = queue.renew(self._service, self._claimed)
            except LeaseLostError:
                self._reason = "lost"
                return
            except SQLAlchemyError:  # it may come back before the lease ends
                _log.exception("a lease cannot be renewed")
                continue
            if cancelled is not None:
                self._reason = "cancelled"
                if self._service.clock() - cancelled > DEAF_SECONDS:
                    self._give_up()
            if time.monotonic() - self._moved > STUCK_SECONDS:
                _log.error("job %s has not moved for %.0f s; the worker ends", self._claimed.job_id, STUCK_SECONDS)
                os.kill(os.getpid(), signal.SIGKILL)

    def _give_up(self) -> None:
        """End a process that does not see that its work was cancelled."""
        with self._service.database.write() as session:
            queue.finish(self._service, session, self._claimed, "cancelled")
        os.kill(os.getpid(), signal.SIGKILL)
