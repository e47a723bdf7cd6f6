"""Foreign hosts and foreign sites change nothing, and every response carries the headers."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from bridge.web.security import HostCheck, OriginCheck, SecurityHeaders, content_security_policy

HOST = "desk.local:9190"


async def _answer(request):
    if request.method == "PUT":
        raise RuntimeError
    return PlainTextResponse("done")


async def _socket(websocket):
    await websocket.accept()
    await websocket.close()


@pytest.fixture
def client():
    routes = [Route("/", _answer, methods=["GET", "POST", "PUT"]), WebSocketRoute("/ws", _socket)]
    middleware = [Middleware(HostCheck, hosts=["desk.local", "::1"]), Middleware(OriginCheck)]
    inner = Starlette(routes=routes, middleware=middleware)
    app = SecurityHeaders(inner, policy=content_security_policy("{}"), https=True)
    return TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False)


@pytest.mark.parametrize("host", [HOST, "DESK.LOCAL", "[::1]:80"])
def test_host_check_own_host_passes(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "", "desk.local.evil.example", "[::2]:80"])
def test_host_check_foreign_host_gets_400(client, host):
    response = client.get("/", headers={"host": host})
    assert (response.status_code, response.json()["code"]) == (400, "unknown-host")


OWN = f"http://{HOST}"


@pytest.mark.parametrize(
    "headers",
    [{"origin": OWN}, {"sec-fetch-site": "same-origin"}, {"authorization": "Bearer sst_x"}],
)
def test_origin_check_own_page_or_token_passes(client, headers):
    assert client.post("/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "https://evil.example"},
        {"origin": "http://desk.local:9999"},
        {"sec-fetch-site": "cross-site", "origin": OWN},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"authorization": "Basic x"},
    ],
)
def test_origin_check_another_site_gets_403(client, headers):
    response = client.post("/", headers=headers)
    assert (response.status_code, response.json()["code"]) == (403, "cross-site")
    assert client.get("/", headers=headers).status_code == 200


def test_origin_check_websocket_of_another_site_is_refused(client):
    refused = pytest.raises(WebSocketDisconnect)
    with refused, client.websocket_connect(f"ws://{HOST}/ws", headers={"origin": "https://evil.example"}):
        pass
    for headers in ({}, {"origin": OWN}):
        with client.websocket_connect(f"ws://{HOST}/ws", headers=headers):
            pass


@pytest.mark.parametrize("request_", [("GET", "/"), ("GET", "/nothing"), ("POST", "/"), ("PATCH", "/"), ("PUT", "/")])
def test_headers_are_on_every_response_errors_too(client, request_):
    headers = client.request(*request_, headers={"origin": OWN} if request_[0] == "PUT" else {}).headers
    assert "'unsafe" not in headers["content-security-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self' 'sha256-")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "strict-transport-security" in headers
    assert "server" not in headers
