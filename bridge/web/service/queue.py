"""The queue of jobs: rows that workers claim, see `claims`."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from bridge.web.problems import Problem
from bridge.web.service.queue_events import publish_job, publish_positions
from bridge.web.service.tables import Job, Song, new_id

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service

ACTIVE = ("queued", "running")


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
        end_job(service, session, job, "cancelled")
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


def end_job(service: Service, session: Session, job: Job, state: str, *, error: str = "", result: str = "") -> Job:
    """End a job, and its song's separation with it.

    Args:
        service: the service.
        session: the database session.
        job: the job.
        state: the new state.
        error: message of a failed job.
        result: result of a finished job.
    """
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
