"""Responses to the errors of requests: each is a problem, RFC 9457."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from bridge.web.problems import Problem, not_found

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _on_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the body"
    return Problem(422, "invalid", f"{where}: {first['msg']}.").response()


async def _on_data(_: Request, _error: Exception) -> Response:
    return Problem(422, "invalid", "The database cannot store or compare one of these values.").response()


async def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return not_found().response()
    return Problem(error.status_code, "http", f"{error.detail}.", headers=dict(error.headers or {})).response()


async def _on_fault(_: Request, _error: Exception) -> Response:
    hint = "Try again; if it happens again, contact the owner of this server."
    return Problem(500, "internal", "Internal server error.", hint).response()


ERROR_HANDLERS: dict[int | type[Exception], Any] = {
    Problem: _on_problem,
    RequestValidationError: _on_validation,
    HTTPException: _on_http,
    DataError: _on_data,  # such as NUL in a text, which PostgreSQL refuses
    Exception: _on_fault,
}
"""Kind of error -> its handler, for FastAPI."""
