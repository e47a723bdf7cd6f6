"""The tables. Times are seconds since 1970, ids are random UUIDs as hex, secrets are stored as SHA-256 only."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ID = String(32)
_CASCADE = "CASCADE"

NO_PASSWORD = "none"  # noqa: S105 - no hash is this text: the demo's account, which nobody logs in to
CLOSED = "closed"
"""In place of the password's hash: the account was deleted, and is removed once its songs are."""

_Sequence = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys only


def new_id() -> str:
    """Return a random id."""
    return uuid.uuid4().hex


def _owner(table: str = "users", *, nullable: bool = False) -> Mapped[Any]:
    return mapped_column(ID, ForeignKey(f"{table}.id", ondelete=_CASCADE), index=True, nullable=nullable)


class Base(DeclarativeBase):
    """The metadata that Alembic compares the database with."""


class User(Base):
    """An account."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64))
    name_key: Mapped[str] = mapped_column(String(64), unique=True)  # case folded: names differ in more than case
    password_hash: Mapped[str] = mapped_column(String(200))
    admin: Mapped[bool] = mapped_column(default=False)
    disabled: Mapped[bool] = mapped_column(default=False)
    created: Mapped[float]
    last_login: Mapped[float | None]
    failures: Mapped[int] = mapped_column(default=0)  # log-ins with a wrong password since the last right one
    failed: Mapped[float] = mapped_column(default=0.0)
    quota_bytes: Mapped[int | None] = mapped_column(BigInteger)  # the server's where empty, as the next
    max_seconds: Mapped[int | None]
    theme: Mapped[str] = mapped_column(String(8), default="system")


class LoginSession(Base):
    """A browser that is logged in."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    user_id: Mapped[str] = _owner()
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[float]
    used: Mapped[float]
    agent: Mapped[str] = mapped_column(String(200), default="")
    address: Mapped[str] = mapped_column(String(64), default="")


class Token(Base):
    """A token of the API."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    user_id: Mapped[str] = _owner()
    name: Mapped[str] = mapped_column(String(64))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scope: Mapped[str] = mapped_column(String(8))  # read or write
    created: Mapped[float]
    used: Mapped[float | None]


class RecoveryCode(Base):
    """A recovery code for a forgotten password; each works once."""

    __tablename__ = "recovery_codes"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    user_id: Mapped[str] = _owner()
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)


class Invitation(Base):
    """A link that works once: to sign up, to set the server up, or to choose a new password."""

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(8))  # invite, setup or reset
    user_id: Mapped[str | None] = _owner(nullable=True)  # whose password a reset changes
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    note: Mapped[str] = mapped_column(String(100), default="")
    created: Mapped[float]
    expires: Mapped[float]


class Upload(Base):
    """A running upload; its song gets the same id."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    user_id: Mapped[str] = _owner()
    name: Mapped[str] = mapped_column(String(200))
    size: Mapped[int] = mapped_column(BigInteger)  # reserved in the quota from the start
    offset: Mapped[int] = mapped_column(BigInteger, default=0)
    key: Mapped[str | None] = mapped_column(String(100))
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)  # model and quality of the first separation
    created: Mapped[float]
    changed: Mapped[float]

    __table_args__ = (Index("uploads_key", "user_id", "key", unique=True),)


class Song(Base):
    """A song in a library."""

    __tablename__ = "songs"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    user_id: Mapped[str] = _owner()
    key: Mapped[str | None] = mapped_column(String(100))  # of the upload: the same key again is the same song
    title: Mapped[str] = mapped_column(String(200))
    artist: Mapped[str] = mapped_column(String(200), default="")
    album: Mapped[str] = mapped_column(String(200), default="")
    file_name: Mapped[str] = mapped_column(String(200))
    words: Mapped[str] = mapped_column(String(800), default="")  # case folded, for the search
    state: Mapped[str] = mapped_column(String(16))  # waiting, working, ready, failed, cancelled, deleting
    error: Mapped[str] = mapped_column(String(500), default="")
    bytes: Mapped[int] = mapped_column(BigInteger)  # on disk, source and stems
    digest: Mapped[str] = mapped_column(String(64), default="")  # BLAKE2b of the uploaded file
    seconds: Mapped[float] = mapped_column(default=0.0)
    sample_rate: Mapped[int] = mapped_column(default=0)  # of the stems
    frames: Mapped[int] = mapped_column(BigInteger, default=0)  # of the stems
    stems: Mapped[list[str]] = mapped_column(JSON, default=list)
    model: Mapped[str] = mapped_column(String(200), default="")
    job_id: Mapped[str | None] = mapped_column(ID)  # whose stems are shown
    cover: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=1)  # the ETag
    created: Mapped[float]
    deleted: Mapped[float | None]  # in the trash since then

    __table_args__ = (Index("songs_key", "user_id", "key", unique=True),)


