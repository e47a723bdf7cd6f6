"""Log-in, log-out, and recovery of a password."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from bridge.web.problems import Problem
from bridge.web.service import accounts, invitations, login
from bridge.web.service.accounts_view import user_body
from bridge.web.service.audit import record
from bridge.web.service.context import Service
from bridge.web.service.dependencies import AnyCaller, BrowserCaller, ServiceOf, address_of
from bridge.web.service.requests import LogIn, Recover, Reset
from bridge.web.service.responses import UserBody
from bridge.web.service.sessions import cookie, end_sessions, start_session
from bridge.web.service.tables import Invitation, LoginSession, User

router = APIRouter(prefix="/session", tags=["session"])


@router.get("", operation_id="readSession")
def read_session(service: ServiceOf, caller: AnyCaller) -> UserBody:
    """Return who is logged in."""
    if caller is None:
        raise Problem(401, "log-in", "Log in first.")
    with service.database.read() as session:
        return user_body(service, session, caller.user)


@router.post("", operation_id="logIn")
def log_in(service: ServiceOf, body: LogIn, request: Request, response: Response, caller: AnyCaller) -> UserBody:
    """Log in with name and password; the response sets the cookie."""
    user = login.log_in(service, body.name, body.password, address_of(request))
    return open_session(service, user, request, response, replaces=caller.session_id if caller else "")


@router.post("/recovery", operation_id="recover")
def recover(service: ServiceOf, body: Recover, request: Request, response: Response) -> UserBody:
    """Set a new password with a recovery code, which is then used up, and log in."""
    user = accounts.recover(service, body.name, body.code, body.password, address_of(request))
    return open_session(service, user, request, response)


@router.post("/reset", operation_id="resetPassword")
def reset(service: ServiceOf, body: Reset, request: Request, response: Response) -> UserBody:
    """Set a new password with a reset link from the admin, and log in."""
    service.throttle.check("reset", address_of(request), 10, 600)
    with service.database.read() as session:
        link = invitations.find_invitation(session, "reset", body.key, service.clock())
        user = _open_account(session, link)
    password_hash = accounts.hash_password(service, body.password, user.name)
    with service.database.write() as session:
        user = _open_account(session, invitations.use_invitation(session, "reset", body.key, service.clock()))
        accounts.change_password(session, user, password_hash)
        record(service, session, user.name, "reset-password", address=address_of(request))
    return open_session(service, user, request, response)


@router.delete("", operation_id="logOut", status_code=204)
def log_out(service: ServiceOf, caller: BrowserCaller, *, everywhere: bool = False) -> Response:
    """Log out, optionally everywhere."""
    with service.database.write() as session:
        if everywhere:
            end_sessions(session, caller.user.id)
        elif (login := session.get(LoginSession, caller.session_id)) is not None:
            session.delete(login)
    return logged_out(service)


def logged_out(service: Service) -> Response:
    """Return the response that deletes the cookie, and what the browser stored of the site."""
    response = Response(status_code=204, headers={"Clear-Site-Data": '"cache", "storage"'})
    response.set_cookie(**cookie(service, ""))
    return response


def _open_account(session: Session, link: Invitation) -> User:
    """Return the account of a reset link.

    Raises:
        Problem: it was closed.
    """
    user = session.get(User, link.user_id)
    if user is None or user.disabled:
        raise Problem(403, "link-ended", "This account was closed.")
    return user


def open_session(
    service: Service, user: User, request: Request, response: Response, *, replaces: str = ""
) -> UserBody:
    """Log a browser in: a new session with a new cookie, in place of any earlier one."""
    with service.database.write() as session:
        if replaces and (old := session.get(LoginSession, replaces)) is not None:
            session.delete(old)
        agent = request.headers.get("user-agent", "")
        secret = start_session(service, session, user, agent, address_of(request))
        response.set_cookie(**cookie(service, secret))
        return user_body(service, session, user)
