"""Every route, as the app has them: somebody else's things, strangers, other sites."""

import itertools
import re

import pytest
from starlette.routing import Route, WebSocketRoute

from bridge.web.service.tables import Base

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
OPEN_TO_ALL = {
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/api/v1/server"),
    ("GET", "/api/v1/models"),
    ("POST", "/api/v1/session"),
    ("POST", "/api/v1/session/recovery"),
    ("POST", "/api/v1/session/reset"),
    ("POST", "/api/v1/users"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
}
"""Routes open to people who are not logged in, each for a reason; a new route is none of them."""

BODIES = {
    "/api/v1/songs/{song_id}": {"title": "mine now"},
    "/api/v1/songs/{song_id}/jobs": {"model": "passthrough"},
    "/api/v1/songs/{song_id}/mixes": {},
    "/api/v1/jobs/{job_id}/move": {"to": 1},
    "/api/v1/songs/{song_id}/shares": {},
    "/api/v1/admin/invitations": {},
    "/api/v1/admin/settings": {"sign_up": "open"},
    "/api/v1/admin/users/{user_id}": {"disabled": True},
}


def api_routes(app):
    """Return (method, path) of every HTTP route that is no page, as the application holds them."""
    found = set()
    for path, operations in app.openapi()["paths"].items():
        found |= {(method.upper(), path) for method in operations}
    return sorted(found | {("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")})


def call(browser, method, path, values):
    filled = re.sub(r"\{(\w+)\}", lambda match: str(values.get(match[1], "x")), path)
    body = BODIES.get(path)
    headers = {"Upload-Offset": "0", "Content-Type": "application/octet-stream"} if "upload" in path else {}
    if method not in UNSAFE:
        return browser.request(method, filled)
    if headers:
        return browser.request(method, filled, content=b"x", headers=headers)
    return browser.request(method, filled, json={} if body is None else body)


def snapshot(service):
    """Return everything in the database but the log and the times of last use."""
    quiet = {"audit", "events", "workers"}
    with service.database.read() as session:
        return {
            name: sorted(
                str({key: value for key, value in row.items() if key not in {"used", "changed"}})
                for row in session.execute(table.select()).mappings()
            )
            for name, table in Base.metadata.tables.items()
            if name not in quiet
        }


def test_what_is_anothers_looks_like_what_does_not_exist(service, app, belongings, sign_up):
    other = sign_up("cleo")
    before, wrong = snapshot(service), []
    for method, path in api_routes(app):
        names = re.findall(r"\{(\w+)\}", path)
        if not set(names) & set(belongings) or "shares/{key}" in path:
            continue
        theirs = call(other, method, path, belongings)
        nobodys = call(
            other, method, path, {**dict.fromkeys(names, "0" * 32), "stem": "drums", "form": "flac", "number": 0}
        )
        if theirs.status_code != 404 or theirs.text != nobodys.text:
            wrong.append((method, path, theirs.status_code, theirs.text[:100]))
    assert wrong == []
    assert snapshot(service) == before


def test_their_owner_reaches_them(app, belongings, bea):
    unreached = []
    for method, path in api_routes(app):
        names = re.findall(r"\{(\w+)\}", path)
        if method != "GET" or not names or "shares/{key}" in path or path.endswith(("/cover", "stem.mp4")):
            continue
        if (response := call(bea, method, path, belongings)).status_code != 200:
            unreached.append((path, response.status_code, response.text[:100]))
    assert unreached == []


def test_strangers_must_log_in_on_every_route_but_the_listed_ones(service, app, belongings, browse):
    before, wrong = snapshot(service), []
    stranger = browse()
    for method, path in api_routes(app):
        if (method, path) in OPEN_TO_ALL or "shares/{key}" in path:
            continue
        response = call(stranger, method, path, belongings)
        allowed = {401, 404} if path == "/metrics" else {401}
        if response.status_code not in allowed:
            wrong.append((method, path, response.status_code, response.text[:100]))
    assert wrong == []
    assert snapshot(service) == before


def test_admin_routes_do_not_exist_for_others(app, belongings, bea):
    found = [
        (method, path, response.status_code)
        for method, path in api_routes(app)
        if "/admin/" in path and (response := call(bea, method, path, belongings)).status_code != 404
    ]
    assert found == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {},
    ],
    ids=str,
)
def test_other_sites_change_nothing_on_any_route(service, app, belongings, bea, headers):
    before, wrong = snapshot(service), []
    del bea.headers["Origin"]
    bea.headers.update(headers)
    for method, path in api_routes(app):
        if method in UNSAFE and (response := call(bea, method, path, belongings)).status_code != 403:
            wrong.append((method, path, response.status_code))
    assert wrong == []
    assert snapshot(service) == before


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_forms_are_refused_on_any_route(app, belongings, bea, kind):
    wrong = []
    for method, path in api_routes(app):
        if method in UNSAFE:
            filled = re.sub(r"\{(\w+)\}", lambda match: str(belongings.get(match[1], "x")), path)
            response = bea.request(method, filled, content=b"{}", headers={"Content-Type": kind})
            if response.status_code != 415:
                wrong.append((method, path, response.status_code))
    assert wrong == []


def test_every_response_has_the_headers(app, belongings, bea, browse):
    names = {
        "content-security-policy",
        "x-content-type-options",
        "referrer-policy",
        "permissions-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "cache-control",
    }
    lacking = []
    for browser, (method, path) in itertools.product((bea, browse()), api_routes(app)):
        if method == "GET" and (missing := names - set(call(browser, method, path, belongings).headers)):
            lacking.append((path, missing))
    assert lacking == []
    assert "server" not in bea.get("/api/v1/me").headers


def test_errors_are_problems_on_any_route(app, belongings, browse):
    wrong = []
    for method, path in api_routes(app):
        response = call(browse(), method, path, {})
        if response.status_code < 400 or method == "HEAD" or path == "/readyz":
            continue
        is_problem = response.headers["content-type"] == "application/problem+json"
        if not is_problem or not response.json()["detail"].endswith("."):
            wrong.append((method, path, response.text[:100]))
    assert wrong == []


def test_a_foreign_host_gets_400(browse):
    response = browse(Host="evil.example").get("/api/v1/server")
    assert (response.status_code, response.json()["code"]) == (400, "unknown-host")


def test_every_route_of_the_app_is_described_or_known(app):
    known = {path for _, path in api_routes(app)} | {"/healthz", "/readyz", "/metrics", "/a/{version}/{path:path}"}
    undescribed = []
    for route in app.router.routes:
        path = getattr(route, "path", "")
        if isinstance(route, (Route, WebSocketRoute)) and path.startswith("/api") and path not in known:
            undescribed.append(path)
    assert set(undescribed) <= {"/api/v1/events", "/api/v1/openapi.json"}
