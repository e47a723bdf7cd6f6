"""The database: migrations that match the tables, on SQLite and on PostgreSQL."""

import sqlite3
import time

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, select

from bridge.web.service.database import Database, _alembic
from bridge.web.service.tables import Base, Job, Setting
from stream_sep.errors import ConfigError


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request, tmp_path):
    """A database with no tables yet."""
    is_sqlite = request.param == "sqlite"
    database = Database(f"sqlite:///{tmp_path / 'x.db'}" if is_sqlite else request.getfixturevalue("new_database")())
    yield database
    database.close()


def test_migrations_make_the_declared_tables(empty):
    empty.migrate()
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert empty.is_current()


def test_migrating_again_changes_nothing(empty):
    empty.migrate()
    empty.migrate()
    assert empty.is_current()


def test_the_time_of_the_database_goes_on_within_a_transaction(empty):
    before = time.time()
    with empty.read() as session:
        times = [empty.now(session) for _ in range(2)]
        while times[-1] == times[0]:
            times.append(empty.now(session))
    assert before - 1 <= times[0] < times[-1] <= time.time() + 1


def test_jobs_of_an_older_version_keep_their_order(empty):
    with empty.engine.connect() as connection:
        command.upgrade(_alembic(connection), "0001")
        tables = MetaData()
        tables.reflect(connection)
        fill_in(connection, tables.tables["users"], id="u")
        fill_in(connection, tables.tables["songs"], id="s", user_id="u")
        for job_id, created in (("a", 2.0), ("b", 1.0)):
            fill_in(connection, tables.tables["jobs"], id=job_id, user_id="u", song_id="s", created=created)
        connection.commit()
    empty.migrate()
    with empty.read() as session:
        assert session.scalars(select(Job.id).order_by(Job.place)).all() == ["b", "a"]


def fill_in(connection, table, **values):
    """Insert a row, with something in every column that needs a value."""
    empty = {str: "", float: 0.0, int: 0, bool: False}
    needed = {one.name: empty.get(one.type.python_type, {}) for one in table.columns if not one.nullable}
    connection.execute(table.insert().values({**needed, **values}))


def test_sqlite_writes_through_to_the_disk_and_keeps_its_references(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with database.engine.connect() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    database.close()
    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_another_kind_of_database_is_refused():
    with pytest.raises(ConfigError, match="neither sqlite:// nor postgresql://"):
        Database("mysql://localhost/x")


def test_a_session_that_raises_changes_nothing(service):
    def fail():
        with service.database.write() as session:
            session.add(Setting(key="x", value=1))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with service.database.read() as session:
        assert session.get(Setting, "x") is None


def test_an_older_database_is_copied_before_it_is_migrated(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE of_an_older_version (x)")
    database.migrate()
    database.close()
    (copy,) = tmp_path.glob("x.db.before-*")
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("of_an_older_version",)]
    connection.close()
