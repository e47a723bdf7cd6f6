"""The worker process: claims jobs one after the other, and survives the failure of a song."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from bridge.web.problems import Problem
from bridge.web.service import claims
from bridge.web.service.claims import Claim, LeaseLostError
from bridge.web.service.config import package_version
from bridge.web.service.crash import crash_point
from bridge.web.service.lease import Lease, StopWorkError
from bridge.web.service.mixing import render_mix_job
from bridge.web.service.model_shelf import make_shelf
from bridge.web.service.reconcile import housekeep, reconcile
from bridge.web.service.separation import Separation
from bridge.web.service.tables import Worker, new_id
from stream_sep.errors import StreamSepError
from stream_sep.lowlevel.stop_signals import stop_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.web.service.context import Service

SUPERVISOR = "STREAM_SEP_SUPERVISOR"
"""Set by `serve` in its workers: the process id of the parent, with which they end."""

MAX_SONGS = 50
MAX_BYTES = 6_000_000_000
_POLL_SECONDS = 0.5
_AWAY_SECONDS = 5.0
_SEEN_SECONDS = 10.0
_SUPERVISOR_SECONDS = 1.0
_HOUSE_SECONDS = 600.0
_NICENESS = 10
_log = logging.getLogger(__name__)


class WorkerProcess:
    """Works until it is stopped, or until it should be replaced by a new one.

    Args:
        service: the service.
    """

    def __init__(self, service: Service) -> None:
        self.id = f"{socket.gethostname()[:60]}-{os.getpid()}-{new_id()[:6]}"
        self._service = service
        self._stop = threading.Event()
        self._busy: str | None = None
        self._shelf = make_shelf()
        self._done = 0

    def stop(self) -> None:
        """Release the job and stop."""
        self._stop.set()

    def run(self) -> None:
        """Work until stopped, or for `MAX_SONGS` songs, or until memory has grown beyond `MAX_BYTES`."""
        reconcile(self._service)
        threads = [
            threading.Thread(target=self._repeat, args=(action, seconds), daemon=True)
            for action, seconds in (
                (self._record_seen, _SEEN_SECONDS),
                (self._watch_supervisor, _SUPERVISOR_SECONDS),
                (lambda: housekeep(self._service), _HOUSE_SECONDS),
            )
        ]
        threads.append(
            threading.Thread(target=self._claim_until_stopped, args=(("mix",),), name="mixes", daemon=True)
        )
        for thread in threads:
            thread.start()
        self._claim_until_stopped(("separate",))
        self._stop.set()
        for thread in threads:
            thread.join(5.0)

    def _claim_until_stopped(self, kinds: tuple[str, ...]) -> None:
        while not self._stop.is_set():
            try:
                worked = self.work_once(kinds)
            except SQLAlchemyError:
                _log.exception("the queue cannot be read")
                self._stop.wait(_AWAY_SECONDS)
                continue
            if not worked:
                self._stop.wait(_POLL_SECONDS)
            elif kinds == ("separate",) and self._is_worn():
                return

    def work_once(self, kinds: tuple[str, ...]) -> bool:
        """Do the next job of some kinds; return whether there was one."""
        claimed = claims.claim(self._service, self.id, kinds)
        if claimed is None:
            return False
        crash_point("claimed")
        self._work(claimed)
        return True

    def _work(self, claimed: Claim) -> None:
        try:
            with Lease(self._service, claimed, self._stop) as lease:
                if claimed.kind == "mix":
                    render_mix_job(self._service, claimed, lease)
                else:
                    self._busy, self._done = claimed.job_id, self._done + 1
                    Separation(self._service, claimed, lease, self._shelf).run()
        except StopWorkError as error:
            self._end(claimed, error.reason)
        except LeaseLostError:
            _log.warning("job %s was taken by another worker", claimed.job_id)
        except Problem as error:
            self._fail(claimed, f"{error.detail} {error.hint}".strip())
        except StreamSepError as error:
            self._fail(claimed, _without_paths(str(error)))
        except Exception as error:  # noqa: BLE001 - it is logged, and the other songs continue
            _log.exception("job %s failed", claimed.job_id)
            self._fail(claimed, f"Internal server error ({type(error).__name__}). Try again.")
        finally:
            if claimed.kind != "mix":
                self._busy = None

    def _end(self, claimed: Claim, reason: str) -> None:
        if reason == "stopping":
            self._safely(lambda: claims.release(self._service, claimed))
        elif reason == "cancelled":
            self._finish(claimed, "cancelled")

    def _fail(self, claimed: Claim, message: str) -> None:
        self._finish(claimed, "failed", message)

    def _finish(self, claimed: Claim, state: str, error: str = "") -> None:
        def finish() -> None:
            with self._service.database.write() as session:
                claims.finish(self._service, session, claimed, state, error=error)

        self._safely(finish)

    def _safely(self, action: Callable[[], None]) -> None:
        try:
            action()
        except LeaseLostError:
            _log.warning("a job was taken by another worker")
        except SQLAlchemyError:  # its lease expires, and it is queued again
            _log.exception("the end of a job cannot be stored")

    def _is_worn(self) -> bool:
        return self._done >= MAX_SONGS or _peak_bytes() > MAX_BYTES

    def _repeat(self, action: Callable[[], None], seconds: float) -> None:
        while True:
            try:
                action()
            except SQLAlchemyError:
                _log.exception("the database does not respond")
            if self._stop.wait(seconds):
                return

    def _watch_supervisor(self) -> None:
        """Stop when the parent process has ended: a new one starts its own workers."""
        supervisor = os.environ.get(SUPERVISOR)
        if supervisor and os.getppid() != int(supervisor):
            self.stop()

    def _record_seen(self) -> None:
        with self._service.database.write() as session:
            now = self._service.database.now(session)  # compared by other machines
            row = session.get(Worker, self.id)
            if row is None:
                row = Worker(id=self.id, started=now, seen=now, version=package_version())
                session.add(row)
            row.seen, row.job_id = now, self._busy


def run_worker(service: Service) -> None:
    """Run a worker in this process until a signal ends it, with a lower priority than the web process."""
    worker = WorkerProcess(service)
    for number in stop_signals():
        signal.signal(number, lambda *_: worker.stop())
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    worker.run()


def _peak_bytes() -> int:
    """Return the process's peak memory in bytes; 0 if the system does not report it."""
    try:
        import resource  # noqa: PLC0415 - missing on Windows
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _without_paths(text: str) -> str:
    """Return an error text without the server's folders, for users."""
    return " ".join(word.rsplit("/", 1)[-1] if word.startswith("/") else word for word in text.split())
