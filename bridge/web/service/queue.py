"""The queue of jobs: rows that workers claim for a while, with a lease that they renew.

Every write of a worker names its attempt, so that one that lost its lease changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from bridge.web.problems import Problem
from bridge.web.service.queue_events import publish_job, publish_positions
from bridge.web.service.tables import Job, Song, new_id
from stream_sep.errors import StreamSepError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service

LEASE_SECONDS = 30.0
MAX_TRIES = 3
LOST = "The worker crashed three times on this song, perhaps for lack of memory: try a smaller model."
ACTIVE = ("queued", "running")


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


def fingerprint(kind: str, settings: dict[str, Any]) -> str:
    """Return a key that is equal for the same work.

    Args:
        kind: its kind.
        settings: of the job.
    """
    text = json.dumps([kind, settings], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def enqueue(service: Service, session: Session, song: Song, kind: str, settings: dict[str, Any]) -> Job:
    """Add a job, or return the existing one for the same work, which is no longer to be cancelled.

    Args:
        service: the service.
        session: the database session.
        song: the song.
        kind: its kind.
        settings: of the separation.

    Raises:
        Problem: the account has too many waiting.
    """
    mark = fingerprint(kind, settings)
    running = select(Job).where(Job.song_id == song.id, Job.fingerprint == mark, Job.state.in_(ACTIVE))
    if (found := session.scalar(running.with_for_update())) is not None:
        found.cancel = None
        return found
    check_queue(service, session, song.user_id)
    now = service.clock()
    job = Job(
        id=new_id(),
        song_id=song.id,
        user_id=song.user_id,
        kind=kind,
        settings=settings,
        fingerprint=mark,
        priority=5 if kind == "mix" else 10,
        state="queued",
        place=now,
        created=now,
    )
    session.add(job)
    if kind == "separate" and song.job_id is None:
        song.state, song.error = "waiting", ""
    session.flush()
    publish_job(service, session, job, song)
    return job


def check_queue(service: Service, session: Session, user_id: str, coming: int = 0) -> None:
    """Check the limit of an account's waiting jobs.

    Args:
        service: the service.
        session: of the database.
        user_id: the account.
        coming: songs that are still being uploaded.

    Raises:
        Problem: too many jobs are waiting.
    """
    waiting = session.scalar(select(func.count()).where(Job.user_id == user_id, Job.state == "queued")) or 0
    if waiting + coming >= service.limits(session).max_waiting_jobs:
        detail, hint = f"{waiting} of your jobs are waiting already.", "Try again when some are done."
        raise Problem(429, "queue-full", detail, hint, headers={"Retry-After": "30"})


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
    return _end(service, session, job, state, error=error, result=result)


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
            _end(service, session, job, "cancelled")
        elif job.tries >= MAX_TRIES:
            _end(service, session, job, "failed", error=LOST)
        else:
            _back_to_queue(service, session, job)


def cancel(service: Service, session: Session, job_id: str) -> Job | None:
    """Cancel a job: a waiting one at once, a running one as soon as its worker notices; None if there is none.

    Args:
        service: the service.
        session: the database session.
        job_id: id of the job.
    """
    job = session.scalar(select(Job).where(Job.id == job_id).with_for_update())
    if job is None:
        return None
    if job.state == "queued":
        _end(service, session, job, "cancelled")
    elif job.state == "running" and job.cancel is None:
        job.cancel = service.clock()
    return job


def cancel_all(service: Service, session: Session, song_id: str) -> None:
    """Cancel all jobs of a song.

    Args:
        service: the service.
        session: the database session.
        song_id: id of the song.
    """
    for job_id in session.scalars(select(Job.id).where(Job.song_id == song_id, Job.state.in_(ACTIVE))).all():
        cancel(service, session, job_id)


def resume(service: Service, session: Session, song: Song, since: float) -> None:
    """Continue the separation of a song that was cancelled with the song, when that comes back.

    Args:
        service: the service.
        session: the database session.
        song: the song.
        since: when it was deleted; jobs that were cancelled before stay so.

    Raises:
        Problem: the account has too many waiting.
    """
    query = select(Job).where(Job.song_id == song.id, Job.kind == "separate")
    last = session.scalar(query.order_by(Job.created.desc(), Job.id.desc()).limit(1))
    if last is None:
        return
    requested = last.cancel if last.state in ACTIVE else last.ended if last.state == "cancelled" else None
    if requested is not None and requested >= since:
        enqueue(service, session, song, last.kind, dict(last.settings))


def move(service: Service, session: Session, job: Job, to: int) -> None:
    """Move a waiting job among those of its owner; they share their places, so nobody else's wait changes.

    Args:
        service: the service.
        session: the database session.
        job: the job; one that does not wait stays as it is.
        to: its new place among its owner's waiting jobs of its kind; 1 is the next, beyond the end is the last.
    """
    query = select(Job).where(Job.user_id == job.user_id, Job.state == "queued", Job.kind == job.kind)
    waiting = list(session.scalars(query.order_by(Job.place, Job.id).with_for_update()))
    if job not in waiting:
        return
    places = [one.place for one in waiting]
    waiting.remove(job)
    waiting.insert(to - 1, job)
    for one, place in zip(waiting, places, strict=True):
        one.place = place
    session.flush()
    publish_positions(service, session)


def _back_to_queue(service: Service, session: Session, job: Job) -> None:
    job.state, job.worker, job.lease, job.stage, job.folder = "queued", None, 0.0, "", ""
    job.share, job.frames_ready, job.seconds_left = 0.0, 0, None
    song = session.get_one(Song, job.song_id)
    if job.kind == "separate" and song.job_id is None:
        song.state = "waiting"
    session.flush()
    publish_job(service, session, job, song)


def _end(service: Service, session: Session, job: Job, state: str, *, error: str = "", result: str = "") -> Job:
    job.state, job.error, job.result, job.ended = state, error[:500], result, service.clock()
    job.worker, job.lease, job.folder, job.stage, job.seconds_left = None, 0.0, "", "", None
    if state == "done":
        job.share = 1.0
    song = session.get_one(Song, job.song_id)
    if job.kind == "separate" and song.job_id is None and song.state != "deleting":
        song.state, song.error = ("ready" if state == "done" else state), job.error
    session.flush()
    publish_job(service, session, job, song)
    return job
