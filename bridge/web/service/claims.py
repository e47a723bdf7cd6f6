"""Claims of workers on jobs: each holds a lease for a while, and renews it.

Every write of a worker names its attempt, so that one that lost its lease changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from bridge.web.service.queue import end_job
from bridge.web.service.queue_events import publish_job, publish_positions
from bridge.web.service.tables import Job, Song
from stream_sep.errors import StreamSepError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service

LEASE_SECONDS = 30.0
MAX_TRIES = 3
LOST = "The worker crashed three times on this song, perhaps for lack of memory: try a smaller model."


class LeaseLostError(StreamSepError):
    """Another worker has the job now, or it was cancelled."""


@dataclass(frozen=True)
class Claim:
    """A job claimed by a worker.

    Attributes:
        job_id: the job.
        song_id: its song.
        user_id: its owner.
        worker: the worker that claimed it.
        attempt: number of the attempt.
        kind: ``separate`` or ``mix``.
        settings: of the separation or the mix.
    """

    job_id: str
    song_id: str
    user_id: str
    worker: str
    attempt: int
    kind: str
    settings: dict[str, Any]


def claim(service: Service, worker: str, kinds: tuple[str, ...]) -> Claim | None:
    """Take the next job; the account with the fewest running ones first, then the order of the queue.

    Args:
        service: the service.
        worker: name of the worker.
        kinds: kinds of jobs it takes.
    """
    other = aliased(Job)
    busy = (
        select(func.count())
        .where(other.user_id == Job.user_id, other.state == "running", other.kind == Job.kind)
        .scalar_subquery()
    )
    query = (
        select(Job)
        .where(Job.state == "queued", Job.kind.in_(kinds))
        .order_by(Job.priority, busy, Job.place, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    with service.database.write() as session:
        requeue_expired(service, session)
        now = service.database.now(session)
        job = session.scalar(query.where(Job.due <= now))
        if job is None:
            return None
        job.state, job.worker, job.lease = "running", worker, now + LEASE_SECONDS
        job.attempt, job.started, job.stage = job.attempt + 1, job.started or service.clock(), "read"
        job.share, job.seconds_left, job.frames_ready = 0.0, None, 0
        song = session.get_one(Song, job.song_id)
        if job.kind == "separate" and song.job_id is None:
            song.state = "working"
        session.flush()
        publish_job(service, session, job, song)
        publish_positions(service, session)
        return Claim(job.id, job.song_id, job.user_id, worker, job.attempt, job.kind, dict(job.settings))


def lock_claimed(session: Session, claimed: Claim) -> Job:
    """Return the row of a claimed job, locked until the session commits.

    Args:
        session: the database session.
        claimed: the claimed job.

    Raises:
        LeaseLostError: the worker no longer has it.
    """
    job = session.scalar(
        select(Job)
        .where(
            Job.id == claimed.job_id,
            Job.worker == claimed.worker,
            Job.attempt == claimed.attempt,
            Job.state == "running",
        )
        .with_for_update()
    )
    if job is None:
        raise LeaseLostError(f"job {claimed.job_id} is no longer attempt {claimed.attempt} of {claimed.worker}")
    return job


def renew(service: Service, claimed: Claim) -> float | None:
    """Renew a lease; return when a cancel was requested, or None.

    Args:
        service: the service.
        claimed: the claimed job.

    Raises:
        LeaseLostError: the worker no longer has it.
    """
    with service.database.write() as session:
        job = lock_claimed(session, claimed)
        job.lease = service.database.now(session) + LEASE_SECONDS
        return job.cancel


def finish(
    service: Service, session: Session, claimed: Claim, state: str, *, error: str = "", result: str = ""
) -> Job:
    """End a job; the caller commits it together with its result.

    A job whose cancel was withdrawn after its worker noticed it returns to the queue.

    Args:
        service: the service.
        session: the database session.
        claimed: the claimed job.
        state: the new state.
        error: message of a failed job.
        result: result of a finished job.

    Raises:
        LeaseLostError: the worker no longer has it.
    """
    job = lock_claimed(session, claimed)
    if state == "cancelled" and job.cancel is None:
        _back_to_queue(service, session, job)
        return job
    return end_job(service, session, job, state, error=error, result=result)


def release(service: Service, claimed: Claim) -> None:
    """Release a job before it is done, as when the worker has to end; the attempt does not count.

    Args:
        service: the service.
        claimed: the claimed job.
    """
    with service.database.write() as session:
        _back_to_queue(service, session, lock_claimed(session, claimed))


def requeue_expired(service: Service, session: Session) -> None:
    """Requeue the jobs whose lease expired by the database's time; after three times they fail, with the reason.

    Args:
        service: the service.
        session: the database session.
    """
    now = service.database.now(session)
    query = select(Job).where(Job.state == "running", Job.lease < now).with_for_update(skip_locked=True)
    for job in session.scalars(query).all():
        job.tries += 1
        if job.cancel is not None:
            end_job(service, session, job, "cancelled")
        elif job.tries >= MAX_TRIES:
            end_job(service, session, job, "failed", error=LOST)
        else:
            _back_to_queue(service, session, job)


def _back_to_queue(service: Service, session: Session, job: Job) -> None:
    job.state, job.worker, job.lease, job.stage, job.folder = "queued", None, 0.0, "", ""
    job.share, job.frames_ready, job.seconds_left = 0.0, 0, None
    song = session.get_one(Song, job.song_id)
    if job.kind == "separate" and song.job_id is None:
        song.state = "waiting"
    session.flush()
    publish_job(service, session, job, song)
