"""The JSON of responses of the API."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class ProblemBody(BaseModel):
    """An error, RFC 9457."""

    title: str
    status: int
    code: str = Field(description="for programs; never changes", examples=["not-found"])
    detail: str = Field(description="a message for people", examples=["There is no such song."])
    hint: str = Field("", description="what to try")


class Storage(BaseModel):
    """An account's used storage."""

    used: int = Field(description="bytes, including running uploads")
    limit: int = Field(description="bytes")


class UserBody(BaseModel):
    """An account, for its owner."""

    id: str
    name: str
    admin: bool
    created: str
    theme: str
    storage: Storage
    max_song_seconds: int
    recovery_codes_left: int


class Welcome(BaseModel):
    """A new account, with its recovery codes, which are shown only once."""

    user: UserBody
    recovery_codes: list[str]


class RecoveryCodes(BaseModel):
    """New recovery codes, shown only once."""

    recovery_codes: list[str]


class SessionBody(BaseModel):
    """A browser that is logged in."""

    id: str
    agent: str
    address: str
    created: str
    used: str
    current: bool


class TokenBody(BaseModel):
    """A token for programs; `secret` is present only in the response that created it."""

    id: str
    name: str
    scope: str
    created: str
    used: str | None
    secret: str | None = None


class ModelBody(BaseModel):
    """A model that songs can be separated with."""

    name: str = Field(examples=["causal-22ms"])
    title: str
    stems: list[str]
    description: str
    speed: float | None = Field(
        description="seconds of music per second, measured on this server; null before the first"
    )
    passes: bool = Field(description="whether `shifts` changes the result")
    available: bool
    reason: str = Field("", description="why it is not available, and what to do")


class ServerBody(BaseModel):
    """Public information on a server."""

    name: str
    version: str
    sign_up: str = Field(description="open, invite (with an invitation) or closed (nobody)")
    needs_setup: bool
    min_password: int
    max_upload_bytes: int
    max_song_seconds: int
    trash_days: int = Field(description="until a deleted song is gone")
    default_model: str
    models: list[ModelBody]
    formats: list[str]
    demo: bool = Field(description="whether /shares/demo plays")
    logged_in: bool


class JobBody(BaseModel):
    """Work on a song."""

    id: str
    song_id: str
    kind: Literal["separate", "mix"]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    stage: str = Field(description="read, separate or pack; empty before")
    share: float = Field(description="of the whole work, 0 to 1")
    position: int | None = Field(description="1 is the next; null unless it waits")
    seconds_left: float | None
    frames_ready: int = Field(description="frames of the stems that can be played so far")
    error: str
    created: str
    started: str | None
    ended: str | None
    download: str | None = Field(None, description="of a mix that is done: the path of its file")


class ShareBody(BaseModel):
    """A link that plays a song; `key` is present only in the response that created it."""

    id: str
    download: bool
    visits: int = Field(description="times that it was opened, an address once an hour")
    created: str
    expires: str | None
    key: str | None = None
    path: str | None = Field(None, description="of the page, with the key in the fragment")


class SongBody(BaseModel):
    """A song in a library.

    A piece is `piece_frames` frames of all `stems`; piece ``n`` begins at frame ``n * piece_frames``.
    """

    id: str
    title: str
    artist: str
    album: str
    file_name: str
    state: Literal["waiting", "working", "ready", "failed", "cancelled"]
    error: str
    seconds: float
    sample_rate: int = Field(description="of the stems; 0 until it is known")
    frames: int = Field(description="of the stems; 0 until it is known")
    piece_frames: int
    stems_version: str = Field(
        description="changes with the stems; passed as `v`, it lets browsers keep pieces and pictures"
    )
    stems: list[str]
    model: str
    bytes: int
    cover: bool
    created: str
    deleted: str | None
    etag: str = Field(description="for If-Match")
    job: JobBody | None = Field(description="the newest separation")


class UploadBody(BaseModel):
    """A running upload; once complete there is a song with the same id."""

    id: str
    name: str
    size: int
    offset: int
    state: Literal["receiving", "received"]
    song: SongBody | None = None


class SongPage(BaseModel):
    """A page of songs."""

    songs: list[SongBody]
    next: str | None = Field(description="cursor of the next page; null at the end")
    storage: Storage


class LinkBody(BaseModel):
    """A link that works once; `path` is present only in the response that created it."""

    id: str
    kind: str
    note: str
    created: str
    expires: str
    path: str | None = None


class AdminUser(BaseModel):
    """An account, for the admin: no titles, no files."""

    id: str
    name: str
    admin: bool
    disabled: bool
    created: str
    last_login: str | None
    songs: int
    storage: Storage
    max_song_seconds: int


class WorkerBody(BaseModel):
    """A worker process."""

    id: str
    started: str
    seen: str
    busy: bool
    version: str


class QueueEntry(BaseModel):
    """A job, for the admin."""

    id: str
    user: str
    kind: str
    state: str
    stage: str
    share: float
    created: str
    error: str


class AdminOverview(BaseModel):
    """The state of the server."""

    users: int
    songs: int
    jobs: dict[str, int]
    workers: list[WorkerBody]
    warning: str = Field(description="a message if something is wrong; else empty")
    disk_free: int
    disk_songs: int
    queue: list[QueueEntry]
    settings: dict[str, Any]


class AuditBody(BaseModel):
    """An entry of the audit log."""

    id: int
    created: str
    actor: str
    action: str
    target: str
    address: str
