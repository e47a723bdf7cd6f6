"""The API as it is described, and as it is."""

import json
from pathlib import Path

from bridge.web.service.app import make_app
from bridge.web.service.openapi import openapi_text

DESCRIPTION = Path(__file__).parents[4] / "docs" / "openapi.json"


def operations(description):
    return [
        (path, method, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_committed_description_is_that_of_the_app(service):
    assert DESCRIPTION.read_text("utf-8") == openapi_text(make_app(service)), (
        "the API changed: stream-sep serve openapi > docs/openapi.json, and look at the difference"
    )


def test_every_operation_has_its_own_name_and_a_summary():
    found = operations(json.loads(DESCRIPTION.read_text("utf-8")))
    names = [operation["operationId"] for _, _, operation in found]
    assert len(names) == len(set(names)) > 50
    assert [path for path, _, operation in found if not operation.get("description")] == []


def test_every_operation_describes_its_errors():
    found = operations(json.loads(DESCRIPTION.read_text("utf-8")))
    assert [path for path, _, operation in found if "4XX" not in operation["responses"]] == []


def test_every_operation_that_needs_a_log_in_declares_its_scheme(app, browse):
    stranger, wrong = browse(), []
    for path, method, operation in operations(app.openapi()):
        if "{" in path:  # a missing object is 404 or 401 for any client
            expected = "shares/{key}" not in path
        else:
            body = (
                {"content": b"x", "headers": {"Content-Type": "application/octet-stream"}} if method == "post" else {}
            )
            expected = (method, path) not in OPEN and stranger.request(method, path, **body).status_code == 401
        if bool(operation.get("security")) != expected:
            wrong.append((method, path))
    assert wrong == []


OPEN = {
    ("get", "/api/v1/server"),
    ("get", "/api/v1/models"),
    ("get", "/api/v1/session"),  # 401 is its response to strangers
    ("post", "/api/v1/session"),
    ("post", "/api/v1/session/recovery"),
    ("post", "/api/v1/session/reset"),
    ("post", "/api/v1/users"),
}


def test_errors_are_described_as_problems():
    found = operations(json.loads(DESCRIPTION.read_text("utf-8")))
    kinds = {tuple(op["responses"][status]["content"]) for _, _, op in found for status in ("4XX", "5XX")}
    assert kinds == {("application/problem+json",)}
