"""Authentication of requests: a browser's cookie or a program's token, both random and stored as hashes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from bridge.web.service.passwords import hash_secret, new_secret
from bridge.web.service.tables import LoginSession, Token, User

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from starlette.datastructures import Headers

    from bridge.web.service.context import Service

IDLE_SECONDS = 14 * 86400
MAX_SECONDS = 90 * 86400
COOKIE = "stream_sep"
TOKEN_PREFIX = "sst_"  # noqa: S105 - so that leaked tokens are found by scanners
_TOUCH_SECONDS = 60.0  # how often the last use is stored


@dataclass(frozen=True)
class Caller:
    """The account behind a request.

    Attributes:
        user: the account.
        session_id: of the browser's session; empty for a token.
        token_id: of the token; empty for a browser.
        may_write: false for a read-only token.
    """

    user: User
    session_id: str = ""
    token_id: str = ""
    may_write: bool = True


def cookie_name(service: Service) -> str:
    """Return the cookie's name: with its prefix, browsers reject it without Secure, which plain HTTP cannot have."""
    return f"__Host-{COOKIE}" if service.config.https else COOKIE


def cookie(service: Service, value: str) -> dict[str, Any]:
    """Return the arguments for `Response.set_cookie`; without a value, those that delete it.

    Args:
        service: the service.
        value: the secret, or None.
    """
    return {
        "key": cookie_name(service),
        "value": value,
        "max_age": MAX_SECONDS if value else 0,
        "path": "/",
        "secure": service.config.https,
        "httponly": True,
        "samesite": "lax",
    }


def start_session(service: Service, session: Session, user: User, agent: str, address: str) -> str:
    """Log a browser in; return the secret for its cookie.

    Args:
        service: the service.
        session: the database session.
        user: the account.
        agent: name of the browser.
        address: address of the client.
    """
    secret, now = new_secret(), service.clock()
    session.add(
        LoginSession(
            user_id=user.id,
            secret_hash=hash_secret(secret),
            created=now,
            used=now,
            agent=agent[:200],
            address=address,
        )
    )
    return secret


def end_sessions(session: Session, user_id: str, *, keep: str = "") -> None:
    """Log an account out everywhere, but for one session.

    Args:
        session: the database session.
        user_id: id of the account.
        keep: id of the session to keep.
    """
    session.execute(delete(LoginSession).where(LoginSession.user_id == user_id, LoginSession.id != keep))


def identify(service: Service, headers: Headers, cookies: dict[str, str]) -> Caller | None:
    """Return the caller of these headers, or None.

    Args:
        service: the service.
        headers: of the request.
        cookies: of the request.
    """
    kind, _, secret = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return _by_token(service, secret.strip())
    found = cookies.get(cookie_name(service))
    return _by_cookie(service, found) if found else None


def is_alive(service: Service, caller: Caller) -> bool:
    """Return whether a caller's session or token is still valid; polled by open WebSockets.

    Args:
        service: the service.
        caller: as `identify` returned it.
    """
    with service.database.read() as session:
        user = session.get(User, caller.user.id)
        if user is None or user.disabled:
            return False
        if caller.token_id:
            return session.get(Token, caller.token_id) is not None
        login = session.get(LoginSession, caller.session_id)
        return login is not None and not _has_expired(login, service.clock())


def _by_token(service: Service, secret: str) -> Caller | None:
    now = service.clock()
    with service.database.read() as session:
        row = session.execute(
            select(Token, User).join(User).where(Token.secret_hash == hash_secret(secret), ~User.disabled)
        ).first()
    if row is None:
        return None
    token, user = row
    if now - (token.used or 0) > _TOUCH_SECONDS:
        _touch(service, Token, token.id, now)
    return Caller(user, token_id=token.id, may_write=token.scope == "write")


def _by_cookie(service: Service, secret: str) -> Caller | None:
    now = service.clock()
    with service.database.read() as session:
        row = session.execute(
            select(LoginSession, User)
            .join(User)
            .where(LoginSession.secret_hash == hash_secret(secret), ~User.disabled)
        ).first()
    if row is None:
        return None
    login, user = row
    if _has_expired(login, now):
        with service.database.write() as session:
            session.execute(delete(LoginSession).where(LoginSession.id == login.id))
        return None
    if now - login.used > _TOUCH_SECONDS:
        _touch(service, LoginSession, login.id, now)
    return Caller(user, login.id)


def _has_expired(login: LoginSession, now: float) -> bool:
    return now - login.used > IDLE_SECONDS or now - login.created > MAX_SECONDS


def _touch(service: Service, table: type[Token | LoginSession], row_id: str, now: float) -> None:
    with service.database.write() as session:
        session.execute(update(table).where(table.id == row_id).values(used=now))
