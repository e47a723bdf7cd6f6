"""A service in a temporary folder, browsers that use it, and songs to give it."""

import importlib.util
import os

import postgres
import pytest
from requirements import require
from web_service import CHEAP, ORIGIN, PASSWORD, Clock, TestClient, song_bytes, upload, work

from bridge.web.service.app import make_app, make_site
from bridge.web.service.config import Limits, ServiceConfig
from bridge.web.service.context import open_service
from bridge.web.service.invitations import new_link


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(scope="session")
def new_database():
    """A function that makes an empty PostgreSQL database and returns its URL."""
    installed = postgres.find_programs() and importlib.util.find_spec("psycopg")
    require(installed, postgres.NEEDS)
    with postgres.running_postgres() as create:
        yield create


@pytest.fixture
def database(request):
    """The URL of the database; of SQLite unless STREAM_SEP_TEST_DATABASE=postgresql."""
    if os.environ.get("STREAM_SEP_TEST_DATABASE") == "postgresql":
        return request.getfixturevalue("new_database")()
    return ""


@pytest.fixture
def config(tmp_path, database):
    limits = Limits(sign_up="open")
    return ServiceConfig(data=tmp_path / "data", database=database, costs=CHEAP, model="passthrough", limits=limits)


@pytest.fixture
def service(config, clock):
    opened = open_service(config, clock)
    yield opened
    opened.close()


@pytest.fixture
def site(service):
    return make_site(service)


@pytest.fixture
def browse(site):
    """A function that opens another browser, with no cookies yet."""
    clients = []

    def open_browser(**headers):
        client = TestClient(
            site, base_url=ORIGIN, headers={"Origin": ORIGIN, **headers}, raise_server_exceptions=False
        )
        clients.append(client)
        return client

    yield open_browser
    for client in clients:
        client.close()


@pytest.fixture
def admin(service, browse):
    """A browser logged in as the admin, who has set the server up."""
    with service.database.write() as session:
        link = new_link(service, session, "setup", seconds=3600)
    browser = browse()
    made = browser.post(
        "/api/v1/users", json={"name": "ada", "password": PASSWORD, "setup": link.path.partition("#k=")[2]}
    )
    assert made.status_code == 201, made.text
    return browser


@pytest.fixture
def sign_up(admin, browse):
    """A function that signs somebody up and returns the browser."""

    def make(name):
        browser = browse()
        made = browser.post("/api/v1/users", json={"name": name, "password": PASSWORD})
        assert made.status_code == 201, made.text
        browser.recovery_codes = made.json()["recovery_codes"]
        return browser

    return make


@pytest.fixture
def bea(sign_up):
    """A browser logged in as a user who is no admin."""
    return sign_up("bea")


@pytest.fixture
def app(service):
    return make_app(service)


@pytest.fixture
def belongings(service, admin, bea):
    """The ids of everything that bea has, all of it in full flower."""
    song = upload(bea, song_bytes(1.0))
    work(service)
    mix = bea.post(f"/api/v1/songs/{song['id']}/mixes", json={}).json()
    work(service)
    coming = bea.post("/api/v1/uploads", json={"name": "a.flac", "size": 10}).json()
    share = bea.post(f"/api/v1/songs/{song['id']}/shares", json={"download": True}).json()
    token = bea.post("/api/v1/me/tokens", json={"name": "t"}).json()
    session = bea.get("/api/v1/me/sessions").json()[0]
    invitation = admin.post("/api/v1/admin/invitations", json={}).json()
    return {
        "song_id": song["id"],
        "job_id": mix["id"],
        "upload_id": coming["id"],
        "share_id": share["id"],
        "token_id": token["id"],
        "session_id": session["id"],
        "user_id": bea.get("/api/v1/me").json()["id"],
        "invitation_id": invitation["id"],
        "stem": "drums",
        "form": "flac",
        "number": 0,
    }
