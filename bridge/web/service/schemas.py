"""The JSON of the API: validation of requests, description of responses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(max_length=100, examples=["ada"])]
Password = Annotated[str, Field(max_length=1000, examples=["three random words"])]
Secret = Annotated[str, Field(max_length=200)]
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""One line of text, as for titles."""

MAX_INTEGER = 2**53 - 1
"""The largest integer that JavaScript counts to."""

MAX_SECONDS = 10**9


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ProblemBody(BaseModel):
    """An error, RFC 9457."""

    title: str
    status: int
    code: str = Field(description="for programs; never changes", examples=["not-found"])
    detail: str = Field(description="a message for people", examples=["There is no such song."])
    hint: str = Field("", description="what to try")


class LogIn(_Model):
    """Name and password."""

    name: Name
    password: Password


class SignUp(_Model):
    """A new account."""

    name: Name
    password: Password
    invitation: Secret = Field("", description="the key of an invitation link, where sign-up needs one")
    setup: Secret = Field("", description="the key of the set-up link: makes the first admin")


class Recover(_Model):
    """A new password, by a recovery code."""

    name: Name
    code: Secret = Field(examples=["abcd-efgh-jkmn-pqrs"])
    password: Password


class Reset(_Model):
    """A new password, by a reset link of the admin."""

    key: Secret
    password: Password


class ChangeMe(_Model):
    """Changes of one's own account; a new password needs the old one."""

    theme: Literal["system", "dark", "light"] | None = None
    password: Password | None = None
    current_password: Password = ""


class Confirm(_Model):
    """The password, to confirm what cannot be undone."""

    password: Password


class NewToken(_Model):
    """A token for programs."""

    name: Annotated[Line, Field(min_length=1, max_length=64, examples=["my script"])]
    scope: Literal["read", "write"] = "read"


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


class SeparationSettings(_Model):
    """How a song is separated."""

    model: Annotated[str, Field(max_length=200, description="of the server's models; its default unless given")] = ""
    stems: list[str] = Field(default_factory=list, max_length=16, description="all of the model unless given")
    shifts: Annotated[int, Field(ge=0, le=10, description="passes to average; more is better and slower")] = 1
    residual: Annotated[bool, Field(description="the stems add up to the song exactly")] = True


class NewUpload(_Model):
    """A file to be uploaded in pieces."""

    name: str = Field(max_length=1000, examples=["song.mp3"])
    size: int = Field(ge=1, le=MAX_INTEGER, description="bytes")
    settings: SeparationSettings = Field(default_factory=SeparationSettings)


class UploadBody(BaseModel):
    """A running upload; once complete there is a song with the same id."""

    id: str
    name: str
    size: int
    offset: int
    state: Literal["receiving", "received"]
    song: SongBody | None = None


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


class MoveJob(_Model):
    """A new place for a waiting job."""

    to: int = Field(ge=1, le=1_000_000, description="place among one's own waiting jobs of its kind; 1 is the next")


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


class SongPage(BaseModel):
    """A page of songs."""

    songs: list[SongBody]
    next: str | None = Field(description="cursor of the next page; null at the end")
    storage: Storage


class ChangeSong(_Model):
    """Changes of a song; `deleted` false restores it from the trash."""

    title: Annotated[Line, Field(min_length=1)] | None = None
    artist: Line | None = None
    album: Line | None = None
    deleted: Literal[False] | None = Field(None, description="false restores it from the trash")


class Strip(_Model):
    """Settings of one stem in a mix."""

    gain_db: Annotated[float, Field(ge=-90, le=10, description="-90 is silence")] = 0.0
    mute: bool = False
    solo: bool = False
    pan: Annotated[float, Field(ge=-1, le=1, description="-1 is left")] = 0.0


class NewMix(_Model):
    """A mix of the player; stems that are not named are at unity."""

    strips: dict[str, Strip] = Field(default_factory=dict, examples=[{"vocals": {"mute": True}}])
    master_db: float = Field(0.0, ge=-90, le=10)
    first_frame: int = Field(0, ge=0, le=MAX_INTEGER)
    end_frame: int | None = Field(
        None, ge=1, le=MAX_INTEGER, description="one past the last; the end of the song unless given"
    )
    format: Literal["wav", "flac", "mp3", "ogg"] = "flac"


class NewShare(_Model):
    """A link that plays a song."""

    days: int | None = Field(None, ge=1, le=3650, description="the server's usual unless given")
    download: bool = False


class NewInvitation(_Model):
    """An invitation to sign up."""

    note: Annotated[Line, Field(max_length=100, description="its recipient")] = ""
    days: int = Field(7, ge=1, le=365)


class LinkBody(BaseModel):
    """A link that works once; `path` is present only in the response that created it."""

    id: str
    kind: str
    note: str
    created: str
    expires: str
    path: str | None = None


class ChangeUser(_Model):
    """Changes of an account by the admin."""

    disabled: bool | None = None
    admin: bool | None = None
    quota_bytes: int | None = Field(None, ge=1, le=MAX_INTEGER)
    max_song_seconds: int | None = Field(None, ge=1, le=MAX_SECONDS)


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


UploadBody.model_rebuild()
