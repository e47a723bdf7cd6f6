"""The HTTP application of the live page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from bridge.web.live.connection import Peer
from bridge.web.live.pairing import DEVICE_SECONDS, Pairing, browser_name
from bridge.web.live.session import NOT_PAIRED
from bridge.web.problems import problem
from bridge.web.security import HostCheck, OriginCheck, SecurityHeaders

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import HTTPConnection, Request
    from starlette.types import ASGIApp
    from starlette.websockets import WebSocket

    from bridge.web.assets import Assets

COOKIE = "stream_sep_live"
"""Name of the cookie that a paired device has."""

_MAX_BODY = 1024


class ServesBrowsers(Protocol):
    """A handler of accepted WebSockets."""

    async def serve(self, websocket: WebSocket, peer: Peer) -> None:
        """Handle messages until the browser disconnects.

        Args:
            websocket: the connection.
            peer: address of the browser.
        """
        ...


class Gate:
    """Authenticates browsers.

    Args:
        pairing: keys and devices; None admits everybody who can reach the port.
        read_only: give nobody more than the role ``view``.
    """

    def __init__(self, pairing: Pairing | None, *, read_only: bool) -> None:
        self.pairing = pairing
        self._open_role = "view" if read_only else "control"

    def peer(self, request: HTTPConnection) -> Peer | None:
        """Return who sent a request, or None if the browser is not admitted."""
        name = browser_name(request.headers.get("user-agent", ""))
        if self.pairing is None:
            return Peer("view" if self._open_role == "view" else "control", name)
        token = request.cookies.get(COOKIE, "")
        device = self.pairing.device(token) if token else None
        return None if device is None else Peer(device.role, device.name, token)

    def is_admitted(self, peer: Peer) -> bool:
        """Return whether a peer is still admitted."""
        return self.pairing is None or self.pairing.device(peer.token) is not None


def live_app(session: ServesBrowsers, gate: Gate, assets: Assets, hosts: Collection[str]) -> ASGIApp:
    """Return the application of the live page.

    Args:
        session: handles the browsers' WebSockets.
        gate: authenticates them.
        assets: the page's files.
        hosts: names and addresses of the server in requests.
    """

    async def page(_: Request) -> Response:
        return assets.page("live")

    async def pair(request: Request) -> Response:
        return await _pair(request, gate)

    async def websocket_route(websocket: WebSocket) -> None:
        await websocket.accept("osc" if "osc" in websocket.scope["subprotocols"] else None)
        peer = gate.peer(websocket)
        if peer is None:
            await websocket.close(NOT_PAIRED, "this device is not paired")
            return
        await session.serve(websocket, peer)

    routes = [
        Route("/", page),
        Route("/pair", pair, methods=["POST"]),
        Route("/a/{version}/{path:path}", assets.serve),
        WebSocketRoute("/ws", websocket_route),
    ]
    app: ASGIApp = Starlette(routes=routes, exception_handlers={404: _not_found})
    return SecurityHeaders(HostCheck(OriginCheck(app), hosts), assets.policy)


async def _not_found(_: Request, __: Exception) -> Response:
    return problem(404, "not-found", "There is no such page.", "The faders are at /.")


async def _pair(request: Request, gate: Gate) -> Response:
    if gate.pairing is None:
        return JSONResponse({"role": "control"})
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY:
            return problem(413, "too-large", "Invalid key.")
    try:
        key = str(json.loads(body)["key"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return problem(400, "no-key", "The request carries no key.")
    paired = gate.pairing.pair(key, browser_name(request.headers.get("user-agent", "")))
    if paired is None:
        detail = "This key is wrong or older than 10 minutes."
        return problem(403, "wrong-key", detail, "Scan the code on the computer again, or ask for a new one.")
    token, role = paired
    response = JSONResponse({"role": role})
    response.set_cookie(COOKIE, token, max_age=int(DEVICE_SECONDS), httponly=True, samesite="strict")
    return response
