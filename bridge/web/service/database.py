"""The database: SQLite in WAL mode, or PostgreSQL by its URL; one context manager to read and one to write."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bridge.web.service.files import make_private
from stream_sep.errors import ConfigError, StreamSepError
from stream_sep.extras import install_hint

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUSY_SECONDS = 30
_MIGRATIONS = Path(__file__).parent / "migrations"
_SQLITE_NOW = text("SELECT (julianday('now') - 2440587.5) * 86400.0")
_POSTGRESQL_NOW = text("SELECT extract(epoch FROM clock_timestamp())")
_MIGRATION_LOCK = 0x57AE  # an arbitrary number of our own


class DatabaseError(StreamSepError):
    """The database cannot be reached or brought up to date."""


class Database:
    """Sessions on one database; threads may share it.

    Args:
        url: as SQLAlchemy has it, ``sqlite:////path/serve.db`` or ``postgresql://user@host/name``.

    Raises:
        ConfigError: a URL of neither database.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
            raise ConfigError(f"--database {url!r} is neither sqlite:// nor postgresql://")
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if not self.is_sqlite:
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.path = Path(parsed.database or "") if self.is_sqlite else None
        # a server of PostgreSQL takes 100 connections unless configured; SQLite's are open files of this process
        pool = {"pool_size": 20, "max_overflow": 200} if self.is_sqlite else {"pool_size": 10, "max_overflow": 30}
        options: dict[str, Any] = {"pool_pre_ping": not self.is_sqlite, **pool}
        self.engine = _engine(parsed.render_as_string(hide_password=False), options)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _set_up_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session on one snapshot of the database that changes nothing."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Yield a session whose changes are committed at the end, or rolled back on an exception."""
        engine = self.engine.execution_options(immediate=True)
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    def now(self, session: Session) -> float:
        """Return the database's time in seconds since 1970: one clock, where those of several machines differ."""
        return float(session.scalar(_SQLITE_NOW if self.is_sqlite else _POSTGRESQL_NOW) or 0.0)

    def migrate(self) -> None:
        """Bring the tables up to date, one process at a time; a copy of an older SQLite file is kept beside it.

        SQLite's file is made readable by its owner only.

        Raises:
            DatabaseError: it cannot be reached, or a newer version of the program made it.
        """
        try:
            self._close_file()
            self._keep_copy()
            with self.engine.connect() as connection:
                if not self.is_sqlite:
                    connection.execute(text(f"SELECT pg_advisory_lock({_MIGRATION_LOCK})"))
                    connection.commit()
                try:
                    command.upgrade(_alembic(connection), "head")
                    connection.commit()
                finally:
                    if not self.is_sqlite:
                        connection.execute(text(f"SELECT pg_advisory_unlock({_MIGRATION_LOCK})"))
                        connection.commit()
        except SQLAlchemyError as error:
            raise DatabaseError(
                f"the database cannot be used: {str(error).splitlines()[0]}; check --database"
            ) from error
        except OSError as error:
            raise DatabaseError(f"the database {self.path} cannot be used: {error.strerror}") from error

    def is_current(self) -> bool:
        """Return whether all migrations were made."""
        with self.engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        return found == ScriptDirectory(str(_MIGRATIONS)).get_current_head()

    def copy_to(self, target: Path) -> None:
        """Write a copy of a SQLite database as it is now, while others write.

        Raises:
            DatabaseError: it cannot be written.
        """
        assert self.path is not None, "PostgreSQL has pg_dump"
        make_private(target)  # SQLite writes into an empty file
        try:
            with contextlib.closing(sqlite3.connect(self.path)) as connection:
                connection.execute("VACUUM INTO ?", (str(target),))
        except sqlite3.Error as error:
            raise DatabaseError(f"the database cannot be copied to {target}: {error}; name another folder") from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _close_file(self) -> None:
        """Create SQLite's file closed to others, or close it; files that SQLite adds beside it get its mode."""
        if self.path is None:
            return
        make_private(self.path)
        for path in self.path.parent.glob(f"{self.path.name}-*"):
            with contextlib.suppress(FileNotFoundError):  # whoever closes the database last removes them
                path.chmod(0o600)

    def _keep_copy(self) -> None:
        if self.path is None or not self.path.stat().st_size or self.is_current():
            return
        self.copy_to(self.path.with_name(f"{self.path.name}.before-{time.strftime('%Y%m%d-%H%M%S')}"))


def _engine(url: str, options: dict[str, Any]) -> Engine:
    try:
        return create_engine(url, **options)
    except ModuleNotFoundError as error:
        raise ConfigError(f"PostgreSQL needs the package {error.name}; {install_hint('web-postgres')}") from error


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _set_up_sqlite(connection: Any, _record: Any) -> None:  # noqa: ANN401 - a DBAPI connection has no type
    connection.isolation_level = None  # transactions are begun below, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_SECONDS * 1000}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # a transaction that began by reading cannot wait for the one writer: it would fail as busy at once
    immediate = connection.get_execution_options().get("immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
