"""Errors as HTTP answers them: RFC 9457 problem details, in the sentences of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE = "application/problem+json"


def problem(
    status: int, code: str, detail: str, hint: str = "", headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return the answer to a request that failed.

    Args:
        status: HTTP status.
        code: for programs, such as ``not-paired``; never shown to people.
        detail: what happened, one sentence.
        hint: what to try.
        headers: further headers, such as ``Retry-After``.

    Returns:
        The response (RFC 9457, ``application/problem+json``).

    >>> problem(404, "not-found", "There is no such page.").body
    b'{"status":404,"code":"not-found","detail":"There is no such page."}'
    """
    body = {"status": status, "code": code, "detail": detail, **({"hint": hint} if hint else {})}
    return JSONResponse(body, status, headers, MEDIA_TYPE)
