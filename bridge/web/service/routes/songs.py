"""The songs of a library."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Response
from sqlalchemy.orm import Session

from bridge.web.problems import Problem
from bridge.web.service import queue, queue_events
from bridge.web.service.accounts_view import storage_of
from bridge.web.service.catalog import check_settings
from bridge.web.service.dependencies import KnownCaller, ServiceOf, own_song
from bridge.web.service.events import publish
from bridge.web.service.reconcile import purge_deleted
from bridge.web.service.requests import ChangeSong, SeparationSettings
from bridge.web.service.responses import JobBody, SongBody, SongPage
from bridge.web.service.songs import find_songs, fold_words, newest_jobs
from bridge.web.service.songs_view import etag, job_body, song_body
from bridge.web.service.tables import Job, Song

router = APIRouter(prefix="/songs", tags=["songs"])


@router.get("", operation_id="listSongs")
def list_songs(
    service: ServiceOf,
    caller: KnownCaller,
    q: Annotated[
        str, Query(max_length=200, description="words that title, artist, album or file name must contain")
    ] = "",
    state: Literal["", "waiting", "working", "ready", "failed", "cancelled"] = "",
    sort: Annotated[str, Query(description="created, title, artist or seconds; descending with -")] = "-created",
    cursor: Annotated[str, Query(max_length=500, description="`next` of the previous page")] = "",
    *,
    trash: bool = False,
) -> SongPage:
    """List songs, fifty a page."""
    with service.database.read() as session:
        songs, following = find_songs(
            session, caller.user.id, words=q, state=state, sort=sort, cursor=cursor, trash=trash
        )
        jobs = newest_jobs(session, songs)
        bodies = [_body(session, song, jobs) for song in songs]
        return SongPage(songs=bodies, next=following, storage=storage_of(service, session, caller.user))


@router.get("/{song_id}", operation_id="readSong")
def read_song(service: ServiceOf, song_id: str, caller: KnownCaller, response: Response) -> SongBody:
    """Return a song."""
    with service.database.read() as session:
        song = own_song(session, caller, song_id, deleted=True)
        response.headers["ETag"] = etag(song)
        return _body(session, song, newest_jobs(session, [song]))


@router.patch("/{song_id}", operation_id="changeSong")
def change_song(
    service: ServiceOf,
    song_id: str,
    body: ChangeSong,
    caller: KnownCaller,
    response: Response,
    if_match: Annotated[str | None, Header()] = None,
) -> SongBody:
    """Change title, artist or album, or restore a song from the trash, with the work that deleting it cancelled."""
    with service.database.write() as session:
        song = own_song(session, caller, song_id, deleted=True)
        if if_match is not None and if_match != etag(song):
            raise Problem(
                412, "changed-meanwhile", "The song was changed meanwhile.", "Read it again, then change it."
            )
        for name, value in body.model_dump(exclude_none=True, exclude={"deleted"}).items():
            setattr(song, name, value)
        if body.deleted is False and song.deleted is not None:
            queue.resume(service, session, song, song.deleted)
            song.deleted = None
        song.words = fold_words(song.title, song.artist, song.album, song.file_name)
        song.version += 1
        response.headers["ETag"] = etag(song)
        found = _body(session, song, newest_jobs(session, [song]))
        publish(service, session, song.user_id, "song", found.model_dump())
        return found


@router.delete("/{song_id}", operation_id="deleteSong", status_code=204)
def delete_song(service: ServiceOf, song_id: str, caller: KnownCaller, *, forever: bool = False) -> None:
    """Move a song to the trash, where it stays a week, or delete it for ever; work on it is cancelled."""
    with service.database.write() as session:
        song = own_song(session, caller, song_id, deleted=True)
        deleted = song.deleted or service.clock()  # before the cancels, which `queue.resume` compares with it
        queue.cancel_all(service, session, song.id)
        if forever:
            song.state = "deleting"
        else:
            song.deleted = deleted
            song.version += 1
        publish(service, session, song.user_id, "song.gone", {"id": song.id, "forever": forever})
    if forever:
        purge_deleted(service)


@router.post("/{song_id}/jobs", operation_id="separateSong", status_code=202)
def separate_song(service: ServiceOf, song_id: str, body: SeparationSettings, caller: KnownCaller) -> JobBody:
    """Separate a song, again or with another model; the current stems stay until the new ones are complete."""
    settings = check_settings(service.config, body)
    with service.database.write() as session:
        song = own_song(session, caller, song_id)
        job = queue.enqueue(service, session, song, "separate", settings.model_dump())
        return job_body(job, queue_events.position(session, job))


def _body(session: Session, song: Song, jobs: dict[str, Job]) -> SongBody:
    job = jobs.get(song.id)
    return song_body(song, job, queue_events.position(session, job) if job else None)
