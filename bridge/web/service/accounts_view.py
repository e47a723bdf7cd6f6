"""Accounts as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from bridge.web.service.dependencies import iso
from bridge.web.service.responses import Storage, UserBody
from bridge.web.service.tables import RecoveryCode, Song, Upload, User

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service


def storage_of(service: Service, session: Session, user: User) -> Storage:
    """Return an account's used storage: a sum over rows, so that no counter can be wrong.

    Args:
        service: the service.
        session: the database session.
        user: the account.
    """
    songs = session.scalar(select(func.coalesce(func.sum(Song.bytes), 0)).where(Song.user_id == user.id)) or 0
    coming = session.scalar(select(func.coalesce(func.sum(Upload.size), 0)).where(Upload.user_id == user.id)) or 0
    limit = user.quota_bytes or service.limits(session).quota_bytes
    return Storage(used=int(songs) + int(coming), limit=limit)


def max_seconds_of(service: Service, session: Session, user: User) -> int:
    """Return the longest song that an account may have, in seconds.

    Args:
        service: the service.
        session: the database session.
        user: the account.
    """
    return user.max_seconds or service.limits(session).max_song_seconds


def user_body(service: Service, session: Session, user: User) -> UserBody:
    """Return an account as its owner sees it.

    Args:
        service: the service.
        session: the database session.
        user: the account.
    """
    codes = session.scalar(select(func.count()).where(RecoveryCode.user_id == user.id)) or 0
    return UserBody(
        id=user.id,
        name=user.name,
        admin=user.admin,
        created=iso(user.created),
        theme=user.theme,
        storage=storage_of(service, session, user),
        max_song_seconds=max_seconds_of(service, session, user),
        recovery_codes_left=codes,
    )
