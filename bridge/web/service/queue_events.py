"""Events of the queue for open pages: jobs, their progress, their places."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from bridge.web.service import events
from bridge.web.service.songs_view import job_body, song_body
from bridge.web.service.tables import Job

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service
    from bridge.web.service.tables import Song

_MAX_POSITIONS = 50


def position(session: Session, job: Job) -> int | None:
    """Return the position of a job in the queue; None if it is not waiting.

    Args:
        session: the database session.
        job: the job.
    """
    if job.state != "queued":
        return None
    earlier = or_(Job.place < job.place, (Job.place == job.place) & (Job.id < job.id))
    query = select(func.count()).where(Job.state == "queued", Job.kind == job.kind, earlier)
    return 1 + (session.scalar(query) or 0)


def publish_job(service: Service, session: Session, job: Job, song: Song) -> None:
    """Publish a job's state, and its song's if that depends on it.

    Args:
        service: the service.
        session: the database session.
        job: the job.
        song: the song.
    """
    place = position(session, job)
    events.publish(service, session, job.user_id, "job", job_body(job, place).model_dump())
    if job.kind == "separate":
        events.publish(service, session, job.user_id, "song", song_body(song, job, place).model_dump())


def publish_progress(service: Service, session: Session, job: Job, song: Song) -> None:
    """Publish a job's progress, and how many frames of a song being separated can be played.

    Args:
        service: the service.
        session: the database session.
        job: the job.
        song: the song.
    """
    session.flush()
    events.publish(service, session, job.user_id, "job", job_body(job, None).model_dump())
    if job.frames_ready and song.job_id is None:
        ready = {"id": song.id, "frames": job.frames_ready}
        events.publish(service, session, job.user_id, "song.ready", ready)


def publish_positions(service: Service, session: Session) -> None:
    """Publish the places of the first waiting jobs.

    Args:
        service: the service.
        session: the database session.
    """
    waiting = select(Job).where(Job.state == "queued").order_by(Job.place, Job.id).limit(_MAX_POSITIONS)
    places: Counter[str] = Counter()
    for job in session.scalars(waiting).all():
        places[job.kind] += 1
        events.publish(service, session, job.user_id, "job", job_body(job, places[job.kind]).model_dump())
