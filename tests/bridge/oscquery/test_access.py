"""Which pages may read and write: none of another site, however it reached the server."""

import contextlib
import http.client
import logging
import socket
import struct

import pytest
import websockets.exceptions
import websockets.sync.client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pythonosc.osc_message_builder import build_msg
from waiting import PATIENCE, until

from bridge.oscquery.access import Access
from bridge.oscquery.server import OscQueryServer

EVIL = "https://evil.example"


@pytest.fixture
def server(mixer):
    running = OscQueryServer(mixer, port=0, announce=False, origins=["http://localhost:3000"])
    running.start()
    yield running
    running.stop()


def get(server, path="/stem/vocals/pan?VALUE", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def raw(server, request):
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
        connection.sendall(request)
        with contextlib.suppress(OSError):
            return connection.recv(65536)
    return b""


def move(server, host="", **options):
    url = f"ws://{host or f'127.0.0.1:{server.port}'}"
    there = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
    with websockets.sync.client.connect(url, sock=there, proxy=None, close_timeout=1, **options) as page:
        page.send(build_msg("/stem/vocals/gain", -60.0).dgram)
        page.send(build_msg("/ping").dgram)
        page.recv(PATIENCE)


@pytest.mark.parametrize("origin", [EVIL, "null", "http://127.0.0.1:1", "file://", "https://localhost:3000", ""])
def test_a_page_of_another_site_moves_nothing(mixer, server, origin):
    with pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
        move(server, origin=origin)
    assert mixer.controls["stem/vocals/gain_db"] == 0
    assert server.errors == 1


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "2130706433"]
)
def test_page_under_a_foreign_host_name_reads_and_moves_nothing(mixer, server, host):
    own = f"http://{host}"
    with pytest.raises(websockets.exceptions.InvalidStatus, match="421"):
        move(server, host, origin=own)
    assert get(server, Host=host, Origin=own)[::2] == (421, b"")
    assert mixer.controls["stem/vocals/gain_db"] == 0


def test_a_page_that_the_user_named_and_our_own_may(mixer, server):
    for origin in ("http://localhost:3000", f"http://127.0.0.1:{server.port}"):
        mixer.apply({"stem/vocals/gain_db": 0.0})
        move(server, origin=origin)
        assert mixer.controls["stem/vocals/gain_db"] == -60
        status, headers, _ = get(server, Origin=origin)
        assert (status, headers["Access-Control-Allow-Origin"]) == (200, origin)


def test_a_program_that_is_no_browser_may(mixer, server):
    move(server)
    assert mixer.controls["stem/vocals/gain_db"] == -60
    status, headers, _ = get(server)
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, None)


def test_a_page_of_another_site_reads_nothing(server):
    status, headers, body = get(server, Origin=EVIL)
    assert (status, headers["Access-Control-Allow-Origin"], body) == (403, None, b"")


@pytest.mark.parametrize("name", ["localhost", "stage.local", "127.0.0.1", "[::1]", "192.168.1.7", "LOCALHOST"])
def test_names_of_this_machine_and_its_network_are_ours(name):
    access = Access("0.0.0.0")
    assert access.is_own_host(name)
    assert access.is_own_host(f"{name}:9180")
    assert access.allows_origin(f"http://{name}:9180".lower(), f"{name}:9180")


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_header_is_an_exception_and_only_our_own_page_passes(origin, host):
    access = Access("127.0.0.1")
    assert access.is_own_host(host) in (True, False)
    if access.allows_origin(origin, host):
        assert origin.lower().endswith(host.lower())


MALFORMED = {
    "a broken address": b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50) + b"\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "two origins": b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nOrigin: null\r\n\r\n",
    "half a handshake": b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",
    "another method": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
    "a long line": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize(
    "request_",
    [
        *(pytest.param(request, id=name) for name, request in MALFORMED.items()),
        pytest.param(b"", id="nothing", marks=pytest.mark.slow),  # until the server no longer waits for it
    ],
)
def test_a_malformed_request_puts_nothing_on_the_terminal(server, caplog, request_):
    raw(server, request_)
    assert get(server)[0] == 200
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_a_client_that_vanishes_puts_nothing_on_the_terminal(server, caplog):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, no farewell
            client.sendall(
                b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
    assert get(server)[0] == 200
    until(lambda: not list(server._session.clients))
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=120))
def test_no_bytes_whatever_stop_it(server, caplog, head):
    raw(server, b"GET /" + head + b"\r\n\r\n")
    assert get(server)[0] == 200
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
