"""Turns a received upload into a song with its job, which are committed together once the file is in its place."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sqlalchemy import select

from bridge.web.problems import Problem, not_found
from bridge.web.service.accounts_view import max_seconds_of
from bridge.web.service.crash import crash_point
from bridge.web.service.files import UPLOADED, move_into_place, remove
from bridge.web.service.queue import enqueue
from bridge.web.service.requests import SeparationSettings
from bridge.web.service.sandbox import probe_song
from bridge.web.service.songs import fold_words
from bridge.web.service.tables import Song, Upload, User
from bridge.web.service.uploads import MAX_NAME, cancel_upload

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service
    from bridge.web.service.sandbox import ProbedSong


def complete(service: Service, upload_id: str) -> Song:
    """Turn a complete upload into a song that waits to be separated.

    It can be repeated after a crash at any point: the file is moved once, and there is one commit.

    Args:
        service: the service.
        upload_id: id of the upload.

    Raises:
        Problem: it cannot be read, or it is too long; the upload is then deleted. Or it was cancelled meanwhile.
    """
    with service.database.read() as session:
        upload = session.get(Upload, upload_id)
        if upload is None:
            return _completed_song(session, upload_id)
        limit = max_seconds_of(service, session, session.get_one(User, upload.user_id))
    source, target = service.data.part(upload.id), service.data.song(upload.id) / UPLOADED
    try:
        probed = _probe(service, source, target, limit)
    except Problem:
        cancel_upload(service, upload)
        raise
    move_into_place(source, target)
    crash_point("after_rename")
    with service.database.write() as session:
        row = session.scalar(select(Upload).where(Upload.id == upload.id).with_for_update())
        if row is None:
            if session.get(Song, upload.id) is None:
                remove(service.data.song(upload.id))
            return _completed_song(session, upload.id)
        song = _song_of(service, row, probed)
        session.delete(row)
        session.add(song)
        session.flush()
        enqueue(service, session, song, "separate", row.settings)
        crash_point("before_commit")
    crash_point("after_commit")
    return song


def _completed_song(session: Session, upload_id: str) -> Song:
    """Return the song that another request or process made of an upload, unless it was cancelled or deleted since."""
    song = session.get(Song, upload_id)
    if song is None:
        raise not_found("upload")
    return song


def _probe(service: Service, source: Path, target: Path, limit: float) -> ProbedSong:
    """Read an upload where it is; another process that completes it may move it from source to target meanwhile."""
    path = source if source.exists() else target
    try:
        return probe_song(path, limit, service.data.empty)
    except Problem:
        if path == source and not source.exists() and target.exists():
            return probe_song(target, limit, service.data.empty)
        raise


def _song_of(service: Service, upload: Upload, probed: ProbedSong) -> Song:
    title = probed.title or PurePosixPath(upload.name).stem or upload.name
    return Song(
        id=upload.id,
        user_id=upload.user_id,
        key=upload.key,
        title=title[:MAX_NAME],
        artist=probed.artist[:MAX_NAME],
        album=probed.album[:MAX_NAME],
        file_name=upload.name,
        words=fold_words(title, probed.artist, probed.album, upload.name),
        state="waiting",
        bytes=upload.size,
        seconds=probed.seconds,
        stems=[],
        model=SeparationSettings(**upload.settings).model,
        created=service.clock(),
    )
