"""Sign-up, and one's own account."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Request, Response
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bridge.web.problems import Problem, not_found
from bridge.web.service import accounts, invitations
from bridge.web.service.accounts_view import user_body
from bridge.web.service.audit import record
from bridge.web.service.context import Service
from bridge.web.service.dependencies import BrowserCaller, KnownCaller, ServiceOf, address_of, iso
from bridge.web.service.downloads import ZIP, zip_response
from bridge.web.service.export import export_entries
from bridge.web.service.passwords import hash_secret, new_secret
from bridge.web.service.reconcile import purge_deleted
from bridge.web.service.requests import ChangeMe, Confirm, NewToken, SignUp
from bridge.web.service.responses import RecoveryCodes, SessionBody, TokenBody, UserBody, Welcome
from bridge.web.service.routes.session import logged_out, open_session
from bridge.web.service.sessions import TOKEN_PREFIX, end_sessions
from bridge.web.service.songs import add_demo_song
from bridge.web.service.tables import LoginSession, Token, User

router = APIRouter(tags=["account"])
_log = logging.getLogger(__name__)


@router.post("/users", operation_id="signUp", status_code=201)
def sign_up(service: ServiceOf, body: SignUp, request: Request, response: Response) -> Welcome:
    """Create an account and log in; the required key depends on the server's `sign_up`."""
    address = address_of(request)
    service.throttle.check("sign-up", address, 5, 3600)
    with service.database.read() as session:  # before a hash is computed for it
        _check_key(service, session, body)
        name = accounts.check_new_name(session, body.name)
    password_hash = accounts.hash_password(service, body.password, name)
    with service.database.write() as session:
        admin = _use_key(service, session, body)
        user = accounts.create_user(service, session, name, password_hash, admin=admin)
        user.last_login = service.clock()
        codes = accounts.new_recovery_codes(session, user)
        record(service, session, user.name, "sign-up", address=address)
    if admin and service.config.demo_song:
        _try_demo_song(service, user)
    return Welcome(user=open_session(service, user, request, response), recovery_codes=codes)


@router.get("/me", operation_id="readMe")
def read_me(service: ServiceOf, caller: KnownCaller) -> UserBody:
    """Return one's own account."""
    with service.database.read() as session:
        return user_body(service, session, caller.user)


@router.patch("/me", operation_id="changeMe")
def change_me(
    service: ServiceOf, body: ChangeMe, caller: BrowserCaller, request: Request, response: Response
) -> UserBody:
    """Change theme or password; a new password ends all other sessions and gives this browser a new one."""
    password_hash = None
    if body.password is not None:
        accounts.confirm_password(service, caller.user, body.current_password)
        password_hash = accounts.hash_password(service, body.password, caller.user.name)
    with service.database.write() as session:
        user = session.merge(caller.user)
        if body.theme is not None:
            user.theme = body.theme
        if password_hash is not None:
            accounts.change_password(session, user, password_hash)
            record(service, session, user.name, "change-password", address=address_of(request))
    if password_hash is not None:
        return open_session(service, user, request, response)
    with service.database.read() as session:
        return user_body(service, session, user)


@router.get("/me/export.zip", operation_id="exportLibrary", response_class=Response, responses=ZIP)
def export_library(service: ServiceOf, caller: KnownCaller) -> Response:
    """Download all songs with their stems, covers and a listing, as one zip of unknown length."""
    with service.database.read() as session:
        entries = export_entries(service, session, caller.user)
    return zip_response(entries, "stream_sep.zip")


@router.delete("/me", operation_id="deleteMe", status_code=204)
def delete_me(service: ServiceOf, body: Confirm, caller: BrowserCaller, request: Request) -> Response:
    """Delete one's own account with all songs, at once and for ever."""
    accounts.confirm_password(service, caller.user, body.password)
    with service.database.write() as session:
        accounts.require_other_admin(session, caller.user)
        record(service, session, caller.user.name, "delete-account", address=address_of(request))
        accounts.delete_user(session, caller.user)
    purge_deleted(service)
    return logged_out(service)


@router.post("/me/recovery-codes", operation_id="newRecoveryCodes")
def new_recovery_codes(service: ServiceOf, body: Confirm, caller: BrowserCaller) -> RecoveryCodes:
    """Replace all recovery codes; the new ones are shown only once."""
    accounts.confirm_password(service, caller.user, body.password)
    with service.database.write() as session:
        return RecoveryCodes(recovery_codes=accounts.new_recovery_codes(session, caller.user))


