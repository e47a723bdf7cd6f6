"""The OpenAPI description as a file, so that a change of the API is seen in a review."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI


def openapi_text(app: FastAPI) -> str:
    """Return the description of an application's API as JSON, its keys in a fixed order."""
    return json.dumps(app.openapi(), indent=1, sort_keys=True) + "\n"
