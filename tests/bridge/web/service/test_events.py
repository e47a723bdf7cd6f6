"""Events for open pages over their WebSocket."""

import asyncio
import contextlib
import itertools
import queue
import threading

import pytest
from sqlalchemy import update
from starlette.websockets import WebSocketDisconnect
from web_service import ORIGIN, TestClient, song_bytes, upload, work

from bridge.web.service import events, sessions
from bridge.web.service.routes import events as events_route
from bridge.web.service.tables import LoginSession

PATIENCE = 30.0

OURS = {"Origin": ORIGIN, "Host": "localhost"}  # the test client calls sockets' host testserver otherwise


@pytest.fixture
def live(site, bea, monkeypatch):
    """A browser of bea's in which the feed of events runs."""
    monkeypatch.setattr(events, "POLL_SECONDS", 0.02)
    cookie = f"stream_sep={bea.cookies['stream_sep']}"
    with TestClient(site, base_url=ORIGIN, headers={**OURS, "Cookie": cookie}) as browser:
        yield browser


def receive_until(socket, kind, accept=lambda _body: True):
    seen = []
    for _ in range(200):
        message = socket.receive_json()
        seen.append(message["kind"])
        if message["kind"] == kind and accept(message["body"]):
            return message
    raise AssertionError(seen)


def test_an_upload_and_its_separation_are_published_in_order(service, live):
    with live.websocket_connect("/api/v1/events") as socket:
        assert socket.receive_json()["body"] == {"reset": False}
        song = upload(live, song_bytes(3.0))
        queued = receive_until(socket, "job")
        assert (queued["body"]["state"], queued["body"]["song_id"], queued["body"]["position"]) == (
            "queued",
            song["id"],
            1,
        )
        work(service)
        receive_until(socket, "job", lambda body: body["state"] == "running")
        done = receive_until(socket, "job", lambda body: body["state"] == "done")
        ready = receive_until(socket, "song", lambda body: body["state"] == "ready")
        assert queued["seq"] < done["seq"] < ready["seq"]


def test_a_page_goes_on_where_it_was(live):
    with live.websocket_connect("/api/v1/events") as socket:
        socket.receive_json()
        upload(live, song_bytes(1.0))
        last = receive_until(socket, "song")["seq"]
    second = upload(live, song_bytes(1.0, seed=1))
    with live.websocket_connect(f"/api/v1/events?after={last}") as socket:
        hello = socket.receive_json()
        assert (hello["seq"], hello["body"]["reset"]) == (last, False)
        message = receive_until(socket, "song")
        assert message["body"]["id"] == second["id"]
        assert message["seq"] > last


def test_a_number_that_is_gone_has_the_page_begin_anew(service, clock, live):
    upload(live, song_bytes(1.0))
    clock.now += events.KEPT_SECONDS + 1
    with service.database.write() as session:
        events.prune(service, session)
    with live.websocket_connect("/api/v1/events?after=0") as socket:
        assert socket.receive_json()["body"]["reset"]
    with live.websocket_connect("/api/v1/events?after=999999") as socket:
        assert socket.receive_json()["body"]["reset"]


def test_nobody_receives_events_of_anothers_songs(service, admin, live):
    with live.websocket_connect("/api/v1/events") as socket:
        socket.receive_json()
        upload(admin, song_bytes(1.0))
        own = upload(live, song_bytes(1.0))
        assert receive_until(socket, "song")["body"]["id"] == own["id"]


def test_a_socket_of_another_site_is_refused_before_it_opens(site, live):
    with TestClient(site, base_url=ORIGIN, headers=OURS) as stranger:
        for browser, origin in itertools.product((live, stranger), ("https://evil.example", "null")):
            opening = browser.websocket_connect("/api/v1/events", headers={"Origin": origin})
            with pytest.raises(WebSocketDisconnect), opening:
                pass


def test_a_socket_of_nobody_is_closed_with_a_code_that_browsers_see(site):
    with (
        TestClient(site, base_url=ORIGIN, headers=OURS) as stranger,
        stranger.websocket_connect("/api/v1/events") as socket,
        pytest.raises(WebSocketDisconnect) as closed,
    ):
        socket.receive_json()
    assert closed.value.code == 4401


def test_a_token_opens_a_socket_too(site, bea):
    secret = bea.post("/api/v1/me/tokens", json={"name": "t"}).json()["secret"]
    with (
        TestClient(
            site, base_url=ORIGIN, headers={"Authorization": f"Bearer {secret}", "Host": "localhost"}
        ) as program,
        program.websocket_connect("/api/v1/events") as socket,
    ):
        assert socket.receive_json()["kind"] == "hello"


def end_everywhere(bea, _service, _clock):
    bea.delete("/api/v1/session?everywhere=true")


def idle_for_two_weeks(_bea, _service, clock):
    clock.now += sessions.IDLE_SECONDS + 1


def use_for_ninety_days(_bea, service, clock):
    clock.now += sessions.MAX_SECONDS + 1
    with service.database.write() as session:
        session.execute(update(LoginSession).values(used=clock.now))


@pytest.fixture
def _checked_often(monkeypatch):
    monkeypatch.setattr(events_route, "_CHECK_SECONDS", 0.05)


@pytest.fixture
def _busy(monkeypatch):
    """Each look for an event finds one, as during a separation."""

    class Stream(asyncio.Queue):
        async def get(self):
            await asyncio.sleep(0)
            return events.Notice(1 << 40, "", "job", {})

    @contextlib.contextmanager
    def subscribe(_feed, _user_id):
        yield Stream()

    monkeypatch.setattr(events.EventFeed, "subscribe", subscribe)


def code_at_the_end(socket):
    """Read messages until the socket is closed; return the code, or None if it is still open after a long time."""
    codes = queue.Queue()

    def read():
        try:
            while True:
                socket.receive_json()
        except WebSocketDisconnect as ended:
            codes.put(ended.code)

    threading.Thread(target=read, daemon=True).start()
    with contextlib.suppress(queue.Empty):
        return codes.get(timeout=PATIENCE)
    return None


@pytest.mark.usefixtures("_checked_often")
@pytest.mark.parametrize("end", [end_everywhere, idle_for_two_weeks, use_for_ninety_days])
def test_a_socket_ends_with_its_session(service, clock, live, bea, end):
    with live.websocket_connect("/api/v1/events") as socket:
        socket.receive_json()
        end(bea, service, clock)
        assert code_at_the_end(socket) == 4401


@pytest.mark.usefixtures("_checked_often", "_busy")
def test_a_socket_ends_with_its_session_while_events_arrive(live, bea):
    with live.websocket_connect("/api/v1/events") as socket:
        socket.receive_json()
        bea.delete("/api/v1/session?everywhere=true")
        assert code_at_the_end(socket) == 4401


@pytest.mark.usefixtures("_checked_often")
def test_a_socket_ends_with_its_token(site, bea):
    made = bea.post("/api/v1/me/tokens", json={"name": "t"}).json()
    headers = {"Authorization": f"Bearer {made['secret']}", "Host": "localhost"}
    with (
        TestClient(site, base_url=ORIGIN, headers=headers) as program,
        program.websocket_connect("/api/v1/events") as socket,
    ):
        assert socket.receive_json()["kind"] == "hello"
        bea.delete(f"/api/v1/me/tokens/{made['id']}")
        assert code_at_the_end(socket) == 4401
