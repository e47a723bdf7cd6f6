"""Many requests that wait leave the service to others."""

import asyncio
import threading

import httpx2
from web_service import ORIGIN, PASSWORD, song_bytes

from bridge.web.service import sandbox
from bridge.web.service.app import make_app
from bridge.web.service.passwords import Passwords
from bridge.web.service.throttle import Throttle

STORM = 60


def test_a_storm_of_log_ins_leaves_other_requests_alone(service, monkeypatch):
    monkeypatch.setattr(Throttle, "check", lambda *_: None)
    go_on, waiting = threading.Event(), []

    def verify(_self, _stored, _password):
        waiting.append(1)
        return go_on.wait(60) and False

    monkeypatch.setattr(Passwords, "verify", verify)
    codes = asyncio.run(storm(service, log_in, waiting, go_on))
    assert codes == [401] * STORM


def test_songs_that_wait_to_be_looked_at_leave_other_requests_alone(service, admin, monkeypatch):
    with service.database.write() as session:
        service.change_limits(session, {"max_uploads": 2 * STORM, "max_waiting_jobs": 2 * STORM})
    go_on, waiting = threading.Event(), []

    def run(*_):
        waiting.append(1)
        go_on.wait(60)
        return {"seconds": 1.0}

    monkeypatch.setattr(sandbox, "_run", run)
    monkeypatch.setattr(sandbox, "_PARALLEL", threading.Semaphore(STORM))
    cookie = f"stream_sep={admin.cookies['stream_sep']}"

    async def upload(client):
        headers = {"Cookie": cookie, "Content-Type": "application/octet-stream"}
        return await client.post("/api/v1/songs?name=a.flac", content=song_bytes(0.1), headers=headers)

    assert asyncio.run(storm(service, upload, waiting, go_on)) == [201] * STORM


async def log_in(client):
    return await client.post("/api/v1/session", json={"name": "nobody", "password": PASSWORD})


async def storm(service, request, waiting, go_on):
    """Send many requests that wait, then one that must not; return the codes of the many."""
    app = make_app(service)
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN, headers={"Origin": ORIGIN})
    async with app.router.lifespan_context(app), client:
        many = [asyncio.create_task(request(client)) for _ in range(STORM)]
        while len(waiting) < STORM:  # noqa: ASYNC110 - threads fill it, which sets no asyncio event
            await asyncio.sleep(0.01)
        for path in ("/healthz", "/api/v1/server"):
            assert (await client.get(path)).status_code == 200
        go_on.set()
        return [(await task).status_code for task in many]
