"""Reconciles disk and database after a crash, and does housekeeping: trash, old mixes, old rows."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from bridge.web.problems import Problem
from bridge.web.service import events
from bridge.web.service.claims import requeue_expired
from bridge.web.service.completion import complete
from bridge.web.service.files import STEMS_PREFIX, kept_bytes, missing_files, remove
from bridge.web.service.queue import ACTIVE
from bridge.web.service.sessions import IDLE_SECONDS, MAX_SECONDS
from bridge.web.service.tables import CLOSED, Invitation, Job, LoginSession, Song, Upload, User, Worker
from bridge.web.service.uploads import cancel_upload

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.web.service.context import Service

UNKNOWN_SECONDS = 86400.0
"""Age at which a file without a row is removed: its row may be about to be written."""

MIX_SECONDS = 86400.0
UPLOAD_SECONDS = 3 * 86400.0


@dataclass
class Findings:
    """The repairs, made or due.

    Attributes:
        completed: uploads with all bytes, which became songs.
        failed: songs whose files are missing.
        removed: files and folders without a row.
        recounted: songs whose stored size was wrong.
    """

    completed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    recounted: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return a line for each."""
        return [
            *(f"upload {upload} is complete and becomes a song" for upload in self.completed),
            *(f"song {song} has lost its files" for song in self.failed),
            *(f"song {song} has another size than in its owner's quota" for song in self.recounted),
            *(f"{path} belongs to nothing and is removed" for path in self.removed),
        ]


def reconcile(service: Service, *, dry_run: bool = False) -> Findings:
    """Complete received uploads, fail songs without files, remove files without rows; safe while others write.

    Args:
        service: the service.
        dry_run: report only.
    """
    found = Findings()
    _complete_uploads(service, found, dry_run=dry_run)
    _fail_without_files(service, found, dry_run=dry_run)
    _remove_unknown(service, found, dry_run=dry_run)
    _recount(service, found, dry_run=dry_run)
    if not dry_run:
        with service.database.write() as session:
            requeue_expired(service, session)
        purge_deleted(service)
    return found


def housekeep(service: Service) -> None:
    """Do the housekeeping: empty the trash, end sessions, uploads and links, delete old mixes, copies and events."""
    now = service.clock()
    with service.database.write() as session:
        days = service.limits(session).trash_days
        for song in session.scalars(select(Song).where(Song.deleted < now - days * 86400)):
            song.state = "deleting"
        session.execute(delete(LoginSession).where(LoginSession.used < now - IDLE_SECONDS))
        session.execute(delete(LoginSession).where(LoginSession.created < now - MAX_SECONDS))
        session.execute(delete(Invitation).where(Invitation.expires < now))
        session.execute(delete(Worker).where(Worker.seen < service.database.now(session) - UNKNOWN_SECONDS))
        old = list(session.scalars(select(Upload).where(Upload.changed < now - UPLOAD_SECONDS)))
        mixes = session.scalars(select(Job).where(Job.kind == "mix", Job.ended < now - MIX_SECONDS, Job.result != ""))
        for job in mixes:
            remove(service.data.mix(job.song_id, job.result))
            job.result = ""
        events.prune(service, session)
    for upload in old:
        cancel_upload(service, upload)
    _remove_unknown(service, Findings(), dry_run=False)
    purge_deleted(service)


def purge_deleted(service: Service) -> None:
    """Remove the files, then the rows, of songs to be deleted, then closed accounts."""
    with service.database.read() as session:
        going = list(session.scalars(select(Song.id).where(Song.state == "deleting")))
    for song_id in going:
        remove(service.data.song(song_id))
        with service.database.write() as session:
            song = session.get(Song, song_id)
            if song is not None:
                session.delete(song)
    with service.database.write() as session:
        for user in session.scalars(select(User).where(User.password_hash == CLOSED)).all():
            if session.scalar(select(Song.id).where(Song.user_id == user.id).limit(1)) is None:
                session.delete(user)


def _complete_uploads(service: Service, found: Findings, *, dry_run: bool) -> None:
    with service.database.read() as session:
        whole = list(session.scalars(select(Upload.id).where(Upload.offset == Upload.size)))
    for upload_id in whole:
        found.completed.append(upload_id)
        if not dry_run:
            with suppress(Problem):  # not a song; it was deleted
                complete(service, upload_id)


def _fail_without_files(service: Service, found: Findings, *, dry_run: bool) -> None:
    alive = select(Song).where(Song.state.not_in(("deleting", "failed")))
    with service.database.read() as session:
        songs = list(session.scalars(alive))
    for song in songs:
        if missing_files(service.data, song.id, song.job_id) is None:
            continue
        found.failed.append(song.id)
        if not dry_run:
            with service.database.write() as session:
                row = session.scalar(alive.where(Song.id == song.id).with_for_update())
                if row is not None and (error := missing_files(service.data, row.id, row.job_id)):
                    # still so, as other stems may have replaced those that were listed
                    row.state, row.error = "failed", error
                    row.job_id, row.bytes = None, kept_bytes(service.data.song(row.id))


def _remove_unknown(service: Service, found: Findings, *, dry_run: bool) -> None:
    with service.database.read() as session:
        uploads = set(session.scalars(select(Upload.id)))
        songs = set(session.scalars(select(Song.id)))
        kept = set(session.scalars(select(Song.job_id)))
        mixes = set(session.scalars(select(Job.result).where(Job.result != "")))
        running = set(session.scalars(select(Job.id).where(Job.state.in_(ACTIVE))))
    unknown = [path for path in service.data.incoming.iterdir() if path.stem not in uploads]
    unknown += [path for path in service.data.songs.iterdir() if path.name not in songs | uploads]
    unknown += [path for path in service.data.work.iterdir() if path.name.partition("-")[0] not in running]
    unknown += [
        path
        for path in service.data.songs.glob(f"*/{STEMS_PREFIX}*")
        if path.name.removeprefix(STEMS_PREFIX) not in kept | running
    ]
    unknown += [path for name, path in service.data.mixes() if name not in mixes]
    for path in unknown:
        if _age(path) > UNKNOWN_SECONDS:
            found.removed.append(path)
            if not dry_run:
                remove(path)


def _recount(service: Service, found: Findings, *, dry_run: bool) -> None:
    """Update the stored size of songs without a running job from their files."""
    active = select(Job.song_id).where(Job.state.in_(ACTIVE))
    with service.database.read() as session:
        songs = list(session.scalars(select(Song).where(Song.state != "deleting", Song.id.not_in(active))))
    for song in songs:
        size = kept_bytes(service.data.song(song.id))
        if size == song.bytes:
            continue
        found.recounted.append(song.id)
        if not dry_run:
            with service.database.write() as session:
                session.execute(update(Song).where(Song.id == song.id, Song.bytes == song.bytes).values(bytes=size))


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
