"""``stream-sep serve user``: the accounts of the web service."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream_sep.cli.app import App
from stream_sep.cli.serve_options import Data, Database, opened_service
from stream_sep.errors import ConfigError
from stream_sep.lowlevel.atomic_file import FileClaim

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bridge.web.service.tables import User

_Name = Annotated[str, typer.Argument(help="name of the account")]

app = App("Manage the accounts of the service.")


@app.command("add")
def add_user(
    name: _Name,
    data: Data = None,
    database: Database = "",
    *,
    admin: Annotated[bool, typer.Option("--admin", help="make it an admin account")] = False,
) -> None:
    """Create an account; prompts for the password, or reads it from standard input."""
    with opened_service(data, database) as service:
        from bridge.web.service import accounts

        with service.database.read() as session:
            name = accounts.check_new_name(session, name)
        password_hash = accounts.hash_password(service, _read_password(), name)
        with service.database.write() as session:
            accounts.create_user(service, session, name, password_hash, admin=admin)
    print(f"account {name} created")


@app.command("list")
def list_users(data: Data = None, database: Database = "") -> None:
    """List the accounts."""
    with opened_service(data, database) as service, service.database.read() as session:
        from bridge.web.service.admin_view import list_accounts

        for user in list_accounts(service, session):
            state = "disabled" if user.disabled else "admin" if user.admin else "user"
            print(f"{user.name:32}  {state:8}  {user.songs:5} songs  {user.storage.used / 1e6:8.0f} MB")


@app.command("passwd")
def change_password(name: _Name, data: Data = None, database: Database = "") -> None:
    """Change the password of an account, and end its sessions."""
    with opened_service(data, database) as service:
        from bridge.web.service import accounts

        with service.database.read() as session:
            user = _find_user(session, name)
        password_hash = accounts.hash_password(service, _read_password(), user.name)
        with service.database.write() as session:
            accounts.change_password(session, _find_user(session, name), password_hash)
    print(f"password of {name} changed")


@app.command("export")
def export_songs(
    name: _Name,
    file: Annotated[Path, typer.Argument(help="zip file to write")],
    data: Data = None,
    database: Database = "",
) -> None:
    """Write all songs of an account, with their stems, to a zip file."""
    if file.exists():
        raise ConfigError(f"{file} exists; name another file")
    with opened_service(data, database) as service:
        from bridge.web.service.downloads import zipped
        from bridge.web.service.export import export_entries

        with service.database.read() as session:
            entries = export_entries(service, session, _find_user(session, name))
        with FileClaim(file.with_name(f"{file.name}.part")) as claim:
            with claim.path.open("r+b") as archive:
                archive.writelines(zipped(entries))
            claim.rename(file)
    print(f"{len(entries)} files, {file.stat().st_size / 1e6:.0f} MB in {file}")


def _find_user(session: Session, name: str) -> User:
    from bridge.web.service import accounts

    user = accounts.find_user(session, name)
    if user is None:
        raise ConfigError(f"there is no account {name!r}; see stream-sep serve user list")
    return user


def _read_password() -> str:
    """Return a password from the terminal, typed twice, or the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("New password: ")
    if getpass.getpass("Again: ") != password:
        raise ConfigError("the two passwords differ")
    return password
