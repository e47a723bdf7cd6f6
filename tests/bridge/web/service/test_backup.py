"""Backups that are made while the service works."""

import pytest
from web_service import song_bytes, upload, work

from bridge.web.service import backup
from bridge.web.service.backup import BackupError, back_up, check_backup
from bridge.web.service.files import DataFolder


@pytest.fixture
def database():
    """SQLite, whatever the other tests run on: `pg_dump` backs up PostgreSQL."""
    return ""


@pytest.fixture
def song(service, admin):
    made = upload(admin, song_bytes(1.0))
    work(service)
    return made


def separate_again(service, admin, song):
    admin.post(f"/api/v1/songs/{song['id']}/jobs", json={"model": "passthrough", "stems": ["vocals"]})
    work(service)


@pytest.fixture
def meanwhile(service, monkeypatch):
    """A function that runs an action between the copies of database and files, every time or once."""
    plain = service.database.copy_to

    def install(action, *, times=1):
        left = list(range(times))

        def copy_to(target):
            plain(target)
            if left:
                left.pop()
                action()

        monkeypatch.setattr(service.database, "copy_to", copy_to)

    return install


def test_backup_while_stems_are_replaced_has_the_new_ones(service, admin, song, meanwhile, tmp_path):
    meanwhile(lambda: separate_again(service, admin, song))
    made = back_up(service, tmp_path / "copy")
    assert check_backup(tmp_path / "copy") == made
    job = admin.get(f"/api/v1/songs/{song['id']}").json()["job"]["id"]
    assert (DataFolder(tmp_path / "copy").stems(song["id"], job) / "manifest.json").is_file()


def test_backup_while_a_song_is_deleted_is_without_it(service, admin, song, meanwhile, tmp_path):
    meanwhile(lambda: admin.delete(f"/api/v1/songs/{song['id']}?forever=true"))
    back_up(service, tmp_path / "copy")
    assert backup._incomplete_songs(DataFolder(tmp_path / "copy")) == []


def test_backup_of_songs_that_lack_files_is_refused(service, song, tmp_path):
    for path in service.data.song(song["id"]).glob("stems-*/manifest.json"):
        path.unlink()
    with pytest.raises(BackupError, match=f"files of {song['id']} are not on the disk"):
        back_up(service, tmp_path / "copy")
    with pytest.raises(BackupError, match="does not contain a finished backup"):
        check_backup(tmp_path / "copy")


def test_backup_whose_database_names_missing_stems_does_not_verify(service, song, tmp_path):
    back_up(service, tmp_path / "copy")
    manifest = tmp_path / "copy" / backup.MANIFEST
    (stems,) = DataFolder(tmp_path / "copy").song(song["id"]).glob("stems-*/manifest.json")
    stems.unlink()
    lines = [line for line in manifest.read_text().splitlines() if "manifest.json" not in line]
    manifest.write_text("\n".join(lines))
    with pytest.raises(BackupError, match=f"lacks files of {song['id']}"):
        check_backup(tmp_path / "copy")
