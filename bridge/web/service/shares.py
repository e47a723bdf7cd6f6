"""Links that play a song without an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from bridge.web.problems import Problem
from bridge.web.service import demo
from bridge.web.service.passwords import hash_secret
from bridge.web.service.songs import newest_jobs
from bridge.web.service.tables import Job, Share, Song, User

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service


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
