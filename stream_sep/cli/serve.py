"""``stream-sep serve``: a service with accounts where people upload songs and play the stems."""

from __future__ import annotations

import dataclasses
import getpass
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream_sep.cli.app import App
from stream_sep.errors import ConfigError
from stream_sep.extras import install_hint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.web.service.config import ServiceConfig
    from bridge.web.service.context import Service


app = App(
    "Run a web service with accounts, uploads and a stem player.", invoke_without_command=True, no_args_is_help=False
)
user_app = App("Manage the accounts of the service.")
app.add_typer(user_app, name="user")

Data = Annotated[Path | None, typer.Option("--data", help="folder of songs and database; usual unless given")]
Database = Annotated[
    str,
    typer.Option(
        "--database", envvar="STREAM_SEP_DATABASE", help="postgresql://..., or SQLite in the folder unless given"
    ),
]


@app.callback()
def serve(
    context: typer.Context,
    data: Data = None,
    database: Database = "",
    host: Annotated[str, typer.Option(help="address to listen at; 0.0.0.0 for all")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port")] = 9191,
    role: Annotated[str, typer.Option(help="all, web, or worker")] = "all",
    workers: Annotated[int, typer.Option(help="processes that separate, with role all")] = 1,
    model: Annotated[
        str, typer.Option("--model", "-n", help="separator for songs whose owner does not choose")
    ] = "live",
    offer: Annotated[
        str, typer.Option(help="models that may be chosen, such as live,htdemucs; all unless given")
    ] = "",
    sign_up: Annotated[
        str, typer.Option(help="who may sign up: open, invite, closed; open unless others reach it")
    ] = "",
    public_host: Annotated[
        list[str] | None, typer.Option(help="a further name that browsers use for this server")
    ] = None,
    trusted_proxy: Annotated[str, typer.Option(help="address of the proxy whose X-Forwarded-For counts")] = "",
    *,
    https: Annotated[bool, typer.Option("--https", help="browsers come by HTTPS, through a proxy")] = False,
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="passwords may cross the network unencrypted")
    ] = False,
    demo_song: Annotated[bool, typer.Option("--demo-song", help="the demo song is there from the start")] = False,
) -> None:
    """Serve songs: everything needed is made in one folder, and the first start prints a link to make the admin."""
    config = dataclasses.replace(
        _config(data, database),
        host=host,
        port=port,
        workers=workers,
        model=model,
        models=tuple(name.strip() for name in offer.split(",") if name.strip()),
        public_hosts=tuple(public_host or ()),
        trusted_proxy=trusted_proxy,
        https=https,
        demo_song=demo_song,
    )
    context.obj = config
    if context.invoked_subcommand is None:
        _serve(_with_sign_up(config, sign_up), role, insecure_http=insecure_http)


@user_app.command("add")
def add_user(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="name of the account")],
    *,
    admin: Annotated[bool, typer.Option("--admin", help="may run the server")] = False,
) -> None:
    """Make an account; asks for the password, or reads it from standard input."""
    from bridge.web.service import accounts

    with _opened(context) as service, service.database.write() as session:
        accounts.create_user(service, session, name, _read_password(), admin=admin)
    print(f"account {name} made")


@user_app.command("list")
def list_users(context: typer.Context) -> None:
    """List the accounts."""
    from sqlalchemy import select

    from bridge.web.service.admin_view import admin_user
    from bridge.web.service.tables import CLOSED, NO_PASSWORD, User

    query = select(User).where(User.password_hash.not_in((NO_PASSWORD, CLOSED))).order_by(User.name_key)
    with _opened(context) as service, service.database.read() as session:
        for user in session.scalars(query).all():
            body = admin_user(service, session, user)
            state = "disabled" if body.disabled else "admin" if body.admin else "user"
            print(f"{body.name:32}  {state:8}  {body.songs:5} songs  {body.storage.used / 1e6:8.0f} MB")


@user_app.command("passwd")
def change_password(context: typer.Context, name: Annotated[str, typer.Argument(help="name of the account")]) -> None:
    """Give an account a new password; whoever was logged in to it is logged out."""
    from bridge.web.service import accounts

    with _opened(context) as service, service.database.write() as session:
        user = accounts.find_user(session, name)
        if user is None:
            raise ConfigError(f"there is no account {name!r}; stream-sep serve user list")
        accounts.change_password(service, session, user, _read_password())
    print(f"password of {name} changed")


@app.command("openapi")
def openapi(context: typer.Context) -> None:
    """Print the OpenAPI description of the API."""
    from bridge.web.service.app import make_app
    from bridge.web.service.openapi import openapi_text

    with _opened(context) as service:
        sys.stdout.write(openapi_text(make_app(service)))


@app.command("check")
def check(
    context: typer.Context,
    *,
    repair: Annotated[bool, typer.Option("--repair", help="put it right; only tells unless given")] = False,
) -> None:
    """Compare folder and database: whole uploads that are no songs yet, songs without files, files without songs."""
    from bridge.web.service.reconcile import reconcile

    with _opened(context) as service:
        lines = reconcile(service, dry_run=not repair).lines()
    print("\n".join(lines or ["folder and database agree"]))


@app.command("backup")
def backup(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="new folder for it")],
    *,
    verify: Annotated[bool, typer.Option("--verify", help="check the backup that is there, instead")] = False,
) -> None:
    """Copy database and songs while the service runs; a copy of the folder, served with --data, restores it."""
    from bridge.web.service.backup import back_up, check_backup

    if verify:
        made = check_backup(folder)
    else:
        with _opened(context) as service:
            made = back_up(service, folder)
    print(f"{made.files} files, {made.bytes / 1e6:.0f} MB in {made.folder}")


def _serve(config: ServiceConfig, role: str, *, insecure_http: bool) -> None:
    from bridge.web.service.context import open_service
    from bridge.web.service.supervisor import WorkerPool, check_exposure, pass_database_on, serve_web, worker_command

    if role not in {"all", "web", "worker"}:
        raise ConfigError(f"--role {role!r} is none of all, web, worker")
    if role == "worker":
        _work(config)
        return
    check_exposure(config, insecure_http=insecure_http)
    service = open_service(config)
    pass_database_on(config)
    count = config.workers if role == "all" else 0
    try:
        with WorkerPool(worker_command(config), count):
            serve_web(service, print)
    finally:
        service.close()


def _work(config: ServiceConfig) -> None:
    from bridge.web.service.context import open_service
    from bridge.web.service.worker import run_worker

    service = open_service(config)
    try:
        run_worker(service)
    finally:
        service.close()


def _config(data: Path | None, database: str) -> ServiceConfig:
    try:
        from bridge.web.service.config import ServiceConfig
    except ModuleNotFoundError as error:
        raise ConfigError(f"stream-sep serve needs {error.name}; {install_hint('web')}") from error
    config = ServiceConfig(database=database)
    return config if data is None else dataclasses.replace(config, data=data)


def _with_sign_up(config: ServiceConfig, mode: str) -> ServiceConfig:
    usual = "open" if config.is_loopback else "invite"
    return dataclasses.replace(config, limits=config.limits.changed({"sign_up": mode or usual}))


@contextmanager
def _opened(context: typer.Context) -> Iterator[Service]:
    from bridge.web.service.context import open_service

    service = open_service(context.obj)
    try:
        yield service
    finally:
        service.close()


def _read_password() -> str:
    """Return a password from the terminal, typed twice, or the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("New password: ")
    if getpass.getpass("Again: ") != password:
        raise ConfigError("the two passwords differ")
    return password
