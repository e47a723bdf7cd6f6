"""Additions to FastAPI's description of the API: the media type of errors."""

from __future__ import annotations

from typing import Any

from bridge.web.problems import MEDIA_TYPE


def complete_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a description in which errors are ``application/problem+json``.

    Args:
        schema: FastAPI's; it is changed.
    """
    for methods in schema["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if status[0] in "45":
                    response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
    return schema
