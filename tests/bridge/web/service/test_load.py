"""More requests that wait than there are threads leave the service to others."""

import asyncio
import threading

import anyio.to_thread
import httpx2
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlalchemy import func, select
from web_service import ORIGIN, PASSWORD, song_bytes, upload, with_limits, work

from bridge.web.service import downloads, sandbox
from bridge.web.service.app import _THREADS, make_app
from bridge.web.service.tables import Upload
from bridge.web.service.throttle import Throttle

STORM = _THREADS + 20
PATIENCE = 120.0


def test_a_storm_of_log_ins_leaves_other_requests_alone(service, monkeypatch):
    monkeypatch.setattr(Throttle, "check", lambda *_: None)
    go_on = threading.Event()

    def verify(*_):
        go_on.wait(PATIENCE)
        raise VerifyMismatchError

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    places = service.passwords._slots.places

    async def log_in(client):
        return await client.post("/api/v1/session", json={"name": "nobody", "password": PASSWORD})

    responses = asyncio.run(storm(service, log_in, all_but(places), go_on))
    assert_some_got_retry_after(responses, 401, places)


def test_a_storm_of_downloads_leaves_other_requests_alone(service, admin, monkeypatch):
    song = upload(admin, song_bytes(1.0))
    work(service)
    go_on, convert = threading.Event(), downloads._convert

    def convert_late(*arguments):
        go_on.wait(PATIENCE)
        convert(*arguments)

    monkeypatch.setattr(downloads, "_convert", convert_late)
    places = downloads._CONVERTING.places
    headers = {"Cookie": f"stream_sep={admin.cookies['stream_sep']}"}

    async def download(client):
        return await client.get(f"/api/v1/songs/{song['id']}/stems/other.ogg", headers=headers)

    responses = asyncio.run(storm(service, download, all_but(places), go_on))
    assert_some_got_retry_after(responses, 200, places)


def test_songs_that_wait_to_be_looked_at_leave_other_requests_alone(service, admin, monkeypatch):
    with_limits(service, max_uploads=2 * STORM, max_waiting_jobs=2 * STORM)
    go_on = threading.Event()

    def run(*_):
        go_on.wait(PATIENCE)
        return {"seconds": 1.0}

    monkeypatch.setattr(sandbox, "_run", run)
    headers = {"Cookie": f"stream_sep={admin.cookies['stream_sep']}", "Content-Type": "application/octet-stream"}

    async def send(client):
        return await client.post("/api/v1/songs?name=a.flac", content=song_bytes(0.1), headers=headers)

    def all_received(_tasks):
        with service.database.read() as session:
            whole = session.scalar(select(func.count()).where(Upload.offset == Upload.size))
        return whole == STORM

    responses = asyncio.run(storm(service, send, all_received, go_on))
    assert [response.status_code for response in responses] == [201] * STORM


def all_but(places):
    """Return a function of tasks: whether all have ended but those that wait for so many places."""
    return lambda tasks: sum(task.done() for task in tasks) >= STORM - places


def assert_some_got_retry_after(responses, status, places):
    codes = [response.status_code for response in responses]
    assert sorted(codes) == sorted([status] * places + [503] * (STORM - places))
    assert all(int(response.headers["Retry-After"]) > 0 for response in responses if response.status_code == 503)


async def storm(service, request, settled, go_on):
    """Send many requests that wait until they have settled, then some that must not; return the many responses."""
    app = make_app(service)
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN, headers={"Origin": ORIGIN})
    async with app.router.lifespan_context(app), client:
        many = [asyncio.create_task(request(client)) for _ in range(STORM)]
        try:
            async with asyncio.timeout(PATIENCE):
                while not settled(many):  # noqa: ASYNC110 - threads do this, which sets no asyncio event
                    await asyncio.sleep(0.05)
                for path in ("/healthz", "/api/v1/server"):
                    assert (await client.get(path)).status_code == 200
        finally:
            go_on.set()
        return [await task for task in many]


def test_the_health_check_needs_no_thread(service):
    async def check():
        app, go_on = make_app(service), threading.Event()
        client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN)
        async with app.router.lifespan_context(app), client:
            busy = [asyncio.create_task(anyio.to_thread.run_sync(go_on.wait, PATIENCE)) for _ in range(_THREADS)]
            limiter = anyio.to_thread.current_default_thread_limiter()
            try:
                async with asyncio.timeout(PATIENCE):
                    while limiter.available_tokens:  # noqa: ASYNC110 - as above
                        await asyncio.sleep(0.05)
                    return (await client.get("/healthz")).status_code
            finally:
                go_on.set()
                await asyncio.gather(*busy)

    assert asyncio.run(check()) == 200
