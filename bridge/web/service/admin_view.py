"""The state of a server, for its admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from bridge.web.service.accounts_view import max_seconds_of, storage_of
from bridge.web.service.dependencies import iso
from bridge.web.service.metrics import WORKER_SECONDS, problems_of
from bridge.web.service.queue import ACTIVE
from bridge.web.service.responses import AdminOverview, AdminUser, QueueEntry, WorkerBody
from bridge.web.service.tables import CLOSED, NO_PASSWORD, Job, Song, User, Worker

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service

_MAX_QUEUE = 100


def overview(service: Service) -> AdminOverview:
    """Return workers, queue, disk and settings."""
    problems = problems_of(service)
    with service.database.read() as session:
        counted = session.execute(select(Job.state, func.count()).group_by(Job.state))
        since = service.database.now(session) - 10 * WORKER_SECONDS
        recent = select(Worker).where(Worker.seen > since).order_by(Worker.id)
        queued = (
            select(Job, User.name)
            .join(User, User.id == Job.user_id)
            .where(Job.state.in_(ACTIVE))
            .order_by(Job.state.desc(), Job.priority, Job.place)
            .limit(_MAX_QUEUE)
        )
        return AdminOverview(
            users=session.scalar(select(func.count()).where(User.password_hash.not_in((NO_PASSWORD, CLOSED)))) or 0,
            songs=session.scalar(select(func.count()).select_from(Song)) or 0,
            jobs={str(state): int(count) for state, count in counted},
            workers=[_worker_body(worker) for worker in session.scalars(recent)],
            warning=" ".join(problems),
            disk_free=service.data.free_bytes(),
            disk_songs=int(session.scalar(select(func.coalesce(func.sum(Song.bytes), 0))) or 0),
            queue=[_queue_entry(job, name) for job, name in session.execute(queued)],
            settings=service.limits(session).to_dict(),
        )


def admin_user(service: Service, session: Session, user: User) -> AdminUser:
    """Return an account without titles and files.

    Args:
        service: the service.
        session: the database session.
        user: the account.
    """
    return AdminUser(
        id=user.id,
        name=user.name,
        admin=user.admin,
        disabled=user.disabled,
        created=iso(user.created),
        last_login=iso(user.last_login),
        songs=session.scalar(select(func.count()).where(Song.user_id == user.id)) or 0,
        storage=storage_of(service, session, user),
        max_song_seconds=max_seconds_of(service, session, user),
    )


def list_accounts(service: Service, session: Session) -> list[AdminUser]:
    """Return all accounts of people, by name.

    Args:
        service: the service.
        session: the database session.
    """
    query = select(User).where(User.password_hash.not_in((NO_PASSWORD, CLOSED))).order_by(User.name_key)
    return [admin_user(service, session, user) for user in session.scalars(query).all()]


def _worker_body(worker: Worker) -> WorkerBody:
    return WorkerBody(
        id=worker.id,
        started=iso(worker.started),
        seen=iso(worker.seen),
        busy=worker.job_id is not None,
        version=worker.version,
    )


def _queue_entry(job: Job, name: str) -> QueueEntry:
    return QueueEntry(
        id=job.id,
        user=name,
        kind=job.kind,
        state=job.state,
        stage=job.stage,
        share=round(job.share, 4),
        created=iso(job.created),
        error=job.error,
    )
