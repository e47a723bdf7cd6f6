"""Rejects the content types that a form of another site can send without a CORS preflight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from bridge.web.problems import problem
from bridge.web.security import SAFE_METHODS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_FORM_TYPES = frozenset({"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"})


class JsonOnly:
    """Rejects forms with status 415, except in requests with a bearer token, such as curl's.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or reject it."""
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS and _is_form(Headers(scope=scope)):
            hint = "Send application/json, or the bytes of a song as application/octet-stream."
            response = problem(415, "wrong-content-type", "This content type is not accepted.", hint)
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_form(headers: Headers) -> bool:
    if headers.get("authorization", "").lower().startswith("bearer "):
        return False
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    return has_body and headers.get("content-type", "").partition(";")[0].strip().lower() in _FORM_TYPES
