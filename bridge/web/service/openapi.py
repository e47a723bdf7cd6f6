"""The OpenAPI description as a file, so that changes of the API are visible in reviews."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.web.service.app import make_app
from bridge.web.service.config import ServiceConfig
from bridge.web.service.context import open_service

if TYPE_CHECKING:
    from fastapi import FastAPI


def describe_api() -> str:
    """Return the description of the API, made with a service in a folder that is deleted again."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(open_service(ServiceConfig(data=Path(folder)))) as service,
    ):
        return openapi_text(make_app(service))


def openapi_text(app: FastAPI) -> str:
    """Return the description of an application's API as JSON, its keys in a fixed order."""
    return json.dumps(app.openapi(), indent=1, sort_keys=True) + "\n"
