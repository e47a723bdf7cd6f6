"""The audit log: who did what, to what, when, from where; no titles, no secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.web.service.tables import AuditEntry

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service


def record(
    service: Service, session: Session, actor: str, action: str, *, target: str = "", address: str = ""
) -> AuditEntry:
    """Add an entry, committed together with the action it records; return it.

    Args:
        service: the service.
        session: the database session.
        actor: the account that acts.
        action: its action.
        target: the object of the action.
        address: address of the client.
    """
    entry = AuditEntry(created=service.clock(), actor=actor, action=action, target=target, address=address)
    session.add(entry)
    return entry
