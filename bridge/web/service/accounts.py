"""Accounts: names, passwords, and recovery of a forgotten one without mail."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from bridge.web.problems import Problem
from bridge.web.service.audit import record
from bridge.web.service.passwords import check_password, hash_secret, new_recovery_code
from bridge.web.service.sessions import end_sessions
from bridge.web.service.tables import CLOSED, RecoveryCode, Song, Token, User

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.context import Service

RECOVERY_CODES = 8
_NAME = re.compile(r"[^\s\x00-\x1f\x7f/\\<>\"'&][^\x00-\x1f\x7f/\\<>\"&]{0,30}[^\s\x00-\x1f\x7f/\\<>\"'&]")


def check_name(name: str) -> str:
    """Validate and normalize the name of an account.

    Raises:
        Problem: it is not 2 to 32 characters, or has forbidden ones.

    >>> check_name("  Ada Lovelace ")
    'Ada Lovelace'
    """
    name = unicodedata.normalize("NFKC", name).strip()
    if not _NAME.fullmatch(name) or any(unicodedata.category(letter)[0] == "C" for letter in name):
        raise Problem(422, "bad-name", "A name has 2 to 32 letters, digits or signs, without / \\ < > & and quotes.")
    return name


def name_key(name: str) -> str:
    """Return the form of a name that must be unique."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def find_user(session: Session, name: str) -> User | None:
    """Return the account of a name, if there is one.

    Args:
        session: the database session.
        name: the account's name.
    """
    return session.scalar(select(User).where(User.name_key == name_key(name)))


def has_users(session: Session) -> bool:
    """Return whether the server was set up."""
    return session.scalar(select(User.id).where(User.admin).limit(1)) is not None


def hash_password(service: Service, password: str, name: str) -> str:
    """Validate a new password and return its hash; a transaction that writes must not wait for it.

    Args:
        service: the service.
        password: the password in the clear.
        name: the account's name.

    Raises:
        Problem: the password is invalid.
    """
    return service.passwords.hash(check_password(password, name))


def check_new_name(session: Session, name: str) -> str:
    """Validate the name of a new account and return it in its normal form.

    Args:
        session: the database session.
        name: the account's name.

    Raises:
        Problem: the name is invalid or taken.
    """
    name = check_name(name)
    if find_user(session, name) is not None:
        raise Problem(409, "name-taken", "That name is taken.", "Choose another.")
    return name


def create_user(service: Service, session: Session, name: str, password_hash: str, *, admin: bool = False) -> User:
    """Make an account.

    Args:
        service: the service.
        session: the database session.
        name: the account's name.
        password_hash: as `hash_password` returns it.
        admin: whether it may administer the server.

    Raises:
        Problem: the name is invalid or taken.
    """
    name = check_new_name(session, name)
    user = User(name=name, name_key=name_key(name), password_hash=password_hash, admin=admin, created=service.clock())
    session.add(user)
    session.flush()
    return user


def new_recovery_codes(session: Session, user: User) -> list[str]:
    """Replace an account's recovery codes; return the new ones, which are shown only once.

    Args:
        session: the database session.
        user: the account.
    """
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(user_id=user.id, secret_hash=hash_secret(code)) for code in codes)
    return codes


def confirm_password(service: Service, user: User, password: str) -> None:
    """Verify the password again before something that cannot be undone.

    Args:
        service: the service.
        user: the account.
        password: the password in the clear.

    Raises:
        Problem: the password is wrong.
    """
    service.throttle.check("confirm", user.id, 10, 60)
    if not service.passwords.verify(user.password_hash, password):
        raise Problem(403, "wrong-password", "The password is wrong.")


def change_password(session: Session, user: User, password_hash: str) -> None:
    """Set a new password and end all sessions of the account.

    Args:
        session: the database session.
        user: the account.
        password_hash: as `hash_password` returns it.
    """
    user = session.merge(user)
    user.password_hash = password_hash
    user.failures = 0
    end_sessions(session, user.id)


def recover(service: Service, name: str, code: str, password: str, address: str) -> User:
    """Replace a forgotten password by a recovery code, which is then used up.

    Args:
        service: the service.
        name: its name.
        code: a recovery code.
        password: the password in the clear.
        address: address of the client.

    Raises:
        Problem: name and code do not match, or the password is invalid.
    """
    service.throttle.check("recover", address, 10, 600)
    with service.database.read() as session:
        user, code_id = _find_recovery_code(session, name, code)
    password_hash = hash_password(service, password, user.name)
    with service.database.write() as session:
        spent = session.scalar(delete(RecoveryCode).where(RecoveryCode.id == code_id).returning(RecoveryCode.id))
        found = session.get(User, user.id)
        if spent is None or found is None or found.disabled:
            raise _wrong_code()
        change_password(session, found, password_hash)
        record(service, session, found.name, "recover", address=address)
        return found


def _find_recovery_code(session: Session, name: str, code: str) -> tuple[User, str]:
    """Return the account of a name, and the id of its code.

    Raises:
        Problem: they do not match, or the account is disabled.
    """
    user = find_user(session, name)
    right = RecoveryCode.secret_hash == hash_secret(code.strip().lower())
    code_id = session.scalar(select(RecoveryCode.id).where(right, RecoveryCode.user_id == (user.id if user else "")))
    if user is None or code_id is None or user.disabled:
        raise _wrong_code()
    return user, code_id


def _wrong_code() -> Problem:
    return Problem(401, "bad-credentials", "Name or recovery code is wrong.", "Each code works once.")


def delete_user(session: Session, user: User) -> list[str]:
    """Mark an account's songs for deletion and close the account; return the ids of the songs.

    The row itself goes once the files are gone; see `reconcile.purge`.

    Args:
        session: the database session.
        user: the account.
    """
    user = session.merge(user)
    songs = list(session.scalars(select(Song).where(Song.user_id == user.id)))
    for song in songs:
        song.state = "deleting"
    end_sessions(session, user.id)
    session.execute(delete(Token).where(Token.user_id == user.id))
    user.disabled, user.password_hash = True, CLOSED
    user.name = user.name_key = f"deleted {user.id}"
    return [song.id for song in songs]


def require_other_admin(session: Session, user: User) -> None:
    """Check that an admin remains without an account.

    Args:
        session: the database session.
        user: the account.

    Raises:
        Problem: it is the only admin.
    """
    others = select(func.count()).where(User.admin, ~User.disabled, User.id != user.id)
    if user.admin and session.scalar(others) == 0:
        raise Problem(409, "last-admin", "This is the only admin account.", "Make somebody else admin first.")
