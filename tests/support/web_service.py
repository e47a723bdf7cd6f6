"""What tests of the service share: songs, uploads, a worker that runs in the test's own thread."""

import dataclasses
import io
import threading

import numpy as np
import soundfile
from sqlalchemy import select
from starlette.testclient import TestClient

from bridge.web.service.config import HashCosts
from bridge.web.service.tables import Job
from bridge.web.service.worker import WorkerProcess

__all__ = ["TestClient"]

PASSWORD = "three random words"
ORIGIN = "http://localhost"
RAW = {"Content-Type": "application/octet-stream"}
CHEAP = HashCosts(memory_kib=64, passes=1, lanes=1)


class Clock:
    """A clock that advances a microsecond at each reading, so that no two events coincide; tests move it further."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        self.now += 1e-6
        return self.now


def song_bytes(seconds=5.0, rate=44100, form="FLAC", seed=0):
    """Return a file of noise that changes with the seed."""
    noise = np.random.default_rng(seed).uniform(-0.3, 0.3, (round(seconds * rate), 2)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, noise, rate, format=form)
    return file.getvalue()


def upload(browser, data=None, name="song.flac", model="", **headers):
    """Upload a file in one request; return the song."""
    sent = browser.post(
        "/api/v1/songs",
        params={"name": name, "model": model},
        content=song_bytes() if data is None else data,
        headers={"Content-Type": "application/octet-stream", **headers},
    )
    assert sent.status_code == 201, sent.text
    return sent.json()


def work(service, *, even_if_none_wait=False):
    """Do all jobs that wait, in this thread."""
    worker = WorkerProcess(service)
    stop = threading.Timer(60.0, worker.stop)
    stop.start()
    while jobs_of(service, "queued") or even_if_none_wait:
        even_if_none_wait = False
        if not (worker.work_once(("mix",)) or worker.work_once(("separate",))):
            break
    stop.cancel()


def jobs_of(service, state):
    with service.database.read() as session:
        return [job.id for job in session.query(Job).filter(Job.state == state)]


def expire_leases(service):
    """Let the leases of all running jobs expire, rather than wait for half a minute."""
    with service.database.write() as session:
        running = select(Job).where(Job.state == "running").with_for_update()
        for job in session.scalars(running):
            job.lease = 1.0


def with_limits(service, **values):
    with service.database.write() as session:
        service.change_limits(session, values)


def configured(config, **values):
    return dataclasses.replace(config, **values)
