"""Invariants of folder and database once no work is left; crash and soak tests check them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from bridge.web.service.accounts_view import storage_of
from bridge.web.service.files import COVER, MIX_PREFIX, SOURCE, STEMS_PREFIX, UPLOADED, digest_of, kept_bytes
from bridge.web.service.queue import ACTIVE
from bridge.web.service.tables import Job, Song, StemFile, Upload, User

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service

_ENDED = frozenset({"ready", "failed", "cancelled"})


def find_violations(service: Service) -> list[str]:
    """Return a message for every inconsistency of folder and database, once no work is left.

    No job may be active or leased, every song has ended and has exactly its files, a failed one has an error message,
    nothing lacks an owner, and each account's storage is the size of its files.

    Args:
        service: the service; no worker runs.
    """
    with service.database.read() as session:
        return [*_jobs(session), *_songs(service, session), *_quotas(service, session), *_strays(service, session)]


def find_lost(service: Service, accepted: Mapping[str, str]) -> list[str]:
    """Return a message for every accepted song without its row, its bytes or its job.

    Args:
        service: the service.
        accepted: digest of the uploaded file (BLAKE2b, 32 bytes, as hex), by id of the song.
    """
    with service.database.read() as session:
        songs = {song.id: song for song in session.scalars(select(Song))}
        working = set(session.scalars(select(Job.song_id).where(Job.kind == "separate")))
    lost = [f"song {song_id} was accepted and is gone" for song_id in accepted if song_id not in songs]
    for song_id in accepted.keys() & songs.keys():
        if song_id not in working:
            lost.append(f"song {song_id} has no job")
        if _stored_digest(service, songs[song_id]) != accepted[song_id]:
            lost.append(f"song {song_id} has other bytes than were uploaded")
    return lost


def _stored_digest(service: Service, song: Song) -> str:
    """Return the digest of the uploaded file: computed while the file exists, else the stored one."""
    uploaded = service.data.song(song.id) / UPLOADED
    return digest_of(uploaded) if uploaded.is_file() else song.digest


def _jobs(session: Session) -> Iterator[str]:
    for job in session.scalars(select(Job)):
        if job.state in ACTIVE or job.worker or job.lease:
            yield f"job {job.id} is {job.state} with worker {job.worker} and lease {job.lease}"


def _songs(service: Service, session: Session) -> Iterator[str]:
    kept = set(session.scalars(select(StemFile.job_id)))
    songs = list(session.scalars(select(Song)))
    for song in songs:
        if song.state not in _ENDED or (song.state == "failed") != bool(song.error):
            yield f"song {song.id} is {song.state}, {song.error!r}"
        yield from _files(service, song)
        if (size := kept_bytes(service.data.song(song.id))) != song.bytes:
            yield f"song {song.id} counts {song.bytes} bytes and has {size}"
    if kept != {song.job_id for song in songs if song.job_id}:
        yield "the table of stems differs from the songs"


def _files(service: Service, song: Song) -> Iterator[str]:
    """Check a song's folder: a ready one has source and stems, others a file to separate."""
    folder = service.data.song(song.id)
    names = {path.name for path in folder.glob("*") if not path.name.startswith(MIX_PREFIX)}
    if song.cover or SOURCE not in names:  # a cover is stored just before the source
        names ^= {COVER} if song.cover else names & {COVER}
    if song.state == "ready":
        right = names == {SOURCE, f"{STEMS_PREFIX}{song.job_id}"}
    else:
        right = names in ({UPLOADED}, {SOURCE}, {UPLOADED, SOURCE})
    if not right:
        yield f"song {song.id} is {song.state} and has {sorted(names)}"


def _quotas(service: Service, session: Session) -> Iterator[str]:
    for user in session.scalars(select(User)):
        songs = session.scalars(select(Song.id).where(Song.user_id == user.id)).all()
        size = sum(kept_bytes(service.data.song(song_id)) for song_id in songs)
        size += sum(session.scalars(select(Upload.size).where(Upload.user_id == user.id)))
        if (used := storage_of(service, session, user).used) != size:
            yield f"account {user.id} counts {used} bytes and has {size}"


def _strays(service: Service, session: Session) -> Iterator[str]:
    uploads, songs = set(session.scalars(select(Upload.id))), set(session.scalars(select(Song.id)))
    mixes = set(session.scalars(select(Job.result).where(Job.result != "")))
    strays = list(service.data.work.iterdir())
    strays += [path for path in service.data.incoming.iterdir() if path.stem not in uploads]
    strays += [path for path in service.data.songs.iterdir() if path.name not in songs]
    strays += [path for name, path in service.data.mixes() if name not in mixes]
    yield from (f"{path} belongs to nothing" for path in strays)
