"""Routes for the admin only: accounts, invitations, queue, settings, audit; never titles or sound."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.web.problems import Problem, not_found
from bridge.web.service import accounts, queue
from bridge.web.service.admin_view import admin_user, list_accounts, overview
from bridge.web.service.audit import record
from bridge.web.service.dependencies import AdminCaller, ServiceOf, address_of, iso
from bridge.web.service.invitations import link_body, new_link
from bridge.web.service.reconcile import purge_deleted
from bridge.web.service.requests import MAX_INTEGER, ChangeUser, NewInvitation
from bridge.web.service.responses import AdminOverview, AdminUser, AuditBody, LinkBody
from bridge.web.service.sessions import end_sessions
from bridge.web.service.tables import CLOSED, NO_PASSWORD, AuditEntry, Invitation, User
from stream_sep.errors import ConfigError

router = APIRouter(prefix="/admin", tags=["admin"])

_RESET_SECONDS = 3600.0
_PAGE = 100


@router.get("/overview", operation_id="readOverview")
def read_overview(service: ServiceOf, caller: AdminCaller) -> AdminOverview:
    """Return the state of the server: workers, queue, disk, settings."""
    return overview(service)


@router.patch("/settings", operation_id="changeSettings")
def change_settings(
    service: ServiceOf, body: Annotated[dict[str, Any], Body()], caller: AdminCaller, request: Request
) -> dict[str, Any]:
    """Change sign-up, limits and quotas; returns all settings."""
    with service.database.write() as session:
        try:
            limits = service.change_limits(session, body)
        except (ConfigError, TypeError) as error:
            raise Problem(422, "bad-setting", f"{error}.") from error
        record(
            service,
            session,
            caller.user.name,
            "change-settings",
            target=",".join(body)[:100],
            address=address_of(request),
        )
        return limits.to_dict()


@router.get("/users", operation_id="listUsers")
def list_users(service: ServiceOf, caller: AdminCaller) -> list[AdminUser]:
    """List all accounts."""
    with service.database.read() as session:
        return list_accounts(service, session)


@router.patch("/users/{user_id}", operation_id="changeUser")
def change_user(
    service: ServiceOf, user_id: str, body: ChangeUser, caller: AdminCaller, request: Request
) -> AdminUser:
    """Disable an account, make it admin, or give it a quota of its own."""
    with service.database.write() as session:
        user = _account(session, user_id)
        if body.disabled or body.admin is False:
            accounts.require_other_admin(session, user)
        for name, column in (
            ("disabled", "disabled"),
            ("admin", "admin"),
            ("quota_bytes", "quota_bytes"),
            ("max_song_seconds", "max_seconds"),
        ):
            value = getattr(body, name)
            if value is not None:
                setattr(user, column, value)
        if user.disabled:
            end_sessions(session, user.id)
        record(service, session, caller.user.name, "change-user", target=user.id, address=address_of(request))
        return admin_user(service, session, user)


@router.delete("/users/{user_id}", operation_id="deleteUser", status_code=204)
def delete_user(service: ServiceOf, user_id: str, caller: AdminCaller, request: Request) -> None:
    """Delete an account with all songs, at once and for ever."""
    with service.database.write() as session:
        user = _account(session, user_id)
        accounts.require_other_admin(session, user)
        accounts.delete_user(session, user)
        record(service, session, caller.user.name, "delete-user", target=user_id, address=address_of(request))
    purge_deleted(service)


@router.post("/users/{user_id}/reset", operation_id="createResetLink", status_code=201)
def create_reset_link(service: ServiceOf, user_id: str, caller: AdminCaller, request: Request) -> LinkBody:
    """Create a link to choose a new password for an account; it works once, within an hour."""
    with service.database.write() as session:
        user = _account(session, user_id)
        record(service, session, caller.user.name, "create-reset-link", target=user_id, address=address_of(request))
        return new_link(service, session, "reset", seconds=_RESET_SECONDS, user_id=user.id)


@router.get("/invitations", operation_id="listInvitations")
def list_invitations(service: ServiceOf, caller: AdminCaller) -> list[LinkBody]:
    """List the unused invitations."""
    query = select(Invitation).where(Invitation.kind == "invite", Invitation.expires > service.clock())
    with service.database.read() as session:
        return [link_body(link) for link in session.scalars(query.order_by(Invitation.created)).all()]


@router.post("/invitations", operation_id="createInvitation", status_code=201)
def create_invitation(service: ServiceOf, body: NewInvitation, caller: AdminCaller, request: Request) -> LinkBody:
    """Create an invitation to sign up; it works once."""
    with service.database.write() as session:
        record(service, session, caller.user.name, "invite", address=address_of(request))
        return new_link(service, session, "invite", seconds=body.days * 86400, note=body.note)


@router.delete("/invitations/{invitation_id}", operation_id="deleteInvitation", status_code=204)
def delete_invitation(service: ServiceOf, invitation_id: str, caller: AdminCaller) -> None:
    """Revoke an invitation."""
    with service.database.write() as session:
        link = session.get(Invitation, invitation_id)
        if link is None or link.kind != "invite":
            raise not_found("invitation")
        session.delete(link)
        record(service, session, caller.user.name, "uninvite", target=invitation_id)


@router.post("/jobs/{job_id}/cancel", operation_id="cancelAnyJob", status_code=204)
def cancel_any_job(service: ServiceOf, job_id: str, caller: AdminCaller) -> None:
    """Cancel a job of any account."""
    with service.database.write() as session:
        if queue.cancel(service, session, job_id) is None:
            raise not_found("job")
        record(service, session, caller.user.name, "cancel-job", target=job_id)


@router.get("/audit", operation_id="listAudit")
def list_audit(
    service: ServiceOf,
    caller: AdminCaller,
    before: Annotated[int | None, Query(ge=0, le=MAX_INTEGER, description="an entry's id")] = None,
) -> list[AuditBody]:
    """List a hundred entries of the audit log, the newest first."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(_PAGE)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    with service.database.read() as session:
        return [
            AuditBody(
                id=entry.id,
                created=iso(entry.created),
                actor=entry.actor,
                action=entry.action,
                target=entry.target,
                address=entry.address,
            )
            for entry in session.scalars(query)
        ]


def _account(session: Session, user_id: str) -> User:
    """Return the account of a person."""
    user = session.get(User, user_id)
    if user is None or user.password_hash in {NO_PASSWORD, CLOSED}:
        raise not_found("account")
    return user
