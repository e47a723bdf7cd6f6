"""A full disk, and files on request that must not fill it."""

import os

import pytest
from sqlalchemy import select
from web_service import RAW, song_bytes, upload, with_limits, work

from bridge.web.service import disk
from bridge.web.service.disk import MIN_FREE_BYTES
from bridge.web.service.files import DataFolder
from bridge.web.service.tables import Job

MB = 1_000_000


@pytest.fixture
def song(service, bea):
    """A song of a second, separated."""
    made = upload(bea, song_bytes(1.0))
    work(service)
    return made


@pytest.fixture
def full(monkeypatch):
    """A disk on which nothing is left but the reserve."""
    monkeypatch.setattr(DataFolder, "free_bytes", lambda _: MIN_FREE_BYTES)


def problem_of(response):
    return response.status_code, response.json()["code"]


def mix(browser, song, **body):
    return browser.post(f"/api/v1/songs/{song['id']}/mixes", json=body)


@pytest.mark.usefixtures("full")
def test_an_upload_to_a_full_disk_is_refused_before_its_first_byte(service, bea):
    assert problem_of(bea.post("/api/v1/uploads", json={"name": "a.flac", "size": 1})) == (507, "disk-full")
    assert problem_of(bea.post("/api/v1/songs?name=a.flac", content=b"x", headers=RAW)) == (507, "disk-full")
    assert list(service.data.incoming.iterdir()) == []


@pytest.mark.parametrize("path", ["stems/other.wav", "stems/other.mp3", "all.zip?format=ogg", "stems.stem.mp4"])
def test_a_copy_on_a_full_disk_is_refused(bea, song, full, path):
    del full
    assert problem_of(bea.get(f"/api/v1/songs/{song['id']}/{path}")) == (507, "disk-full")
    assert bea.get(f"/api/v1/songs/{song['id']}/stems/other.flac").status_code == 200


def test_a_mix_on_a_full_disk_is_refused(bea, song, full):
    del full
    assert problem_of(mix(bea, song)) == (507, "disk-full")


def test_a_mix_fails_if_the_disk_is_full_once_it_is_rendered(service, bea, song, monkeypatch):
    job = mix(bea, song).json()
    monkeypatch.setattr(DataFolder, "free_bytes", lambda _: MIN_FREE_BYTES)
    work(service)
    ended = bea.get(f"/api/v1/jobs/{job['id']}").json()
    assert (ended["state"], "disk of this server is full" in ended["error"]) == ("failed", True)
    assert list(service.data.mixes()) == []


def test_the_mixes_of_an_account_fit_in_its_quota(service, clock, bea, song):
    used = bea.get("/api/v1/me").json()["storage"]["used"]
    one = disk.max_bytes(44100)
    with_limits(service, quota_bytes=used + 2 * one)
    jobs = [mix(bea, song, master_db=level) for level in (-1, -2)]
    assert [job.status_code for job in jobs] == [202, 202]
    assert problem_of(mix(bea, song, master_db=-3)) == (413, "quota-full")
    work(service)  # what is rendered counts as it is
    sizes = [path.stat().st_size for _, path in service.data.mixes()]
    with_limits(service, quota_bytes=used + sum(sizes) + one - 1)
    assert problem_of(mix(bea, song, master_db=-3)) == (413, "quota-full")
    with_limits(service, quota_bytes=used + sum(sizes) + one)
    assert mix(bea, song, master_db=-3).status_code == 202
    with service.database.read() as session:
        assert len(session.scalars(select(Job.id).where(Job.kind == "mix")).all()) == 3


def copies(service, number, size):
    """Write copies of a song that nobody has requested in a while."""
    folder = service.data.derived(f"{number:032}")
    folder.mkdir()
    with (folder / "other.wav").open("wb") as file:
        file.truncate(size)
    os.utime(folder, (number, number))
    return folder


def test_copies_of_all_songs_are_bounded_and_the_oldest_go_first(service, bea, song):
    third = disk.MAX_COPIES_BYTES // 3
    folders = [copies(service, number, third) for number in (2, 1, 3)]
    assert bea.get(f"/api/v1/songs/{song['id']}/stems/other.mp3").status_code == 200
    assert [folder.exists() for folder in folders] == [True, False, True]


def test_copies_go_when_the_disk_is_full_without_them(service, bea, song, monkeypatch):
    folders = [copies(service, number, MB) for number in range(3)]

    def free_bytes(data):
        return MIN_FREE_BYTES + (3 - sum(folder.exists() for folder in data.copies())) * MB

    monkeypatch.setattr(DataFolder, "free_bytes", free_bytes)
    assert bea.get(f"/api/v1/songs/{song['id']}/stems/other.mp3").status_code == 200
    assert [folder.exists() for folder in folders] == [False, True, True]
