"""Events for open pages: numbered rows of one table, so that a page can resume after the last one it received."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from bridge.web.service.tables import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service

KEPT_SECONDS = 3600.0
POLL_SECONDS = 0.2
_LOCK = 0x57AF
_MAX_BEHIND = 1000
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Notice:
    """An event as it is sent to a page."""

    seq: int
    user_id: str
    kind: str
    body: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON message."""
        return {"seq": self.seq, "kind": self.kind, "body": self.body}


def publish(service: Service, session: Session, user_id: str, kind: str, body: dict[str, Any]) -> None:
    """Add an event, which is visible once the session commits.

    PostgreSQL assigns numbers before a commit: without the lock a page could receive number 8, resume after it, and
    miss 7, which was committed later.

    Args:
        service: the service.
        session: the database session.
        user_id: id of the account.
        kind: its kind.
        body: its content.
    """
    if not service.database.is_sqlite:
        session.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    session.add(Event(user_id=user_id, kind=kind, body=body, created=service.clock()))
    session.flush()


def last_seq(session: Session) -> int:
    """Return the number of the newest event."""
    return session.scalar(select(func.max(Event.seq))) or 0


def events_after(session: Session, seq: int, user_id: str | None = None) -> list[Notice]:
    """Return the events after a number, of one account or of all.

    Args:
        session: the database session.
        seq: sequence number of an event.
        user_id: id of the account.
    """
    query = select(Event).where(Event.seq > seq).order_by(Event.seq).limit(_MAX_BEHIND)
    if user_id is not None:
        query = query.where(Event.user_id == user_id)
    return [Notice(row.seq, row.user_id, row.kind, row.body) for row in session.scalars(query)]


def can_resume(session: Session, seq: int) -> bool:
    """Return whether a page can resume after a number: no event was deleted, and there are not too many.

    Args:
        session: the database session.
        seq: sequence number of an event.
    """
    first = session.scalar(select(func.min(Event.seq))) or 0
    newest = last_seq(session)
    return first - 1 <= seq <= newest and newest - seq < _MAX_BEHIND


def prune(service: Service, session: Session) -> None:
    """Delete old events; the newest stays, so that numbers continue.

    Args:
        service: the service.
        session: the database session.
    """
    old = Event.created < service.clock() - KEPT_SECONDS
    session.execute(delete(Event).where(old, Event.seq < last_seq(session)))


class EventFeed:
    """Reads new events of all workers and web processes, and sends them to the pages of their account.

    Args:
        service: whose events.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._seq = 0
        self._queues: dict[str, set[asyncio.Queue[Notice]]] = defaultdict(set)

    @contextmanager
    def subscribe(self, user_id: str) -> Iterator[asyncio.Queue[Notice]]:
        """Yield a queue that receives every event of an account from now on."""
        queue: asyncio.Queue[Notice] = asyncio.Queue(_MAX_BEHIND)
        self._queues[user_id].add(queue)
        try:
            yield queue
        finally:
            self._queues[user_id].discard(queue)

    async def run(self) -> None:
        """Poll until cancelled; an unreachable database is tried again."""
        self._seq = await asyncio.to_thread(self._newest)
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                notices = await asyncio.to_thread(self._read)
            except SQLAlchemyError:
                _log.exception("events cannot be read")
                continue
            for notice in notices:
                self._seq = notice.seq
                for queue in list(self._queues.get(notice.user_id, ())):
                    _put(queue, notice)

    def _newest(self) -> int:
        with self._service.database.read() as session:
            return last_seq(session)

    def _read(self) -> list[Notice]:
        with self._service.database.read() as session:
            return events_after(session, self._seq)


def _put(queue: asyncio.Queue[Notice], notice: Notice) -> None:
    if queue.full():  # a page that does not read: it sees the gap by its next number
        queue.get_nowait()
    queue.put_nowait(notice)
