"""Links that play a song without an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from bridge.web.problems import Problem
from bridge.web.service import demo
from bridge.web.service.passwords import hash_secret
from bridge.web.service.songs import newest_jobs
from bridge.web.service.tables import Job, Share, Song, User
from bridge.web.service.throttle import network_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service


_GUEST_REQUESTS, _GUEST_SECONDS = 60, 60.0
_VISIT_SECONDS = 3600.0


@dataclass(frozen=True)
class PlayableSong:
    """A song that a caller may play.

    Attributes:
        song: the song.
        job: its newest separation.
        downloads: whether its files may be downloaded.
    """

    song: Song
    job: Job | None
    downloads: bool

    def require_downloads(self) -> None:
        """Check that downloads are allowed.

        Raises:
            Problem: the link allows playing only.
        """
        if not self.downloads:
            raise Problem(
                403, "play-only", "This link plays the song but does not allow downloads.", "Ask its owner for them."
            )


def shared_song(service: Service, key: str) -> PlayableSong:
    """Return the song of a link.

    Args:
        service: the service.
        key: the secret of the link.

    Raises:
        Problem: the link does not exist, has expired, or was revoked; the three look the same.
    """
    with service.database.read() as session:
        song, download = _demo(session) if key == demo.KEY else _linked(service, session, key)
        if song is None or song.deleted is not None or song.state == "deleting":
            raise Problem(404, "link-ended", "This link has expired or was revoked.")
        return PlayableSong(song, newest_jobs(session, [song]).get(song.id), downloads=download)


def limit_guests(service: Service, address: str) -> None:
    """Count a request with a link; pieces of songs do not count, as a player seeks and loops.

    Args:
        service: the service.
        address: address of the client.

    Raises:
        Problem: more than 60 within a minute.
    """
    service.throttle.check("share", address, _GUEST_REQUESTS, _GUEST_SECONDS)


def count_visit(service: Service, key: str, address: str) -> None:
    """Count a visit of a link, once an hour for an address: pages are reloaded, and poll while a song is separated.

    Args:
        service: the service.
        key: the secret of the link.
        address: address of the client.
    """
    try:
        service.throttle.check("visit", f"{hash_secret(key)} {network_of(address)}", 1, _VISIT_SECONDS)
    except Problem:
        return
    with service.database.write() as session:
        link = update(Share).where(Share.secret_hash == hash_secret(key))
        session.execute(link.values(visits=Share.visits + 1))


def _demo(session: Session) -> tuple[Song | None, bool]:
    return demo.demo_song(session), True


def _linked(service: Service, session: Session, key: str) -> tuple[Song | None, bool]:
    query = (
        select(Share, Song)
        .join(Song, Song.id == Share.song_id)
        .join(User, User.id == Share.user_id)
        .where(Share.secret_hash == hash_secret(key), ~User.disabled)
    )
    row = session.execute(query).first()
    if row is None or (row[0].expires is not None and row[0].expires <= service.clock()):
        return None, False
    return row[1], row[0].download
