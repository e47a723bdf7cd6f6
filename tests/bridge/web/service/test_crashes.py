"""Killed at any point, nothing that was accepted is lost, nothing is done twice, and nothing is left over."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import waiting
from sqlalchemy import select
from web_service import expire_leases, song_bytes, upload, work

from bridge.web.service import claims, lease, queue
from bridge.web.service import reconcile as reconciling
from bridge.web.service.completion import complete
from bridge.web.service.consistency import find_violations
from bridge.web.service.context import open_service
from bridge.web.service.crash import POINTS, VARIABLE
from bridge.web.service.reconcile import reconcile
from bridge.web.service.tables import Job, Song, Upload
from bridge.web.service.uploads import cancel_upload

SUPPORT = Path(__file__).parents[3] / "support"
UPLOADING = ("after_write", "after_fsync", "after_rename", "before_commit", "after_commit")
WORKING = tuple(point for point in POINTS if point not in UPLOADING)
TIMEOUT = 120


def run(point, service, *command):
    paths = os.pathsep.join([str(SUPPORT.parents[1]), str(SUPPORT), *sys.path])
    database = service.config.database
    environment = {**os.environ, VARIABLE: point, "PYTHONPATH": paths, "STREAM_SEP_DATABASE": database}
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )


def run_worker(point, service):
    data = str(service.data.root)
    return run(
        point, service, "-m", "stream_sep", "serve", "--role", "worker", "--data", data, "--model", "passthrough"
    )


def songs_of(service):
    with service.database.read() as session:
        return list(session.scalars(select(Song)))


@pytest.mark.parametrize("point", UPLOADING)
def test_a_web_process_killed_while_a_song_comes_in(service, admin, tmp_path, point):
    song = tmp_path / "song.flac"
    song.write_bytes(song_bytes(2.0))
    crashed = run(point, service, str(SUPPORT / "upload_once.py"), str(service.data.root), str(song))
    assert (crashed.returncode, crashed.stdout) == (-signal.SIGKILL, ""), crashed.stderr
    reconcile(service)
    (found,) = songs_of(service) or [None]
    was_written_down = point in {"after_rename", "before_commit", "after_commit"}
    assert (found is not None) == was_written_down
    if found is not None:
        assert (service.data.song(found.id) / "upload").read_bytes() == song.read_bytes()
        work(service)
        assert songs_of(service)[0].state == "ready"
    assert find_violations(service) == []


@pytest.mark.parametrize("point", WORKING)
def test_a_worker_killed_while_it_has_a_song(service, admin, point):
    upload(admin, song_bytes(3.0))
    assert run_worker(point, service).returncode == -signal.SIGKILL
    expire_leases(service)
    if point != "after_done":
        with service.database.read() as session:
            assert session.scalars(select(Job.state)).all() == ["running"]
    work(service, even_if_none_wait=True)
    (song,) = songs_of(service)
    assert (song.state, song.frames) == ("ready", 3 * 44100)
    assert admin.get(f"/api/v1/songs/{song.id}/stems/drums.flac").status_code == 200
    assert find_violations(service) == []


def test_a_song_that_ends_three_workers_fails_and_reports_it(service, admin):
    upload(admin, song_bytes(1.0))
    for _ in range(claims.MAX_TRIES):
        assert claims.claim(service, "a worker that dies", ("separate",)) is not None
        expire_leases(service)
    assert claims.claim(service, "another", ("separate",)) is None
    (song,) = songs_of(service)
    assert (song.state, song.error) == ("failed", claims.LOST)


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_workers_whose_clocks_differ_keep_their_jobs(service, config, clock, admin, skew):
    upload(admin, song_bytes(1.0))
    claimed = claims.claim(service, "here", ("separate",))
    other = open_service(config, lambda: clock() + skew)
    try:
        assert claims.claim(other, "there", ("separate",)) is None
        reconcile(other)
        claims.renew(service, claimed)
        assert claims.claim(other, "there", ("separate",)) is None
        expire_leases(service)
        taken = claims.claim(other, "there", ("separate",))
        assert claims.claim(service, "here", ("separate",)) is None
    finally:
        other.close()
    assert (taken.job_id, taken.attempt) == (claimed.job_id, 2)


def test_a_worker_whose_clock_is_ahead_has_time_to_cancel(service, clock, admin, monkeypatch):
    kills = []
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.01)
    monkeypatch.setattr(lease.Lease, "_kill", lambda _: kills.append("kill"))
    upload(admin, song_bytes(1.0))
    claimed = claims.claim(service, "worker", ("separate",))
    with service.database.write() as session:
        queue.cancel(service, session, claimed.job_id)
    clock.now += 3600.0
    with lease.Lease(service, claimed, threading.Event()) as held:
        waiting.until(lambda: held._reason)
    assert (held._reason, kills) == ("cancelled", [])


def test_a_worker_that_lost_its_lease_changes_nothing(service, admin):
    upload(admin, song_bytes(1.0))
    late = claims.claim(service, "late", ("separate",))
    expire_leases(service)
    now = claims.claim(service, "next", ("separate",))
    assert (late.job_id, late.attempt, now.attempt) == (now.job_id, 1, 2)
    for action in (
        lambda session: claims.finish(service, session, late, "done"),
        lambda session: claims.lock_claimed(session, late),
    ):
        with pytest.raises(claims.LeaseLostError), service.database.write() as session:
            action(session)
    with pytest.raises(claims.LeaseLostError):
        claims.renew(service, late)
    with service.database.read() as session:
        assert session.scalars(select(Job.worker)).all() == ["next"]


def test_a_stopped_worker_releases_its_job_uncounted(service, admin):
    upload(admin, song_bytes(1.0))
    claimed = claims.claim(service, "w", ("separate",))
    claims.release(service, claimed)
    with service.database.read() as session:
        job = session.scalars(select(Job)).one()
    assert (job.state, job.tries, songs_of(service)[0].state) == ("queued", 0, "waiting")


def test_a_song_whose_files_are_gone_fails_with_a_message(service, admin):
    song = upload(admin, song_bytes(1.0))
    work(service)
    for path in service.data.song(song["id"]).iterdir():
        if path.is_file():
            path.unlink()
    assert reconcile(service, dry_run=True).failed == [song["id"]]
    assert admin.get(f"/api/v1/songs/{song['id']}").json()["state"] == "ready"
    reconcile(service)
    assert "gone" in admin.get(f"/api/v1/songs/{song['id']}").json()["error"]


def test_stems_that_replace_others_while_a_process_starts_are_kept(service, admin, monkeypatch):
    """Another worker commits new stems, and removes the old ones, between the list of songs and the check of one."""
    song = upload(admin, song_bytes(1.0))
    work(service)
    again = {"model": "passthrough", "stems": ["vocals"]}
    admin.post(f"/api/v1/songs/{song['id']}/jobs", json=again)
    plain, calls = reconciling.missing_files, []

    def replace_first(data, song_id, job_id):
        if not calls:
            calls.append(job_id)
            work(service)
        return plain(data, song_id, job_id)

    monkeypatch.setattr(reconciling, "missing_files", replace_first)
    reconcile(service)
    after = admin.get(f"/api/v1/songs/{song['id']}").json()
    assert (after["state"], after["stems"], after["job"]["id"] == calls[0]) == ("ready", ["vocals"], False)


def test_upload_that_is_cancelled_while_a_process_starts_is_left_alone(service, admin, monkeypatch):
    upload_id = admin.post("/api/v1/uploads", json={"name": "song.flac", "size": 1000}).json()["id"]
    with service.database.write() as session:
        row = session.get(Upload, upload_id)
        row.offset = row.size  # all bytes are there, and the web process was killed

    def cancel_first(service, upload_id):
        with service.database.read() as session:
            row = session.get(Upload, upload_id)
        cancel_upload(service, row)
        return complete(service, upload_id)

    monkeypatch.setattr("bridge.web.service.reconcile.complete", cancel_first)
    assert reconcile(service).completed == [upload_id]
    assert songs_of(service) == []


def test_unreferenced_files_are_removed_after_a_day_and_not_before(service):
    stray = service.data.incoming / "nobody.part"
    stray.write_bytes(b"x")
    assert reconcile(service).removed == []
    os.utime(stray, (0, 0))
    assert reconcile(service).removed == [stray]
    assert not stray.exists()
