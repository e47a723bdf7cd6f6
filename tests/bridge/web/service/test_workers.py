"""Several worker processes on one PostgreSQL database and one folder, as on several machines; one is killed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from functools import partial

import processes
import pytest
import waiting
from sqlalchemy import select
from web_service import song_bytes, upload

from bridge.web.service.consistency import find_violations
from bridge.web.service.context import open_service
from bridge.web.service.tables import Job, Song

TIMEOUT = 180.0
SONGS = 6
wait_until = partial(waiting.until, patience=TIMEOUT, every=0.05)


@pytest.fixture
def database(new_database):
    return new_database()


@pytest.fixture
def service(config):
    """A service whose clock is the real one, as that of its workers is."""
    opened = open_service(config)
    yield opened
    opened.close()


@contextlib.contextmanager
def worker(service, crash_at=""):
    command = [sys.executable, "-m", "stream_sep", "serve", "--role", "worker", "--model", "passthrough"]
    env = {**os.environ, "STREAM_SEP_DATABASE": service.config.database, "STREAM_SEP_CRASH_AT": crash_at}
    with subprocess.Popen([*command, "--data", str(service.data.root)], env=env) as process:
        try:
            yield process
        finally:
            processes.end(process, 30)


def states(service):
    with service.database.read() as session:
        return [song.state for song in session.scalars(select(Song).order_by(Song.created))]


def test_two_workers_share_the_queue_and_one_that_is_killed_loses_nothing(service, admin):
    for number in range(SONGS):
        upload(admin, song_bytes(2.0, seed=number))
    with worker(service, crash_at="first_window") as killed, worker(service):
        killed.wait(TIMEOUT)
        assert killed.returncode == -signal.SIGKILL
        with service.database.write() as session:  # rather than wait for half a minute
            running = select(Job).where(Job.state == "running").with_for_update()  # as the other worker goes on
            for job in session.scalars(running):
                job.lease = min(job.lease, time.time() + 5.0)
        wait_until(lambda: states(service) == ["ready"] * SONGS)
    with service.database.read() as session:
        jobs = list(session.scalars(select(Job)))
    assert sorted(job.tries for job in jobs) == [0] * (SONGS - 1) + [1]
    assert {job.state for job in jobs} == {"done"}
    assert find_violations(service) == []


def test_worker_that_is_terminated_leaves_its_song_to_the_other(service, admin):
    song = upload(admin, song_bytes(60.0), model="causal-6ms")  # passthrough would be done at once

    def job():
        return admin.get(f"/api/v1/songs/{song['id']}").json()["job"]

    with worker(service) as first:
        wait_until(lambda: job()["frames_ready"] > 0)
        first.terminate()
        assert first.wait(60) == 0
    assert job()["state"] == "queued"
    with worker(service):
        wait_until(lambda: states(service) == ["ready"])
    with service.database.read() as session:
        assert session.scalars(select(Job.tries)).all() == [0]
    assert find_violations(service) == []
