"""Links that work once: to sign up, to set the server up, to choose a new password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from bridge.web.problems import Problem
from bridge.web.service.dependencies import iso
from bridge.web.service.passwords import hash_secret, new_secret
from bridge.web.service.responses import LinkBody
from bridge.web.service.tables import Invitation

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service

_PATHS = {"invite": "/signup#k=", "setup": "/setup#k=", "reset": "/reset#k="}


def find_invitation(session: Session, kind: str, secret: str, now: float) -> Invitation:
    """Return a link that can be used; `use_invitation` uses it up.

    Args:
        session: the database session.
        kind: kind of link.
        secret: the secret.
        now: the current time.

    Raises:
        Problem: there is none, it was used, or it has expired.
    """
    found = session.scalar(
        select(Invitation).where(Invitation.kind == kind, Invitation.secret_hash == hash_secret(secret))
    )
    if found is None or found.expires <= now:
        raise _link_ended()
    return found


def use_invitation(session: Session, kind: str, secret: str, now: float) -> Invitation:
    """Use up a link, and return it; see `find_invitation`."""
    found = find_invitation(session, kind, secret, now)
    if session.scalar(delete(Invitation).where(Invitation.id == found.id).returning(Invitation.id)) is None:
        raise _link_ended()
    return found


def _link_ended() -> Problem:
    hint = "Ask the server's owner for another."
    return Problem(403, "link-ended", "This link was used or has expired.", hint)


def new_link(
    service: Service, session: Session, kind: str, *, seconds: float, note: str = "", user_id: str | None = None
) -> LinkBody:
    """Make a link that works once; its path is in this value only.

    Args:
        service: the service.
        session: the database session.
        kind: kind of link.
        seconds: how long the link is valid.
        note: for the list of links.
        user_id: id of the account.
    """
    key, now = new_secret(), service.clock()
    link = Invitation(
        kind=kind, user_id=user_id, secret_hash=hash_secret(key), note=note, created=now, expires=now + seconds
    )
    session.add(link)
    session.flush()
    return link_body(link).model_copy(update={"path": f"{_PATHS[kind]}{key}"})


def link_body(link: Invitation) -> LinkBody:
    """Return a link without its key."""
    return LinkBody(id=link.id, kind=link.kind, note=link.note, created=iso(link.created), expires=iso(link.expires))
