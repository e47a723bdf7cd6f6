"""The live page over HTTP and WebSocket: access, refusals and limits."""

import contextlib
import http.client
import json
import re

import pytest
import waiting
import websockets.sync.client
from pythonosc.osc_message_builder import build_msg
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bridge.web.live.connection import MAX_MESSAGE_BYTES, MAX_MESSAGES_PER_SECOND
from bridge.web.live.session import MAX_CONNECTIONS, NOT_PAIRED
from bridge.web.live.surface import LivePage


def started(mixer, **options):
    page = LivePage(mixer, port=0, **options)
    page.start()
    return page


@pytest.fixture
def local(mixer):
    page = started(mixer)
    yield page
    page.stop()


@pytest.fixture
def paired(mixer, tmp_path):
    """A page that phones have to pair with."""
    page = started(mixer, host="0.0.0.0", devices=tmp_path / "devices.json")
    yield page
    page.stop()


def request(page, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=5)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def connect(page, origin=None, cookie=None):
    headers = {"Cookie": cookie} if cookie else {}
    url = f"ws://127.0.0.1:{page.port}/ws"
    return websockets.sync.client.connect(
        url, subprotocols=["osc"], origin=origin, additional_headers=headers, proxy=None, close_timeout=1
    )


def cookie_of(page, role="control"):
    key = re.search("k=(.+)", page.link(role))[1]
    body = json.dumps({"key": key})
    response, _ = request(page, "POST", "/pair", body, Origin=f"http://127.0.0.1:{page.port}")
    assert response.status == 200
    flags = response.headers["Set-Cookie"]
    assert "HttpOnly" in flags
    assert "samesite=strict" in flags.lower()
    return flags.partition(";")[0]


def test_page_and_its_files_come_with_the_headers(local):
    response, page = request(local, "GET", "/")
    assert response.status == 200
    assert b"<script>" not in page
    assert b"style=" not in page
    for path in re.findall(r'(?:src|href)="(/a/[^"]+)"', page.decode()):
        response, _ = request(local, "GET", path)
        assert response.status == 200, path
        assert "immutable" in response.headers["Cache-Control"]
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert response.headers["Server"] is None


def test_websocket_of_another_origin_is_refused(local):
    with pytest.raises(InvalidStatus):
        connect(local, origin="https://evil.example")
    with connect(local, origin=f"http://127.0.0.1:{local.port}") as socket:
        assert json.loads(socket.recv())["role"] == "control"


def test_foreign_host_is_refused(local):
    assert request(local, "GET", "/", Host="evil.example")[0].status == 400


def test_device_without_a_key_is_sent_away(paired, mixer):
    with connect(paired) as socket:
        with contextlib.suppress(ConnectionClosed):
            socket.send(build_msg("/bypass", [1]).dgram)
        assert _closed(socket) == NOT_PAIRED
    assert mixer.controls["bypass"] is False


def test_device_with_a_key_moves_faders(paired, mixer):
    with connect(paired, cookie=cookie_of(paired)) as socket:
        assert json.loads(socket.recv())["role"] == "control"
        socket.send(build_msg("/bypass", [1]).dgram)
        waiting.until(lambda: mixer.controls["bypass"])


def test_viewer_receives_everything_and_moves_nothing(paired, mixer):
    with connect(paired, cookie=cookie_of(paired, "view")) as socket:
        assert json.loads(socket.recv())["role"] == "view"
        for message in (build_msg("/bypass", [1]), build_msg("/bypass/toggle"), build_msg("/preset/store", ["x"])):
            socket.send(message.dgram)
        refused = 0
        while refused < 3:
            message = socket.recv(timeout=waiting.PATIENCE)
            refused += isinstance(message, bytes) and b"this page is read-only" in message
    assert mixer.controls["bypass"] is False
    assert mixer.stored == []


@pytest.mark.parametrize(
    ("body", "status"), [('{"key": "wrong"}', 403), ("{", 400), ("[]", 400), ("[" * 2000, 413), ('{"key": 1}', 403)]
)
def test_pairing_with_nonsense_gets_an_error_message(paired, body, status):
    response, content = request(paired, "POST", "/pair", body, Origin=f"http://127.0.0.1:{paired.port}")
    assert (response.status, response.headers["Content-Type"]) == (status, "application/problem+json")
    assert json.loads(content)["detail"].endswith(".")
    assert response.headers["Set-Cookie"] is None


def test_pairing_from_another_site_is_refused(paired):
    key = re.search("k=(.+)", paired.link())[1]
    response, _ = request(paired, "POST", "/pair", json.dumps({"key": key}), Origin="https://evil.example")
    assert response.status == 403


def test_key_is_in_the_fragment_alone(paired):
    assert re.fullmatch(r"http://[^/]+:\d+/#k=[\w-]{22}", paired.link())


def _closed(socket):
    for _ in received(socket, timeout=waiting.PATIENCE):
        pass
    return socket.close_code


def received(socket, timeout):
    """Yields what a browser receives until nothing comes for ``timeout`` seconds, or the connection ends."""
    with contextlib.suppress(ConnectionClosed, TimeoutError):
        while True:
            yield socket.recv(timeout=timeout)


def test_flood_of_messages_ends_the_connection(local):
    with connect(local) as socket:
        for _ in range(MAX_MESSAGES_PER_SECOND * 2):
            try:
                socket.send(build_msg("/ping").dgram)
            except ConnectionClosed:
                break
        assert _closed(socket) == 1008


def test_message_that_is_too_long_ends_the_connection(local):
    with connect(local) as socket:
        socket.send(bytes(MAX_MESSAGE_BYTES + 1))
        assert _closed(socket) == 1009


def test_one_browser_too_many_is_refused_for_now(local):
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            stack.enter_context(connect(local)).recv()
        assert _closed(stack.enter_context(connect(local))) == 1013


def test_browsers_receive_the_list_of_peers(local):
    with connect(local) as first, connect(local):
        peers = []
        while len(peers) < 2:
            message = first.recv(timeout=waiting.PATIENCE)
            peers = json.loads(message).get("peers", peers) if isinstance(message, str) else peers
    assert [peer["role"] for peer in peers] == ["control", "control"]


def test_hidden_page_receives_no_meters(local, mixer):
    with connect(local) as socket:
        socket.send('{"meters": false}')
        socket.send(build_msg("/ping").dgram)
        assert any(
            b"/pong" in message for message in received(socket, waiting.PATIENCE) if isinstance(message, bytes)
        )
        mixer.metered = dict.fromkeys(mixer.metered, (0.5, 0.5))
        assert not any(
            b"/meter" in message for message in received(socket, timeout=0.3) if isinstance(message, bytes)
        )


def test_revoked_device_is_disconnected(paired, tmp_path, monkeypatch):
    monkeypatch.setattr("bridge.web.live.session._CHECK_SECONDS", 0.05)
    paired.stop()
    paired.start()
    from bridge.web.live.pairing import Devices  # noqa: PLC0415 - only here

    with connect(paired, cookie=cookie_of(paired)) as socket:
        devices = Devices(tmp_path / "devices.json")
        devices.revoke(devices.all()[0].id)
        assert _closed(socket) == NOT_PAIRED


def test_stop_ends_with_browsers_connected(mixer):
    page = started(mixer)
    with connect(page) as socket:
        socket.recv()
        page.stop()
        assert _closed(socket) == 1001
