"""Errors as HTTP responses: RFC 9457 problem details, with the messages of the command line."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from stream_sep.errors import StreamSepError

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE = "application/problem+json"


def problem(
    status: int, code: str, detail: str, hint: str = "", headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return the response to a failed request.

    Args:
        status: HTTP status.
        code: for programs, such as ``not-paired``; never shown to users.
        detail: the error message.
        hint: what to try.
        headers: further headers, such as ``Retry-After``.

    Returns:
        The response (RFC 9457, ``application/problem+json``).

    >>> problem(404, "not-found", "There is no such page.").body
    b'{"title":"Not Found","status":404,"code":"not-found","detail":"There is no such page."}'
    """
    title = HTTPStatus(status).phrase
    body = {"title": title, "status": status, "code": code, "detail": detail, **({"hint": hint} if hint else {})}
    return JSONResponse(body, status, headers, MEDIA_TYPE)


class Problem(StreamSepError):  # noqa: N818 - what RFC 9457 calls it
    """A rejected request; the application sends `response`.

    Args:
        status: HTTP status.
        code: for programs; never changes once it is published.
        detail: the error message.
        hint: what to try; may be empty.
        headers: further headers, such as ``Retry-After``.
    """

    def __init__(
        self, status: int, code: str, detail: str, hint: str = "", *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{detail} {hint}".strip())
        self.status, self.code, self.detail, self.hint, self.headers = status, code, detail, hint, headers

    def response(self) -> JSONResponse:
        """Return the response."""
        return problem(self.status, self.code, self.detail, self.hint, self.headers)


def not_found(what: str = "page") -> Problem:
    """Return the problem of a resource that is missing or another user's: the two must look the same."""
    return Problem(404, "not-found", f"There is no such {what}.")


def too_many(detail: str, seconds: float) -> Problem:
    """Return the problem of a client that has to wait; the seconds are in the message and in ``Retry-After``.

    Args:
        detail: the message for the user.
        seconds: how long the client has to wait.

    >>> too_many("Too many attempts.", 31.2).detail
    'Too many attempts. Try again in 32 s.'
    """
    whole = max(1, math.ceil(seconds))
    return Problem(429, "slow-down", f"{detail} Try again in {whole} s.", headers={"Retry-After": str(whole)})