class Job(Base):
    """Work on a song: a separation, or a mix of its stems."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    song_id: Mapped[str] = _owner("songs")
    user_id: Mapped[str] = _owner()
    kind: Mapped[str] = mapped_column(String(8))  # separate or mix
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    fingerprint: Mapped[str] = mapped_column(String(64))  # the same work again is the same job
    priority: Mapped[int] = mapped_column(default=10)  # lower goes first
    state: Mapped[str] = mapped_column(String(16), index=True)  # queued, running, done, failed, cancelled
    stage: Mapped[str] = mapped_column(String(16), default="")  # read, separate, pack
    share: Mapped[float] = mapped_column(default=0.0)
    seconds_left: Mapped[float | None]
    frames_ready: Mapped[int] = mapped_column(BigInteger, default=0)
    folder: Mapped[str] = mapped_column(String(200), default="")  # where the growing stems are, from the data folder
    error: Mapped[str] = mapped_column(String(500), default="")
    result: Mapped[str] = mapped_column(String(200), default="")  # of a mix: the file's name
    worker: Mapped[str | None] = mapped_column(String(100))
    attempt: Mapped[int] = mapped_column(default=0)
    tries: Mapped[int] = mapped_column(default=0)  # attempts in which the worker crashed
    lease: Mapped[float] = mapped_column(default=0.0)  # expiry of the worker's lease, by the database's time
    due: Mapped[float] = mapped_column(default=0.0)
    place: Mapped[float] = mapped_column(default=0.0, server_default="0")  # when it was created, unless moved
    cancel: Mapped[float | None]  # time of the request
    created: Mapped[float]
    started: Mapped[float | None]
    ended: Mapped[float | None]

    __table_args__ = (
        Index(
            "jobs_unique",
            "song_id",
            "fingerprint",
            unique=True,
            sqlite_where=text("state IN ('queued', 'running')"),
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        Index("jobs_queue", "state", "priority", "place"),
    )


class StemFile(Base):
    """A complete stem on disk."""

    __tablename__ = "stem_files"

    job_id: Mapped[str] = mapped_column(ID, ForeignKey("jobs.id", ondelete=_CASCADE), primary_key=True)
    stem: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int]
    bytes: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))


class Share(Base):
    """A link that plays a song without an account."""

    __tablename__ = "shares"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    song_id: Mapped[str] = _owner("songs")
    user_id: Mapped[str] = _owner()
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    download: Mapped[bool] = mapped_column(default=False)
    visits: Mapped[int] = mapped_column(default=0, server_default="0")
    created: Mapped[float]
    expires: Mapped[float | None]


class Worker(Base):
    """A worker process."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    started: Mapped[float]  # by the database's time, as the next
    seen: Mapped[float]
    job_id: Mapped[str | None] = mapped_column(ID)
    version: Mapped[str] = mapped_column(String(40), default="")


class Event(Base):
    """An event for open pages; kept for an hour."""

    __tablename__ = "events"

    seq: Mapped[int] = mapped_column(_Sequence, primary_key=True, autoincrement=True)
    user_id: Mapped[str] = mapped_column(ID)
    kind: Mapped[str] = mapped_column(String(24))
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    created: Mapped[float] = mapped_column(index=True)

    __table_args__ = ({"sqlite_autoincrement": True},)  # or numbers would be reused once rows are deleted


class AuditEntry(Base):
    """Who did what, to what, when, from where."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(_Sequence, primary_key=True, autoincrement=True)
    created: Mapped[float] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(40))
    target: Mapped[str] = mapped_column(String(100), default="")
    address: Mapped[str] = mapped_column(String(64), default="")


class Setting(Base):
    """A setting that the admin changed."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)