@router.get("/me/sessions", operation_id="listSessions")
def list_sessions(service: ServiceOf, caller: BrowserCaller) -> list[SessionBody]:
    """List the browsers that are logged in, the last used first."""
    query = select(LoginSession).where(LoginSession.user_id == caller.user.id).order_by(LoginSession.used.desc())
    with service.database.read() as session:
        return [
            SessionBody(
                id=login.id,
                agent=login.agent,
                address=login.address,
                created=iso(login.created),
                used=iso(login.used),
                current=login.id == caller.session_id,
            )
            for login in session.scalars(query)
        ]


@router.delete("/me/sessions", operation_id="endOtherSessions", status_code=204)
def end_other_sessions(service: ServiceOf, caller: BrowserCaller) -> None:
    """Log out everywhere else."""
    with service.database.write() as session:
        end_sessions(session, caller.user.id, keep=caller.session_id)


@router.delete("/me/sessions/{session_id}", operation_id="endSession", status_code=204)
def end_session(service: ServiceOf, session_id: str, caller: BrowserCaller) -> None:
    """Log one browser out."""
    with service.database.write() as session:
        _delete_own(session, LoginSession, session_id, caller.user, "session")


@router.get("/me/tokens", operation_id="listTokens")
def list_tokens(service: ServiceOf, caller: BrowserCaller) -> list[TokenBody]:
    """List the tokens of the API, without their secrets."""
    query = select(Token).where(Token.user_id == caller.user.id).order_by(Token.created)
    with service.database.read() as session:
        return [_token_body(token) for token in session.scalars(query)]


@router.post("/me/tokens", operation_id="createToken", status_code=201)
def create_token(service: ServiceOf, body: NewToken, caller: BrowserCaller) -> TokenBody:
    """Create a token for programs; its secret is in this response only."""
    secret = new_secret(TOKEN_PREFIX)
    with service.database.write() as session:
        token = Token(
            user_id=caller.user.id,
            name=body.name,
            scope=body.scope,
            secret_hash=hash_secret(secret),
            created=service.clock(),
        )
        session.add(token)
        session.flush()
        record(service, session, caller.user.name, "create-token", target=token.id)
        return _token_body(token, secret)


@router.delete("/me/tokens/{token_id}", operation_id="deleteToken", status_code=204)
def delete_token(service: ServiceOf, token_id: str, caller: BrowserCaller) -> None:
    """Revoke a token."""
    with service.database.write() as session:
        _delete_own(session, Token, token_id, caller.user, "token")
        record(service, session, caller.user.name, "delete-token", target=token_id)


def _try_demo_song(service: Service, user: User) -> None:
    """Add the demo song if that is possible: the account exists, and its recovery codes are shown only now."""
    try:
        add_demo_song(service, user)
    except Exception:  # noqa: BLE001 - for any error, the account is there
        _log.exception("the demo song could not be added")


def _check_key(service: Service, session: Session, body: SignUp) -> None:
    """Check that an account may be created; `_use_key` uses the key up.

    Raises:
        Problem: sign-up is closed, or needs a key that is missing or used.
    """
    mode = service.limits(session).sign_up
    if mode == "closed" and not body.setup:
        raise Problem(403, "sign-up-closed", "Sign-up is closed.", "Ask the owner of this server for an account.")
    for kind, key in (("setup", body.setup), ("invite", body.invitation)):
        if key:
            invitations.find_invitation(session, kind, key, service.clock())
            return
    if mode != "open" or not accounts.has_users(session):
        hint = "Ask the owner of this server for an invitation."
        raise Problem(403, "sign-up-closed", "Sign-up needs an invitation.", hint)


def _use_key(service: Service, session: Session, body: SignUp) -> bool:
    """Use up the key for a new account; return whether the account is the admin's.

    Raises:
        Problem: as `_check_key`.
    """
    _check_key(service, session, body)
    for kind, key in (("setup", body.setup), ("invite", body.invitation)):
        if key:
            invitations.use_invitation(session, kind, key, service.clock())
            return kind == "setup"
    return False


def _delete_own(session: Session, table: type[LoginSession | Token], row_id: str, user: User, what: str) -> None:
    query = delete(table).where(table.id == row_id, table.user_id == user.id).returning(table.id)
    if session.scalar(query) is None:
        raise not_found(what)


def _token_body(token: Token, secret: str | None = None) -> TokenBody:
    return TokenBody(
        id=token.id,
        name=token.name,
        scope=token.scope,
        created=iso(token.created),
        used=iso(token.used),
        secret=secret,
    )
