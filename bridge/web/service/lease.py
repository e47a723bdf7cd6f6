"""A worker's lease on a job: renewed by a thread, as reading and loading a model report no progress."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Self

from sqlalchemy.exc import SQLAlchemyError

from bridge.web.service import claims, queue_events
from bridge.web.service.claims import Claim, LeaseLostError
from bridge.web.service.tables import Song
from stream_sep.errors import Cancelled

if TYPE_CHECKING:
    from bridge.web.service.context import Service

RENEW_SECONDS = 5.0
CANCEL_TIMEOUT_SECONDS = 30.0
STUCK_SECONDS = 600.0
_REPORT_SECONDS = 0.5
_log = logging.getLogger(__name__)


class StopWorkError(Cancelled):
    """The work on a job has to stop.

    Args:
        reason: ``cancelled``, ``lost`` or ``stopping``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the work was ended: {reason}")
        self.reason = reason


class Lease:
    """Holds and renews the lease of a job while it is worked on.

    Args:
        service: the service.
        claimed: the job.
        stop: set when the worker has to end.
    """

    def __init__(self, service: Service, claimed: Claim, stop: threading.Event) -> None:
        self._service, self._claimed, self._stop = service, claimed, stop
        self._ended = threading.Event()
        self._reason = ""
        self._progressed_at = self._reported_at = time.monotonic()
        self._cancelled_at: float | None = None
        self._stage = ""
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        """Start renewing."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop renewing."""
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Raise `StopWorkError` if the work has to stop."""
        if self._reason:
            raise StopWorkError(self._reason)
        if self._stop.is_set():
            raise StopWorkError("stopping")

    def report(self, stage: str, share: float, frames_ready: int = 0, seconds_left: float | None = None) -> None:
        """Store the progress, twice a second at most; raise `StopWorkError` if the work has to stop.

        Args:
            stage: read, separate or pack.
            share: of the whole work, 0 to 1.
            frames_ready: of the stems.
            seconds_left: until it is done, if known.
        """
        now = self._progressed_at = time.monotonic()
        self.check()
        if stage == self._stage and now - self._reported_at < _REPORT_SECONDS:
            return
        self._stage, self._reported_at = stage, now
        try:
            with self._service.database.write() as session:
                job = claims.lock_claimed(session, self._claimed)
                job.stage, job.share = stage, share
                job.frames_ready, job.seconds_left = frames_ready, seconds_left
                queue_events.publish_progress(self._service, session, job, session.get_one(Song, job.song_id))
        except LeaseLostError:
            self._reason = "lost"
            raise StopWorkError("lost") from None

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            try:
                cancelled = claims.renew(self._service, self._claimed)
            except LeaseLostError:
                self._reason = "lost"
                return
            except SQLAlchemyError:  # the database may be back before the lease expires
                _log.exception("a lease cannot be renewed")
                continue
            if cancelled is not None:
                self._reason = "cancelled"
                if self._cancelled_at is None:
                    self._cancelled_at = time.monotonic()  # the time of the request is by another machine's clock
                if time.monotonic() - self._cancelled_at > CANCEL_TIMEOUT_SECONDS:
                    self._kill()
            if time.monotonic() - self._progressed_at > STUCK_SECONDS:
                _log.error(
                    "job %s has made no progress for %.0f s; the worker ends", self._claimed.job_id, STUCK_SECONDS
                )
                os.kill(os.getpid(), signal.SIGKILL)

    def _kill(self) -> None:
        """Kill the process, which does not react to a cancel."""
        with self._service.database.write() as session:
            claims.finish(self._service, session, self._claimed, "cancelled")
        os.kill(os.getpid(), signal.SIGKILL)
