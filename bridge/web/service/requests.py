"""The JSON of requests to the API, which is validated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(max_length=100, examples=["ada"])]
Password = Annotated[str, Field(max_length=1000, examples=["three random words"])]
Secret = Annotated[str, Field(max_length=200)]
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""One line of text, as for titles."""

MAX_INTEGER = 2**53 - 1
"""The largest integer that JavaScript counts to."""

MAX_SECONDS = 10**9


class _Request(BaseModel):
    """A request; a field that is not named here is refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class LogIn(_Request):
    """Name and password."""

    name: Name
    password: Password


class SignUp(_Request):
    """A new account."""

    name: Name
    password: Password
    invitation: Secret = Field("", description="the key of an invitation link, where sign-up needs one")
    setup: Secret = Field("", description="the key of the set-up link: makes the first admin")


class Recover(_Request):
    """A new password, by a recovery code."""

    name: Name
    code: Secret = Field(examples=["abcd-efgh-jkmn-pqrs"])
    password: Password


class Reset(_Request):
    """A new password, by a reset link of the admin."""

    key: Secret
    password: Password


class ChangeMe(_Request):
    """Changes of one's own account; a new password needs the old one."""

    theme: Literal["system", "dark", "light"] | None = None
    password: Password | None = None
    current_password: Password = ""


class Confirm(_Request):
    """The password, to confirm what cannot be undone."""

    password: Password


class NewToken(_Request):
    """A token for programs."""

    name: Annotated[Line, Field(min_length=1, max_length=64, examples=["my script"])]
    scope: Literal["read", "write"] = "read"


class SeparationSettings(_Request):
    """How a song is separated."""

    model: Annotated[str, Field(max_length=200, description="of the server's models; its default unless given")] = ""
    stems: list[str] = Field(default_factory=list, max_length=16, description="all of the model unless given")
    shifts: Annotated[int, Field(ge=0, le=10, description="passes to average; more is better and slower")] = 1
    residual: Annotated[bool, Field(description="the stems add up to the song exactly")] = True


class NewUpload(_Request):
    """A file to be uploaded in pieces."""

    name: str = Field(max_length=1000, examples=["song.mp3"])
    size: int = Field(ge=1, le=MAX_INTEGER, description="bytes")
    settings: SeparationSettings = Field(default_factory=SeparationSettings)


class MoveJob(_Request):
    """A new place for a waiting job."""

    to: int = Field(ge=1, le=1_000_000, description="place among one's own waiting jobs of its kind; 1 is the next")


class ChangeSong(_Request):
    """Changes of a song; `deleted` false restores it from the trash."""

    title: Annotated[Line, Field(min_length=1)] | None = None
    artist: Line | None = None
    album: Line | None = None
    deleted: Literal[False] | None = Field(None, description="false restores it from the trash")


class Strip(_Request):
    """Settings of one stem in a mix."""

    gain_db: Annotated[float, Field(ge=-90, le=10, description="-90 is silence")] = 0.0
    mute: bool = False
    solo: bool = False
    pan: Annotated[float, Field(ge=-1, le=1, description="-1 is left")] = 0.0


class NewMix(_Request):
    """A mix of the player; stems that are not named are at unity."""

    strips: dict[str, Strip] = Field(default_factory=dict, examples=[{"vocals": {"mute": True}}])
    master_db: float = Field(0.0, ge=-90, le=10)
    first_frame: int = Field(0, ge=0, le=MAX_INTEGER)
    end_frame: int | None = Field(
        None, ge=1, le=MAX_INTEGER, description="one past the last; the end of the song unless given"
    )
    format: Literal["wav", "flac", "mp3", "ogg"] = "flac"


class NewShare(_Request):
    """A link that plays a song."""

    days: int | None = Field(None, ge=1, le=3650, description="the server's usual unless given")
    download: bool = False


class NewInvitation(_Request):
    """An invitation to sign up."""

    note: Annotated[Line, Field(max_length=100, description="its recipient")] = ""
    days: int = Field(7, ge=1, le=365)


class ChangeUser(_Request):
    """Changes of an account by the admin."""

    disabled: bool | None = None
    admin: bool | None = None
    quota_bytes: int | None = Field(None, ge=1, le=MAX_INTEGER)
    max_song_seconds: int | None = Field(None, ge=1, le=MAX_SECONDS)
