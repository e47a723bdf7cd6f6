"""Security of every page and response: allowed hosts, same origin, and restrictive headers.

One set of ASGI middlewares serves the live page and the service. There is no CORS: no other site may read or write.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ipaddress
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from bridge.web.problems import problem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing, so that any site may link to them."""

_DIRECTIVES = (
    "default-src 'none'",
    "script-src 'self'{scripts}",
    "style-src 'self'",
    "img-src 'self' blob:",
    "media-src 'self' blob:",
    "connect-src 'self'",
    "font-src 'self'",
    "worker-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types lit-html",
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HSTS = "max-age=31536000"


def content_security_policy(import_map: str = "") -> str:
    """Return the policy of every page: nothing inline but the import map of exactly that text.

    >>> content_security_policy().split("; ")[1]
    "script-src 'self'"
    """
    digest = base64.b64encode(hashlib.sha256(import_map.encode()).digest()).decode()
    return "; ".join(_DIRECTIVES).format(scripts=f" 'sha256-{digest}'" if import_map else "")


class SecurityHeaders:
    """Adds security headers to every response, including errors.

    It wraps a whole application; as one of Starlette's own middlewares it would miss the response to an exception.

    Args:
        app: the application.
        policy: the Content-Security-Policy, as `content_security_policy` writes it.
        https: whether browsers should insist on HTTPS from now on.
    """

    def __init__(self, app: ASGIApp, policy: str, *, https: bool = False) -> None:
        self._app = app
        self._headers = {**_HEADERS, "Content-Security-Policy": policy}
        if https:
            self._headers["Strict-Transport-Security"] = _HSTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and add headers to its response."""

        async def complete(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, complete)


class HostCheck:
    """Rejects requests for a host that is not ours, against DNS rebinding.

    Args:
        app: the application.
        hosts: names and addresses, without ports; ``*`` allows any.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app, self._hosts = app, frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or reject it with 400."""
        if scope["type"] in ("http", "websocket"):
            host = Headers(scope=scope).get("host", "")
            if "*" not in self._hosts and hostname(host) not in self._hosts:
                detail = f"This server does not serve the host {host[:80]!r}."
                hint = "Open it by its own name or address."
                await _refuse(scope, receive, send, HTTPStatus.BAD_REQUEST, "unknown-host", detail, hint)
                return
        await self._app(scope, receive, send)


class OriginCheck:
    """Rejects requests that change something, and WebSockets, from other sites.

    A request without the headers that browsers set is rejected unless it has a bearer token: browsers never send one
    on their own. WebSockets without an ``Origin`` come from programs, not from pages, and pass.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or reject it with 403."""
        if not _is_own(scope):
            detail = "This request came from another site."
            hint = "Open the page itself and try again."
            await _refuse(scope, receive, send, HTTPStatus.FORBIDDEN, "cross-site", detail, hint)
            return
        await self._app(scope, receive, send)


def _is_own(scope: Scope) -> bool:
    if scope["type"] == "websocket":
        headers = Headers(scope=scope)
        return "origin" not in headers or _same_host(headers)
    if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
        return True
    headers = Headers(scope=scope)
    if headers.get("authorization", "").lower().startswith("bearer "):
        return True
    site = headers.get("sec-fetch-site")
    return site == "same-origin" if site is not None else _same_host(headers)


def _same_host(headers: Mapping[str, str]) -> bool:
    origin = urlsplit(headers.get("origin", ""))
    return origin.scheme in ("http", "https") and origin.netloc.lower() == headers.get("host", "").lower() != ""


async def _refuse(  # noqa: PLR0917 - the three of ASGI and the four of a problem
    scope: Scope, receive: Receive, send: Send, status: int, code: str, detail: str, hint: str
) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": detail[:120]})
        return
    response = problem(status, code, detail, hint)
    if scope["type"] == "websocket":
        await receive()
    await response(scope, receive, send)


def hostname(host: str) -> str:
    """Return the name in a ``Host`` header, without its port.

    >>> hostname("Desk.local:9190"), hostname("[::1]:9190"), hostname("192.168.1.7")
    ('desk.local', '::1', '192.168.1.7')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def own_hosts(bind: str) -> frozenset[str]:
    """Return the names and addresses under which this machine is reached at ``bind``.

    >>> sorted(own_hosts("127.0.0.1"))
    ['127.0.0.1', '::1', 'localhost']
    """
    local = {"localhost", "127.0.0.1", "::1"}
    if is_loopback(bind):
        return frozenset(local | {bind.lower()})
    name = socket.gethostname().lower().partition(".")[0]
    return frozenset(local | {bind.lower(), name, f"{name}.local"} | set(own_addresses()))


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches ``host``.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def own_addresses() -> tuple[str, ...]:
    """Return the addresses of this machine on its networks, the one of the default route first."""
    found: dict[str, None] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: selects a route, sends nothing
            found[probe.getsockname()[0]] = None
        except OSError:
            pass
    with contextlib.suppress(OSError):
        found |= dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None))
    return tuple(address for address in found if not is_loopback(address))
