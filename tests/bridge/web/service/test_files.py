"""The data folder: other users of the machine read nothing in it."""

import os
import stat

import pytest
from sqlalchemy import text

from bridge.web.service.backup import back_up
from bridge.web.service.context import open_service
from bridge.web.service.database import Database
from bridge.web.service.files import DataFolder
from stream_sep.errors import ConfigError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")


@pytest.fixture
def database():
    """SQLite, whatever the other tests run on: its file is what is looked at."""
    return ""


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def _usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_usual_umask")
def test_a_new_folder_and_its_database_are_private(config):
    open_service(config).close()
    assert mode(config.data) == 0o700
    assert {mode(path) for path in config.data.glob("serve.db*")} == {0o600}


@pytest.mark.usefixtures("_usual_umask")
def test_the_files_beside_an_open_database_are_private(service, config):
    with service.database.write() as session:
        session.execute(text("DELETE FROM events"))
    names = {path.name: mode(path) for path in config.data.glob("serve.db*")}
    assert names == dict.fromkeys(("serve.db", "serve.db-wal", "serve.db-shm"), 0o600)


@pytest.mark.usefixtures("_usual_umask")
def test_an_empty_folder_that_is_open_is_made_private(config):
    config.data.mkdir(0o755)
    open_service(config).close()
    assert mode(config.data) == 0o700


@pytest.mark.usefixtures("_usual_umask")
def test_a_folder_of_an_earlier_version_is_made_private(config):
    open_service(config).close()
    config.data.chmod(0o755)
    (config.data / "serve.db").chmod(0o644)
    open_service(config).close()
    assert (mode(config.data), mode(config.data / "serve.db")) == (0o700, 0o600)


def test_open_secrets_are_refused(config):
    config.data.mkdir(0o755)
    config.data.chmod(0o755)
    (config.data / "letter.txt").write_text("of somebody else")
    with pytest.raises(ConfigError, match=r"other users may read .*'letter.txt'"):
        open_service(config)
    assert mode(config.data) == 0o755
    assert [path.name for path in config.data.iterdir()] == ["letter.txt"]
    config.data.chmod(0o700)
    open_service(config).close()


def test_an_open_folder_whose_mode_stays_is_refused(config, monkeypatch):
    config.data.mkdir(0o755)
    config.data.chmod(0o755)
    monkeypatch.setattr(type(config.data), "chmod", lambda *_args, **_options: None)  # as file systems of Windows do
    with pytest.raises(ConfigError, match="its mode cannot be changed"):
        DataFolder(config.data).create()


@pytest.mark.usefixtures("_usual_umask")
def test_backups_are_private(service, tmp_path):
    (tmp_path / "backup").mkdir(0o755)
    back_up(service, tmp_path / "backup")
    assert (mode(tmp_path / "backup"), mode(tmp_path / "backup" / "serve.db")) == (0o700, 0o600)


@pytest.mark.usefixtures("_usual_umask")
def test_the_copy_of_an_older_database_is_private(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE of_an_older_version (x)")
    database.migrate()
    database.close()
    assert [mode(path) for path in tmp_path.glob("x.db.before-*")] == [0o600]
