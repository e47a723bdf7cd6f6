"""``stream-sep serve``: a web service with accounts, uploads and a stem player."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_sep.cli import serve_users
from stream_sep.cli.app import App, Group
from stream_sep.cli.serve_options import Data, Database, opened_service, service_config
from stream_sep.errors import ConfigError
from stream_sep.separators import DEFAULT_FOR_SONGS, canonical_name

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from bridge.web.service.config import ServiceConfig


class _ServeGroup(Group):
    """Runs the service if no command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - whose type moved between versions
        """Insert the default command if none is named."""
        is_bare = not args or (args[0].startswith("-") and args[0] not in {"-h", "--help"})
        return super().parse_args(ctx, ["run", *args] if is_bare else args)


app = App(
    "Run a web service with accounts, uploads and a stem player.\n\n"
    "Without a command, `serve` starts the service; `stream-sep serve run --help` lists its options.",
    cls=_ServeGroup,
)
app.add_typer(serve_users.app, name="user")


@app.command("run")
def serve(
    data: Data = None,
    database: Database = "",
    host: Annotated[str, typer.Option(help="address to listen on; 0.0.0.0 for all")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port")] = 9191,
    role: Annotated[str, typer.Option(help="all, web, or worker")] = "all",
    workers: Annotated[int, typer.Option(help="separating processes, with role all or on Ray", min=0)] = 1,
    executor: Annotated[str, typer.Option(help="where they run: local, or ray for a Ray cluster")] = "local",
    ray_address: Annotated[
        str | None, typer.Option(help="Ray cluster (default: RAY_ADDRESS, or a new one on this machine)")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-n", help="separator for songs whose owner does not choose")
    ] = DEFAULT_FOR_SONGS,
    offer: Annotated[str, typer.Option(help="models to choose from, such as live,htdemucs; all unless given")] = "",
    sign_up: Annotated[str, typer.Option(help="open, invite or closed; open unless others reach the server")] = "",
    public_host: Annotated[
        list[str] | None, typer.Option(help="another name that browsers use for this server")
    ] = None,
    trusted_proxy: Annotated[str, typer.Option(help="address of the proxy whose X-Forwarded-For counts")] = "",
    *,
    https: Annotated[bool, typer.Option("--https", help="browsers connect by HTTPS, through a proxy")] = False,
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="passwords may cross the network unencrypted")
    ] = False,
    demo_song: Annotated[bool, typer.Option("--demo-song", help="add the demo song at the first start")] = False,
) -> None:
    """Run the web service, with all data in one folder; the first start prints a link to create the admin account."""
    config = dataclasses.replace(
        service_config(data, database),
        host=host,
        port=port,
        workers=workers,
        model=canonical_name(model),
        models=tuple(canonical_name(name.strip()) for name in offer.split(",") if name.strip()),
        public_hosts=tuple(public_host or ()),
        trusted_proxy=trusted_proxy,
        https=https,
        demo_song=demo_song,
    )
    _run(_with_sign_up(config, sign_up), role, _Executor(executor, ray_address), insecure_http=insecure_http)


@app.command("openapi")
def openapi() -> None:
    """Print the OpenAPI description of the API."""
    service_config(None, "")
    from bridge.web.service.openapi import describe_api

    sys.stdout.write(describe_api())


@app.command("check")
def check(
    data: Data = None,
    database: Database = "",
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="fix the differences, instead of only listing them")
    ] = False,
) -> None:
    """Compare folder and database: finished uploads without a song, songs without files, files without a song."""
    with opened_service(data, database) as service:
        from bridge.web.service.reconcile import reconcile

        lines = reconcile(service, dry_run=not repair).lines()
    print("\n".join(lines or ["folder and database agree"]))


@app.command("backup")
def backup(
    folder: Annotated[Path, typer.Argument(help="new folder for the backup")],
    data: Data = None,
    database: Database = "",
    *,
    verify: Annotated[bool, typer.Option("--verify", help="check an existing backup instead")] = False,
) -> None:
    """Copy database and songs while the service runs; a copy of the folder, served with --data, restores it."""
    service_config(data, database)
    from bridge.web.service.backup import back_up, check_backup

    if verify:
        made = check_backup(folder)
    else:
        with opened_service(data, database) as service:
            made = back_up(service, folder)
    print(f"{made.files} files, {made.bytes / 1e6:.0f} MB in {made.folder}")


def _run(config: ServiceConfig, role: str, executor: _Executor, *, insecure_http: bool) -> None:
    from bridge.web.service.supervisor import run_all, run_only_worker, run_only_workers

    if role not in {"all", "web", "worker"}:
        raise ConfigError(f"--role {role!r} is none of all, web, worker")
    if role == "worker" and executor.name == "local":
        run_only_worker(config)
    elif role == "worker":
        run_only_workers(_workers(config, executor, config.workers))
    else:
        workers = _workers(config, executor, config.workers if role == "all" else 0)
        run_all(config, workers, print, insecure_http=insecure_http)


@dataclasses.dataclass(frozen=True)
class _Executor:
    """Where workers run.

    Attributes:
        name: ``local`` or ``ray``.
        address: of the Ray cluster.
    """

    name: str
    address: str | None

    def __post_init__(self) -> None:
        if self.name not in {"local", "ray"}:
            raise ConfigError(f"unknown executor {self.name!r}; choose local or ray")
        if self.address is not None and self.name != "ray":
            raise ConfigError(f"--ray-address {self.address} needs --executor ray")


def _workers(config: ServiceConfig, executor: _Executor, count: int) -> AbstractContextManager[object]:
    from bridge.web.service.worker_pool import WorkerPool, worker_command

    if executor.name == "local" or count == 0:
        return WorkerPool(worker_command(config), count)
    from bridge.web.service.ray_workers import RayWorkers

    return RayWorkers(config, count, executor.address)


def _with_sign_up(config: ServiceConfig, mode: str) -> ServiceConfig:
    usual = "open" if config.is_loopback else "invite"
    return dataclasses.replace(config, limits=config.limits.changed({"sign_up": mode or usual}))
