"""Hostile values in every parameter and field of the API: a well-formed response, never a crash."""

import json
import re
from urllib.parse import quote

import pytest

VALUES = (
    *("", " ", "\0", "\ud800", "x" * 5000, "../..", "\U0001d11e\u202e", "%00", "NaN"),
    *(-1, 0, 2**31, 2**63, 2**100, 10**400, 1e308, float("nan"), float("-inf"), True, None),
    *([], [[]], {}, {"": ""}, ["\0"], [2**100]),
)
LIMITS = ("sign_up", "max_upload_bytes", "max_uploads", "trash_days", "share_days", "nonesuch", "\0")
PROBLEM = {"title", "status", "code", "detail"}


@pytest.fixture
def api(app):
    """The description of the API."""
    return app.openapi()


def resolve(api, schema):
    """Return the schema that another refers to, or the first of those that it may be."""
    while "$ref" in schema or "anyOf" in schema:
        schema = (
            schema["anyOf"][0] if "anyOf" in schema else api["components"]["schemas"][schema["$ref"].split("/")[-1]]
        )
    return schema


def plausible(api, schema):
    """Return a value that a schema allows, for the required fields only."""
    schema = resolve(api, schema)
    if "examples" in schema:
        return schema["examples"][0]
    if schema.get("type") == "object":
        return {name: plausible(api, schema["properties"][name]) for name in schema.get("required", ())}
    if "enum" in schema:
        return schema["enum"][0]
    return {"string": "three random words", "integer": schema.get("minimum", 1), "number": 0.5}.get(
        schema.get("type")
    )


def requests_of(api, path, operation, belongings):
    """Yield (parameters by place, body) with one hostile value each, all else plausible."""
    required = {
        (one["in"], one["name"]): belongings.get(one["name"], plausible(api, one["schema"]))
        for one in operation.get("parameters", ())
        if one.get("required")
    }
    content = operation.get("requestBody", {}).get("content", {})
    body = plausible(api, content["application/json"]["schema"]) if "application/json" in content else None
    places = [(one["in"], one["name"]) for one in operation.get("parameters", ())]
    yield from (({**required, place: value}, body) for place in places for value in VALUES)
    if body is not None:
        schema = resolve(api, content["application/json"]["schema"])
        fields = LIMITS if path.endswith("/admin/settings") else tuple(schema.get("properties", ()))
        yield from ((required, {**body, field: value}) for field in fields for value in VALUES)
        yield from ((required, value) for value in VALUES)


def send(browser, method, path, parameters, body):
    def values(place):
        return {name: as_text(value) for (where, name), value in parameters.items() if where == place}

    filled = re.sub(r"\{(\w+)\}", lambda match: quote(values("path").get(match[1], "x"), safe="") or "%20", path)
    headers = {name: value.encode("latin-1", "replace") for name, value in values("header").items() if is_line(value)}
    query = "&".join(f"{name}={quote(value)}" for name, value in values("query").items())
    kind = "application/octet-stream" if body is None else "application/json"
    content = b"x" if body is None else json.dumps(body).encode()
    options = {"content": content} if method in {"POST", "PUT", "PATCH", "DELETE"} else {}
    return browser.request(method, f"{filled}?{query}", headers={"Content-Type": kind, **headers}, **options)


def as_text(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(errors="replace").decode()


def is_line(value):
    return value.isprintable()


def test_every_value_in_every_place_gets_a_response(api, belongings, admin, bea):
    wrong, count = [], 0
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            browser = admin if "/admin/" in path else bea
            for parameters, body in requests_of(api, path, operation, belongings):
                response = send(browser, method.upper(), path, parameters, body)
                count += 1
                if not is_well_formed(response):
                    wrong.append(
                        (method, path, parameters, str(body)[:100], response.status_code, response.text[:100])
                    )
    assert wrong == []
    assert count > 2000


def is_well_formed(response):
    if response.status_code >= 500:
        return False
    if response.status_code < 400 or response.request.method == "HEAD":
        return True
    return response.headers["content-type"] == "application/problem+json" and set(response.json()) >= PROBLEM
