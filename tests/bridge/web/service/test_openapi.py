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


def test_every_operation_has_a_name_of_its_own_and_a_sentence():
    found = operations(json.loads(DESCRIPTION.read_text("utf-8")))
    names = [operation["operationId"] for _, _, operation in found]
    assert len(names) == len(set(names)) > 50
    assert [path for path, _, operation in found if not operation.get("description")] == []


def test_every_operation_describes_its_errors():
    found = operations(json.loads(DESCRIPTION.read_text("utf-8")))
    assert [path for path, _, operation in found if "4XX" not in operation["responses"]] == []
