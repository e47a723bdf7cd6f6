"""The demo song on the landing page: a song of an account that nobody can log in to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from bridge.web.service.songs import add_demo_song
from bridge.web.service.tables import NO_PASSWORD, Song, User

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service

KEY = "demo"
"""Used as the key of a share link."""

_NAME_KEY = " demo"  # no name can begin with a space, so that nobody can take it


def add_demo(service: Service) -> None:
    """Queue the separation of the demo song, once."""
    with service.database.write() as session:
        user = session.scalar(select(User).where(User.name_key == _NAME_KEY))
        if user is None:
            user = User(
                name="demo", name_key=_NAME_KEY, password_hash=NO_PASSWORD, disabled=True, created=service.clock()
            )
            session.add(user)
    add_demo_song(service, user)


def demo_song(session: Session) -> Song | None:
    """Return the demo song, once it is separated."""
    return session.scalar(
        select(Song).join(User, User.id == Song.user_id).where(User.name_key == _NAME_KEY, Song.state == "ready")
    )
