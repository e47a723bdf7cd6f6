"""Options of every command of the web service: where its data is."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream_sep.errors import ConfigError
from stream_sep.extras import install_hint

if TYPE_CHECKING:
    from bridge.web.service.config import ServiceConfig
    from bridge.web.service.context import Service

Data = Annotated[Path | None, typer.Option("--data", help="folder of songs and database")]
Database = Annotated[
    str,
    typer.Option(
        "--database", envvar="STREAM_SEP_DATABASE", help="postgresql://...; SQLite in the folder unless given"
    ),
]


def service_config(data: Path | None, database: str) -> ServiceConfig:
    """Return the configuration of the service whose data is in a folder and a database.

    Args:
        data: the folder; None for the usual one.
        database: its address; empty for SQLite in the folder.

    Raises:
        ConfigError: a package that the service needs is not installed.
    """
    try:
        from bridge.web.service.app import make_site  # noqa: F401 - whether all it needs is there
        from bridge.web.service.config import ServiceConfig
    except ModuleNotFoundError as error:
        raise ConfigError(f"serve needs {error.name}, which is not installed; {install_hint('web')}") from error
    config = ServiceConfig(database=database)
    return config if data is None else dataclasses.replace(config, data=data)


def opened_service(data: Path | None, database: str) -> closing[Service]:
    """Open a service, to close at the end of a with statement; see `service_config`."""
    config = service_config(data, database)
    from bridge.web.service.context import open_service

    return closing(open_service(config))
