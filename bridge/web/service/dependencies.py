"""Dependencies of the routes: the service, the caller, the caller's own rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, overload

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.requests import HTTPConnection

from bridge.web.problems import Problem, not_found
from bridge.web.security import SAFE_METHODS
from bridge.web.service.context import Service
from bridge.web.service.sessions import COOKIE, Caller, identify
from bridge.web.service.tables import Song

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


TOKEN = HTTPBearer(scheme_name="token", description="an API token, `sst_...`", auto_error=False)
SESSION = APIKeyCookie(
    name=COOKIE,
    scheme_name="session",
    description="set by `POST /session`; `__Host-` precedes it under HTTPS",
    auto_error=False,
)
"""Only described by FastAPI; `identify` reads both."""


def describe_schemes(
    _token: Annotated[object, Security(TOKEN)] = None, _session: Annotated[object, Security(SESSION)] = None
) -> None:
    """Have the description of an operation name both ways to log in."""


AnyScheme = Annotated[None, Depends(describe_schemes)]


def service_of(connection: HTTPConnection) -> Service:
    """Return the service of an application."""
    service: Service = connection.app.state.service
    return service


def optional_caller(request: Request) -> Caller | None:
    """Return the caller, or None if nobody is logged in."""
    return identify(service_of(request), request.headers, request.cookies)


def require_caller(request: Request, _schemes: AnyScheme = None) -> Caller:
    """Return the caller.

    Raises:
        Problem: nobody is logged in, or a read-only token was used for a change.
    """
    caller = optional_caller(request)
    if caller is None:
        raise Problem(
            401, "log-in", "Log in first.", "Programs send an API token.", headers={"WWW-Authenticate": "Bearer"}
        )
    if request.method not in SAFE_METHODS and not caller.may_write:
        raise Problem(403, "read-only", "This token is read-only.", "Make one with the scope write.")
    return caller


def require_browser(request: Request, _session: Annotated[object, Security(SESSION)] = None) -> Caller:
    """Return the caller, for requests that only a logged-in browser may make, such as creating tokens.

    Raises:
        Problem: nobody is logged in, or the caller is a program.
    """
    caller = require_caller(request)
    if not caller.session_id:
        raise Problem(403, "browser-only", "Tokens cannot do this.", "Log in with a browser.")
    return caller


def require_admin(request: Request, _schemes: AnyScheme = None) -> Caller:
    """Return the caller, for requests that only the admin may make; others get 404.

    Raises:
        Problem: the caller is not an admin, or a read-only token.
    """
    caller = require_caller(request)
    if not caller.user.admin:
        raise not_found()
    return caller


ServiceOf = Annotated[Service, Depends(service_of)]
AnyCaller = Annotated[Caller | None, Depends(optional_caller)]
KnownCaller = Annotated[Caller, Depends(require_caller)]
BrowserCaller = Annotated[Caller, Depends(require_browser)]
AdminCaller = Annotated[Caller, Depends(require_admin)]


def address_of(connection: HTTPConnection) -> str:
    """Return the client's address; a forwarded one only if uvicorn is configured to trust the proxy."""
    return connection.client.host if connection.client else ""


def own_song(session: Session, caller: Caller, song_id: str, *, deleted: bool = False) -> Song:
    """Return a song of the caller.

    Args:
        session: the database session.
        caller: the caller.
        song_id: id of the song.
        deleted: whether songs in the trash count.

    Raises:
        Problem: there is none with that id in the caller's library.
    """
    song = session.get(Song, song_id)
    gone = song is None or song.user_id != caller.user.id or song.state == "deleting"
    if song is None or gone or (song.deleted is not None and not deleted):
        raise not_found("song")
    return song


@overload
def iso(seconds: float) -> str: ...
@overload
def iso(seconds: float | None) -> str | None: ...
def iso(seconds: float | None) -> str | None:
    """Return a time as RFC 3339.

    >>> iso(0.25)
    '1970-01-01T00:00:00.250Z'
    """
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
