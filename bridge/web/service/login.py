"""Log-in: failed attempts delay an account, and are in the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from bridge.web.problems import Problem, too_many
from bridge.web.service.accounts import find_user, name_key
from bridge.web.service.audit import record
from bridge.web.service.tables import AuditEntry, User

if TYPE_CHECKING:
    from bridge.web.service.context import Service

_FREE_FAILURES = 5
_MAX_WAIT = 60.0


def log_in(service: Service, name: str, password: str, address: str) -> User:
    """Return the account that a name and a password belong to.

    After five failures each further one delays the account, by 1 s, 2 s, 4 s, at most 60: slowed, never locked.

    Args:
        service: the service.
        name: the account's name.
        password: the password in the clear.
        address: address of the client.

    Raises:
        Problem: they do not match, or it is too early.
    """
    service.throttle.check("login", address, 20, 60)
    attempt = _begin_attempt(service, name, address)
    stored = attempt.password_hash if attempt else None
    try:
        right = service.passwords.verify(stored, password)
        renewed = service.passwords.renewed(stored, password) if stored and right else None
    except Problem:
        if attempt is not None:
            _take_back(service, attempt)
        raise
    if attempt is not None and right:
        with service.database.write() as session:
            user = session.get(User, attempt.user_id)
            if user is not None and not user.disabled:
                user.failures, user.last_login = 0, service.clock()
                if renewed is not None and user.password_hash == stored:
                    user.password_hash = renewed
                session.get_one(AuditEntry, attempt.entry_id).action = "login"
                return user
    raise Problem(401, "bad-credentials", "Name or password is wrong.")


@dataclass(frozen=True)
class _Attempt:
    """A log-in that counts as failed until its password was verified.

    Attributes:
        user_id: the account.
        password_hash: its stored hash.
        entry_id: of the audit log.
    """

    user_id: str
    password_hash: str
    entry_id: int


def _begin_attempt(service: Service, name: str, address: str) -> _Attempt | None:
    """Count a log-in as failed before it is verified, so that others at the same time count it; None if no such name.

    Raises:
        Problem: it is too early.
    """
    with service.database.read() as session:
        if find_user(session, name) is None:
            return None
    with service.database.write() as session:
        user = session.scalar(select(User).where(User.name_key == name_key(name)).with_for_update())
        if user is None:
            return None
        now = service.clock()
        if (wait := _wait(user) - (now - user.failed)) > 0:
            raise too_many("Too many attempts.", wait)
        user.failures, user.failed = user.failures + 1, now
        entry = record(service, session, user.name, "login-failed", address=address)
        session.flush()
        return _Attempt(user.id, user.password_hash, entry.id)


def _take_back(service: Service, attempt: _Attempt) -> None:
    """Do not count an attempt that was not verified, as when the server is busy."""
    with service.database.write() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.id == attempt.entry_id))
        lower = update(User).where(User.id == attempt.user_id, User.failures > 0)
        session.execute(lower.values(failures=User.failures - 1))


def _wait(user: User) -> float:
    over = user.failures - _FREE_FAILURES
    return min(_MAX_WAIT, 2.0**over) if over >= 0 else 0.0
