"""Uploads: their space is reserved first, and bytes count once they are flushed to the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from bridge.web.problems import Problem, not_found
from bridge.web.service import events
from bridge.web.service.accounts_view import storage_of
from bridge.web.service.catalog import check_settings
from bridge.web.service.crash import crash_point
from bridge.web.service.disk import require_disk
from bridge.web.service.files import remove, sync
from bridge.web.service.queue import check_queue
from bridge.web.service.tables import Song, Upload, User, new_id

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service
    from bridge.web.service.requests import NewUpload

MAX_NAME = 200


@dataclass(frozen=True)
class Received:
    """The state of an upload after some bytes.

    Attributes:
        upload: as it was before it became a song, with the new offset.
        song: its song, once it is complete.
    """

    upload: Upload
    song: Song | None


def begin_upload(service: Service, user: User, new: NewUpload, key: str | None) -> Received:
    """Reserve the space for a file and return its upload; the same key returns the same upload.

    Args:
        service: the service.
        user: the account.
        new: name, size and settings.
        key: the idempotency key, or None.

    Raises:
        Problem: it is too large, the account or the disk is full, too many uploads run at once, or the key belongs to
            another file.
    """
    settings = check_settings(service.config, new.settings)
    with service.database.write() as session:
        user = session.scalars(select(User).where(User.id == user.id).with_for_update()).one()
        found = _find_by_key(session, user, key)
        if found is not None:
            if found.song is None and found.upload.size != new.size:
                hint = "Choose another Idempotency-Key."
                raise Problem(409, "key-in-use", "This key belongs to an upload of another size.", hint)
            return found
        _check_room(service, session, user, new.size)
        now = service.clock()
        upload = Upload(
            id=new_id(),
            user_id=user.id,
            name=clean_name(new.name),
            size=new.size,
            offset=0,
            key=key,
            settings=settings.model_dump(),
            created=now,
            changed=now,
        )
        session.add(upload)
        service.data.part(upload.id).touch(mode=0o600)  # there before its row is
        _publish_quota(service, session, user)
    return Received(upload, None)


def find_upload(service: Service, user_id: str, upload_id: str) -> Received:
    """Return an upload, or its song.

    Args:
        service: the service.
        user_id: id of the account.
        upload_id: id of the upload.

    Raises:
        Problem: the account has none with that id.
    """
    with service.database.read() as session:
        upload = session.get(Upload, upload_id)
        if upload is not None and upload.user_id == user_id:
            return Received(upload, None)
        song = session.get(Song, upload_id)
        if song is None or song.user_id != user_id or song.state == "deleting":
            raise not_found("upload")
        return Received(_as_upload(song), song)


def advance(service: Service, upload: Upload, offset: int) -> None:
    """Store how many bytes were received and flushed to disk.

    Args:
        service: the service.
        upload: the upload.
        offset: bytes on the disk.

    Raises:
        Problem: another request wrote meanwhile, or the upload was cancelled.
    """
    crash_point("after_write")
    sync(service.data.part(upload.id))
    crash_point("after_fsync")
    with service.database.write() as session:
        row = session.scalar(select(Upload).where(Upload.id == upload.id).with_for_update())
        if row is None:
            raise not_found("upload")
        if row.offset != upload.offset:
            raise wrong_offset(row.offset)
        row.offset, row.changed = offset, service.clock()


def cancel_upload(service: Service, upload: Upload) -> None:
    """Delete an upload with its bytes.

    Args:
        service: the service.
        upload: the upload.
    """
    with service.database.write() as session:
        row = session.get(Upload, upload.id)
        if row is not None:
            session.delete(row)
            session.flush()
            _publish_quota(service, session, session.get_one(User, upload.user_id))
    if row is not None:
        remove(service.data.part(upload.id))
        remove(service.data.song(upload.id))


def rewind(service: Service, upload: Upload) -> None:
    """Set an upload back to its first byte: a client sends the whole file again.

    Args:
        service: the service.
        upload: the upload.

    Raises:
        Problem: another request wrote meanwhile, or it became a song, or was cancelled.
    """
    with service.database.write() as session:
        row = unchanged_row(session, upload)
        row.offset, row.changed = 0, service.clock()
    upload.offset = 0


def unchanged_row(session: Session, upload: Upload) -> Upload:
    """Return the row of an upload if its offset is unchanged.

    Args:
        session: the database session.
        upload: as it was.

    Raises:
        Problem: another request wrote meanwhile, or it became a song, or was cancelled.
    """
    row = session.get(Upload, upload.id)
    if row is None or row.offset != upload.offset:
        raise wrong_offset(upload.size if row is None else row.offset)
    return row


def wrong_offset(offset: int) -> Problem:
    """Return the problem for bytes at another offset than the upload's."""
    return Problem(
        409,
        "wrong-offset",
        f"This upload continues at byte {offset}.",
        "Read the offset with HEAD, and send from there.",
        headers={"Upload-Offset": str(offset)},
    )


def too_large(limit: int) -> Problem:
    """Return the problem for a file that is too large."""
    return Problem(413, "too-large", f"A file may have {size_text(limit)} on this server.")


def size_text(size: int) -> str:
    """Return a number of bytes as text for users.

    >>> size_text(5_000_000_000), size_text(200_000_000), size_text(1)
    ('5 GB', '200 MB', '1 kB')
    """
    unit, name = next(((unit, name) for unit, name in ((10**9, "GB"), (10**6, "MB")) if size >= unit), (1000, "kB"))
    return f"{max(1.0, round(size / unit, 1)):g} {name}"


def clean_name(name: str) -> str:
    r"""Return the last part of a file name without confusing characters, for display only.

    >>> clean_name("C:\\music\\song.mp3"), clean_name("../../etc/passwd")
    ('song.mp3', 'passwd')
    """
    last = PurePosixPath(PureWindowsPath(name).name).name
    shown = "".join(letter for letter in last if letter.isprintable()).strip()
    return shown[-MAX_NAME:] or "song"


def _find_by_key(session: Session, user: User, key: str | None) -> Received | None:
    if key is None:
        return None
    upload = session.scalar(select(Upload).where(Upload.user_id == user.id, Upload.key == key))
    if upload is not None:
        return Received(upload, None)
    song = session.scalar(select(Song).where(Song.user_id == user.id, Song.key == key))
    return Received(_as_upload(song), song) if song is not None else None


def _check_room(service: Service, session: Session, user: User, size: int) -> None:
    limits = service.limits(session)
    if size > limits.max_upload_bytes:
        raise too_large(limits.max_upload_bytes)
    coming = session.scalar(select(func.count()).where(Upload.user_id == user.id)) or 0
    if coming >= limits.max_uploads:
        detail, hint = f"{coming} uploads are not finished yet.", "Let one end, or cancel it."
        raise Problem(429, "too-many-uploads", detail, hint, headers={"Retry-After": "10"})
    check_queue(service, session, user.id, coming)
    storage = storage_of(service, session, user)
    if storage.used + size > storage.limit:
        room = size_text(storage.limit)
        full = f"Your {room} are full." if storage.used else f"You have {room}."
        raise Problem(413, "quota-full", full, "Delete songs, or ask the owner of this server for more.")
    require_disk(service, size)


def _as_upload(song: Song) -> Upload:
    return Upload(
        id=song.id, user_id=song.user_id, name=song.file_name, size=song.bytes, offset=song.bytes, settings={}
    )


def _publish_quota(service: Service, session: Session, user: User) -> None:
    session.flush()
    events.publish(service, session, user.id, "quota", storage_of(service, session, user).model_dump())
