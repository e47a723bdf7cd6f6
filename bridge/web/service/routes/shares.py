"""Share links: created by a song's owner, usable by anybody."""

from __future__ import annotations

from fastapi import APIRouter, Request
from sqlalchemy import select

from bridge.web.problems import not_found
from bridge.web.service.audit import record
from bridge.web.service.dependencies import KnownCaller, ServiceOf, address_of, iso, own_song
from bridge.web.service.passwords import hash_secret, new_secret
from bridge.web.service.requests import NewShare
from bridge.web.service.responses import ShareBody, SongBody
from bridge.web.service.shares import count_visit, limit_guests, shared_song
from bridge.web.service.songs_view import song_body
from bridge.web.service.tables import Share

router = APIRouter(tags=["shares"])


@router.get("/songs/{song_id}/shares", operation_id="listShares")
def list_shares(service: ServiceOf, song_id: str, caller: KnownCaller) -> list[ShareBody]:
    """List the links of a song, without their keys."""
    with service.database.read() as session:
        own_song(session, caller, song_id)
        return [_body(share) for share in session.scalars(select(Share).where(Share.song_id == song_id)).all()]


@router.post("/songs/{song_id}/shares", operation_id="createShare", status_code=201)
def create_share(service: ServiceOf, song_id: str, body: NewShare, caller: KnownCaller) -> ShareBody:
    """Create a link; its key is in this response only."""
    key, now = new_secret(), service.clock()
    with service.database.write() as session:
        song = own_song(session, caller, song_id)
        share = Share(
            song_id=song.id,
            user_id=caller.user.id,
            secret_hash=hash_secret(key),
            download=body.download,
            created=now,
            expires=now + 86400 * (body.days or service.limits(session).share_days),
        )
        session.add(share)
        session.flush()
        record(service, session, caller.user.name, "share", target=share.id)
        return _body(share, key)


@router.delete("/songs/{song_id}/shares/{share_id}", operation_id="deleteShare", status_code=204)
def delete_share(service: ServiceOf, song_id: str, share_id: str, caller: KnownCaller) -> None:
    """Revoke a link."""
    with service.database.write() as session:
        own_song(session, caller, song_id)
        share = session.get(Share, share_id)
        if share is None or share.song_id != song_id:
            raise not_found("link")
        session.delete(share)
        record(service, session, caller.user.name, "unshare", target=share.id)


@router.get("/shares/{key}", operation_id="readShared")
def read_shared(service: ServiceOf, key: str, request: Request) -> SongBody:
    """Return the song of a link; `file_name` and what only its owner needs are empty."""
    limit_guests(service, address_of(request))
    playable = shared_song(service, key)
    count_visit(service, key, address_of(request))
    body = song_body(playable.song, playable.job)
    job = body.job.model_copy(update={"id": "", "song_id": "", "error": ""}) if body.job else None
    return body.model_copy(update={"id": "", "file_name": "", "bytes": 0, "job": job, "etag": "", "error": ""})


def _body(share: Share, key: str | None = None) -> ShareBody:
    return ShareBody(
        id=share.id,
        download=share.download,
        visits=share.visits,
        created=iso(share.created),
        expires=iso(share.expires),
        key=key,
        path=f"/s#k={key}" if key else None,
    )
