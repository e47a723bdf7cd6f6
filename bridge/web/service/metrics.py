"""Health of the service, and metrics for Prometheus."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from bridge.web.service.disk import MIN_FREE_BYTES
from bridge.web.service.tables import Job, LoginSession, Song, User, Worker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service

WORKER_SECONDS = 60.0
_BUCKETS = (0.01, 0.05, 0.2, 1.0, 5.0)


class RequestTimes:
    """Counts requests by status and how long they took; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[int] = Counter()
        self._buckets: defaultdict[float, int] = defaultdict(int)
        self._sum = 0.0

    def add(self, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            status: HTTP status.
            seconds: duration of the request.
        """
        with self._lock:
            self._counts[status] += 1
            self._sum += seconds
            for bound in _BUCKETS:
                self._buckets[bound] += seconds <= bound

    def lines(self) -> Iterable[str]:
        """Yield the lines of a histogram."""
        with self._lock:
            total = self._counts.total()
            yield from (f'stream_sep_requests_total{{status="{s}"}} {n}' for s, n in sorted(self._counts.items()))
            yield from (f'stream_sep_request_seconds_bucket{{le="{b:g}"}} {self._buckets[b]}' for b in _BUCKETS)
            yield f'stream_sep_request_seconds_bucket{{le="+Inf"}} {total}'
            yield f"stream_sep_request_seconds_sum {self._sum:.6f}"
            yield f"stream_sep_request_seconds_count {total}"


def problems_of(service: Service) -> list[str]:
    """Return a message for each problem that keeps the service from working."""
    found = []
    if service.data.free_bytes() < MIN_FREE_BYTES:
        found.append("Less than 2 GB are left on the disk.")
    try:
        if not service.database.is_current():
            return [*found, "The tables are not up to date."]
        with service.database.read() as session:
            seen, now = session.scalar(select(func.max(Worker.seen))), service.database.now(session)
    except SQLAlchemyError:
        return [*found, "The database does not respond."]
    if seen is None or now - seen > WORKER_SECONDS:
        found.append(_no_worker(None if seen is None else now - seen))
    return found


def _no_worker(seconds: float | None) -> str:
    """Return the message about missing workers, of which the last was seen so long ago; None if there was none."""
    since = "yet" if seconds is None else f"for {seconds / 60:.0f} minutes"
    return f"No worker has been seen {since}: jobs wait. stream-sep serve --role worker"


def metrics_text(service: Service, times: RequestTimes) -> str:
    """Return all metrics in Prometheus' text format.

    Args:
        service: the service.
        times: of requests.
    """
    with service.database.read() as session:
        lines = [*_gauges(service, session), *times.lines()]
    return "\n".join(lines) + "\n"


def _gauges(service: Service, session: Session) -> Iterable[str]:
    now = service.clock()
    counted = session.execute(select(Job.state, func.count()).group_by(Job.state))
    states = {str(state): int(count) for state, count in counted}
    for state in ("queued", "running", "done", "failed", "cancelled"):
        yield f'stream_sep_jobs{{state="{state}"}} {states.get(state, 0)}'
    oldest = session.scalar(select(func.min(Job.created)).where(Job.state == "queued"))
    yield f"stream_sep_queue_age_seconds {now - oldest if oldest else 0:.1f}"
    yield f"stream_sep_users {session.scalar(select(func.count()).select_from(User)) or 0}"
    yield f"stream_sep_sessions {session.scalar(select(func.count()).select_from(LoginSession)) or 0}"
    yield f"stream_sep_songs {session.scalar(select(func.count()).select_from(Song)) or 0}"
    yield f"stream_sep_song_bytes {session.scalar(select(func.coalesce(func.sum(Song.bytes), 0))) or 0}"
    yield f"stream_sep_disk_free_bytes {service.data.free_bytes()}"
    since = service.database.now(session) - WORKER_SECONDS
    recent = select(func.count()).select_from(Worker).where(Worker.seen > since)
    yield f"stream_sep_workers {session.scalar(recent) or 0}"
    done = (Job.state == "done") & (Job.kind == "separate")
    music, took = session.execute(
        select(func.sum(Song.seconds), func.sum(Job.ended - Job.started)).join(Job, Job.id == Song.job_id).where(done)
    ).one()
    yield f"stream_sep_music_seconds_total {music or 0:.1f}"
    yield f"stream_sep_separation_seconds_total {took or 0:.1f}"
