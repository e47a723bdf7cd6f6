"""Accounts: sign-up, log-in, what slows guessing down, and the ways back in."""

import contextlib

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select
from web_service import ORIGIN, PASSWORD, TestClient, configured, with_limits

from bridge.web.problems import Problem
from bridge.web.service import login
from bridge.web.service.accounts import create_user, hash_password
from bridge.web.service.app import make_site
from bridge.web.service.config import HashCosts
from bridge.web.service.context import open_service
from bridge.web.service.database import Database
from bridge.web.service.invitations import new_link
from bridge.web.service.passwords import Passwords
from bridge.web.service.tables import AuditEntry, LoginSession, RecoveryCode, Token, User

OTHER = "four other random words"


def log_in(browser, name="bea", password=PASSWORD):
    return browser.post("/api/v1/session", json={"name": name, "password": password})


def key_of(link):
    return link.json()["path"].partition("#k=")[2]


def test_sign_up_logs_in_and_shows_eight_codes_once(bea):
    assert len(set(bea.recovery_codes)) == 8
    me = bea.get("/api/v1/me").json()
    assert (me["name"], me["admin"], me["recovery_codes_left"]) == ("bea", False, 8)


@pytest.mark.parametrize(("mode", "status"), [("closed", 403), ("invite", 403), ("open", 201)])
def test_sign_up_without_a_key_follows_the_servers_mode(service, admin, browse, mode, status):
    with_limits(service, sign_up=mode)
    assert browse().post("/api/v1/users", json={"name": "bea", "password": PASSWORD}).status_code == status


def test_an_invitation_works_once(service, admin, browse):
    with_limits(service, sign_up="invite")
    key = key_of(admin.post("/api/v1/admin/invitations", json={"note": "for bea"}))
    made = [
        browse().post("/api/v1/users", json={"name": name, "password": PASSWORD, "invitation": key}).status_code
        for name in ("bea", "cleo")
    ]
    assert made == [201, 403]


def test_an_invitation_does_not_work_while_sign_up_is_closed_and_is_not_used_up(service, admin, browse):
    key = key_of(admin.post("/api/v1/admin/invitations", json={}))
    account = {"name": "bea", "password": PASSWORD, "invitation": key}
    with_limits(service, sign_up="closed")
    refused = browse().post("/api/v1/users", json=account)
    assert (refused.status_code, refused.json()["code"]) == (403, "sign-up-closed")
    with_limits(service, sign_up="invite")
    assert browse().post("/api/v1/users", json=account).status_code == 201


def test_the_setup_link_works_once_and_for_an_hour(service, clock, browse):
    with service.database.write() as session:
        links = [new_link(service, session, "setup", seconds=3600) for _ in range(2)]
    keys = [link.path.partition("#k=")[2] for link in links]
    first = browse().post("/api/v1/users", json={"name": "ada", "password": PASSWORD, "setup": keys[0]})
    again = browse().post("/api/v1/users", json={"name": "eve", "password": PASSWORD, "setup": keys[0]})
    clock.now += 3601
    late = browse().post("/api/v1/users", json={"name": "eve", "password": PASSWORD, "setup": keys[1]})
    assert (first.status_code, first.json()["user"]["admin"]) == (201, True)
    assert (again.status_code, late.status_code) == (403, 403)


def test_an_admin_without_the_demo_song_has_the_recovery_codes(config, clock):
    full = configured(config, demo_song=True, limits=config.limits.changed({"quota_bytes": 1}))
    with contextlib.closing(open_service(full, clock)) as service:
        with service.database.write() as session:
            key = new_link(service, session, "setup", seconds=3600).path.partition("#k=")[2]
        with TestClient(make_site(service), base_url=ORIGIN, headers={"Origin": ORIGIN}) as browser:
            account = {"name": "ada", "password": PASSWORD, "setup": key}
            made = browser.post("/api/v1/users", json=account)
            assert (made.status_code, len(made.json()["recovery_codes"])) == (201, 8)
            assert browser.get("/api/v1/songs").json()["songs"] == []


def test_an_open_server_that_was_not_set_up_accepts_no_sign_up(browse):
    refused = browse().post("/api/v1/users", json={"name": "eve", "password": PASSWORD})
    assert refused.status_code == 403


def test_names_that_differ_in_case_only_are_taken(bea, browse):
    refused = browse().post("/api/v1/users", json={"name": "BEA", "password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (409, "name-taken")


def test_unknown_name_and_wrong_password_get_the_same_response(bea, browse):
    wrong, unknown = log_in(browse(), password=OTHER), log_in(browse(), name="nobody")
    assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json())
    assert wrong.status_code == 401


def test_an_unknown_name_costs_a_hash_too(service, bea, browse, monkeypatch):
    verified = []
    monkeypatch.setattr(Passwords, "verify", lambda _self, stored, _password: verified.append(stored) or False)
    log_in(browse(), password=OTHER)
    log_in(browse(), name="nobody")
    assert [stored is None for stored in verified] == [False, True]


def test_failures_slow_an_account_down_and_never_lock_it(service, clock, bea, browse):
    for _ in range(6):
        clock.now += 61
        assert log_in(browse(), password=OTHER).status_code == 401
    slowed = log_in(browse())
    assert (slowed.status_code, slowed.headers["Retry-After"]) == (429, "2")
    clock.now += 2
    assert log_in(browse()).status_code == 200


def test_tries_at_the_same_time_are_slowed_down_too(service, bea, monkeypatch):
    statuses = []

    def try_once():
        with pytest.raises(Problem) as refused:
            login.log_in(service, "bea", OTHER, "192.0.2.1")
        statuses.append(refused.value.status)

    def verify(_self, _stored, _password):
        if not statuses:
            try_once()  # while this one is verified
        return False

    monkeypatch.setattr(Passwords, "verify", verify)
    try_once()
    assert statuses == [429] + [401] * 5


def test_a_try_that_a_busy_server_does_not_verify_does_not_count(service, bea, browse, monkeypatch):
    def busy(*_):
        raise Problem(503, "busy", "The server is busy.")

    with monkeypatch.context() as patched:
        patched.setattr(Passwords, "verify", busy)
        assert [log_in(browse()).status_code for _ in range(10)] == [503] * 10
    assert log_in(browse()).status_code == 200
    with service.database.read() as session:
        assert "login-failed" not in session.scalars(select(AuditEntry.action)).all()


def test_the_wait_ends_at_a_minute(service, clock, bea, browse):
    with service.database.write() as session:
        user = session.scalars(select(User).where(User.name == "bea")).one()
        user.failures, user.failed = 500, clock.now
    assert log_in(browse()).headers["Retry-After"] == "60"


def test_one_slowed_account_slows_no_other(clock, bea, admin, browse):
    for _ in range(8):
        log_in(browse(), password=OTHER)
    assert log_in(browse(), name="ada").status_code == 200


def test_an_address_gets_twenty_tries_a_minute(bea, browse, clock):
    tries = [log_in(browse(), name=f"nobody {n}").status_code for n in range(21)]
    assert tries == [401] * 20 + [429]
    clock.now += 61
    assert log_in(browse()).status_code == 200


def test_sign_up_is_limited_by_address(service, admin, browse):
    codes = [
        browse().post("/api/v1/users", json={"name": f"user {n}", "password": PASSWORD}).status_code for n in range(6)
    ]
    assert codes == [201] * 4 + [429] * 2  # the admin's was the first


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(bea, browse):
    cookie = log_in(browse()).headers["Set-Cookie"]
    assert cookie.startswith("stream_sep=")
    assert {"httponly", "path=/", "samesite=lax"} <= {part.strip().lower() for part in cookie.split(";")}


def test_under_https_the_cookie_is_secure_and_bound_to_the_host(config, clock):
    service = open_service(configured(config, https=True), clock)
    try:
        password_hash = hash_password(service, PASSWORD, "bea")
        with service.database.write() as session:
            create_user(service, session, "bea", password_hash)
        with TestClient(make_site(service), base_url=ORIGIN, headers={"Origin": ORIGIN}) as browser:
            response = log_in(browser)
        assert response.headers["Set-Cookie"].startswith("__Host-stream_sep=")
        assert "secure" in response.headers["Set-Cookie"].lower()
        assert "Strict-Transport-Security" in response.headers
    finally:
        service.close()


def test_log_in_gives_a_new_session_and_ends_the_one_before(service, bea):
    before = bea.cookies["stream_sep"]
    assert log_in(bea).status_code == 200
    assert bea.cookies["stream_sep"] != before
    with service.database.read() as session:
        user = session.scalars(select(User).where(User.name == "bea")).one()
        assert len(session.scalars(select(LoginSession).where(LoginSession.user_id == user.id)).all()) == 1


def test_a_new_password_needs_the_old_one_and_logs_out_elsewhere(bea, browse):
    elsewhere = browse()
    log_in(elsewhere)
    change = {"password": OTHER, "current_password": "not the password at all"}
    assert bea.patch("/api/v1/me", json=change).status_code == 403
    assert bea.patch("/api/v1/me", json={**change, "current_password": PASSWORD}).status_code == 200
    assert (bea.get("/api/v1/me").status_code, elsewhere.get("/api/v1/me").status_code) == (200, 401)
    assert log_in(browse(), password=OTHER).status_code == 200


@pytest.mark.parametrize("idle", [True, False])
def test_sessions_end_after_two_idle_weeks_and_after_ninety_days(service, clock, bea, idle):
    days = 15 if idle else 91
    for _ in range(days):
        clock.now += 86400
        if not idle:
            bea.get("/api/v1/me")
    assert bea.get("/api/v1/me").status_code == 401


def test_log_out_ends_this_session_or_all(bea, browse):
    others = [browse(), browse()]
    for browser in others:
        log_in(browser)
    assert bea.delete("/api/v1/session").headers["Clear-Site-Data"]
    assert [b.get("/api/v1/me").status_code for b in (bea, *others)] == [401, 200, 200]
    others[0].delete("/api/v1/session?everywhere=true")
    assert [b.get("/api/v1/me").status_code for b in others] == [401, 401]


def test_sessions_are_listed_and_ended_one_by_one(bea, browse):
    other = browse(**{"User-Agent": "Phone"})
    log_in(other)
    listed = bea.get("/api/v1/me/sessions").json()
    phone = next(entry for entry in listed if entry["agent"] == "Phone")
    assert [entry["current"] for entry in listed].count(True) == 1
    assert bea.delete(f"/api/v1/me/sessions/{phone['id']}").status_code == 204
    assert (other.get("/api/v1/me").status_code, bea.get("/api/v1/me").status_code) == (401, 200)


def test_a_recovery_code_works_once_and_only_with_its_name(bea, admin, browse):
    code = bea.recovery_codes[0]
    given = {"code": code, "password": OTHER}
    assert browse().post("/api/v1/session/recovery", json={"name": "ada", **given}).status_code == 401
    back = browse()
    assert back.post("/api/v1/session/recovery", json={"name": "bea", **given}).status_code == 200
    assert back.get("/api/v1/me").json()["recovery_codes_left"] == 7
    assert browse().post("/api/v1/session/recovery", json={"name": "bea", **given}).status_code == 401
    assert (log_in(browse()).status_code, log_in(browse(), password=OTHER).status_code) == (401, 200)


def test_a_code_is_not_spent_on_a_password_that_is_refused(bea, browse):
    given = {"name": "bea", "code": bea.recovery_codes[0]}
    refused = browse().post("/api/v1/session/recovery", json={**given, "password": "short"})
    assert (refused.status_code, refused.json()["code"]) == (422, "weak-password")
    assert browse().post("/api/v1/session/recovery", json={**given, "password": OTHER}).status_code == 200


def test_new_recovery_codes_replace_the_old(bea, browse):
    codes = bea.post("/api/v1/me/recovery-codes", json={"password": PASSWORD}).json()["recovery_codes"]
    old = {"name": "bea", "code": bea.recovery_codes[0], "password": OTHER}
    assert browse().post("/api/v1/session/recovery", json=old).status_code == 401
    assert browse().post("/api/v1/session/recovery", json={**old, "code": codes[0].upper()}).status_code == 200


def test_a_reset_link_of_the_admin_works_once_within_the_hour(admin, bea, browse, clock):
    users = {user["name"]: user["id"] for user in admin.get("/api/v1/admin/users").json()}
    keys = [key_of(admin.post(f"/api/v1/admin/users/{users['bea']}/reset")) for _ in range(2)]
    back = browse()
    assert back.post("/api/v1/session/reset", json={"key": keys[0], "password": OTHER}).status_code == 200
    assert back.get("/api/v1/me").json()["name"] == "bea"
    assert bea.get("/api/v1/me").status_code == 401
    assert browse().post("/api/v1/session/reset", json={"key": keys[0], "password": OTHER}).status_code == 403
    clock.now += 3601
    assert browse().post("/api/v1/session/reset", json={"key": keys[1], "password": OTHER}).status_code == 403


def test_tokens_are_shown_once_and_read_or_write(bea, browse):
    made = {
        scope: bea.post("/api/v1/me/tokens", json={"name": scope, "scope": scope}).json()
        for scope in ("read", "write")
    }
    assert all(token["secret"].startswith("sst_") for token in made.values())
    assert [token["secret"] for token in bea.get("/api/v1/me/tokens").json()] == [None, None]
    reader, writer = (browse(Authorization=f"Bearer {made[scope]['secret']}") for scope in ("read", "write"))
    assert (reader.get("/api/v1/me").status_code, writer.get("/api/v1/me").status_code) == (200, 200)
    new = {"name": "song.mp3", "size": 10}
    assert reader.post("/api/v1/uploads", json=new).json()["code"] == "read-only"
    assert writer.post("/api/v1/uploads", json=new).status_code == 201
    assert writer.post("/api/v1/me/tokens", json={"name": "more"}).json()["code"] == "browser-only"
    bea.delete(f"/api/v1/me/tokens/{made['read']['id']}")
    assert reader.get("/api/v1/me").status_code == 401


def test_a_stolen_database_has_no_secret_that_can_be_used(service, bea):
    token = bea.post("/api/v1/me/tokens", json={"name": "t"}).json()["secret"]
    secrets = {bea.cookies["stream_sep"], token, PASSWORD, *bea.recovery_codes}
    with service.database.read() as session:
        kept = [
            value
            for table in (User, LoginSession, Token, RecoveryCode)
            for row in session.scalars(select(table))
            for value in vars(row).values()
        ]
    assert not secrets & set(map(str, kept))


def test_hashes_are_argon2id_with_the_costs_that_were_decided():
    hashed = Passwords(HashCosts()).hash(PASSWORD)
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=1$")


def test_no_transaction_that_writes_waits_for_a_hash(service, admin, browse, monkeypatch):
    open_writes, hashed = [], []
    write = Database.write

    @contextlib.contextmanager
    def counted_write(database):
        with write(database) as session:
            open_writes.append(session)
            try:
                yield session
            finally:
                open_writes.pop()

    def counted(name):
        compute = getattr(PasswordHasher, name)

        def method(*arguments):
            hashed.append((name, len(open_writes)))
            return compute(*arguments)

        return method

    monkeypatch.setattr(Database, "write", counted_write)
    for name in ("hash", "verify"):
        monkeypatch.setattr(PasswordHasher, name, counted(name))
    bea = browse()
    codes = bea.post("/api/v1/users", json={"name": "bea", "password": PASSWORD}).json()["recovery_codes"]
    assert bea.patch("/api/v1/me", json={"password": OTHER, "current_password": PASSWORD}).status_code == 200
    given = {"name": "bea", "code": codes[0], "password": PASSWORD}
    assert browse().post("/api/v1/session/recovery", json=given).status_code == 200
    users = {user["name"]: user["id"] for user in admin.get("/api/v1/admin/users").json()}
    key = key_of(admin.post(f"/api/v1/admin/users/{users['bea']}/reset"))
    assert browse().post("/api/v1/session/reset", json={"key": key, "password": OTHER}).status_code == 200
    monkeypatch.setattr(PasswordHasher, "check_needs_rehash", lambda *_: True)
    assert log_in(browse(), password=OTHER).status_code == 200
    assert [name for name, _ in hashed] == ["hash", "verify", "hash", "hash", "hash", "verify", "hash"]
    assert {count for _, count in hashed} == {0}


@pytest.mark.parametrize("used", ["setup", "invitation", "none"])
def test_a_sign_up_that_is_refused_costs_no_hash(service, admin, browse, monkeypatch, used):
    with_limits(service, sign_up="invite")
    monkeypatch.setattr(Passwords, "hash", lambda *_: pytest.fail("a hash was computed"))
    account = {"name": "bea", "password": PASSWORD, **({used: "nonsense"} if used != "none" else {})}
    assert browse().post("/api/v1/users", json=account).status_code == 403


def test_a_hash_of_other_costs_is_made_anew_at_log_in(service, bea, browse):
    with service.database.write() as session:
        user = session.scalars(select(User).where(User.name == "bea")).one()
        user.password_hash = old = Passwords(HashCosts(128, 2, 1)).hash(PASSWORD)
    assert log_in(browse()).status_code == 200
    with service.database.read() as session:
        now = session.scalars(select(User.password_hash).where(User.name == "bea")).one()
    assert now != old
    assert "m=64," in now


def test_delete_account_needs_the_password_and_takes_everything_along(service, bea, browse):
    assert bea.request("DELETE", "/api/v1/me", json={"password": OTHER}).status_code == 403
    assert bea.request("DELETE", "/api/v1/me", json={"password": PASSWORD}).status_code == 204
    assert bea.get("/api/v1/me").status_code == 401
    assert log_in(browse()).status_code == 401
    with service.database.read() as session:
        assert session.scalars(select(User.name)).all() == ["ada"]


def test_the_last_admin_cannot_leave(admin):
    refused = admin.request("DELETE", "/api/v1/me", json={"password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (409, "last-admin")


def test_a_disabled_account_is_out_at_once(admin, bea, browse):
    users = {user["name"]: user["id"] for user in admin.get("/api/v1/admin/users").json()}
    admin.patch(f"/api/v1/admin/users/{users['bea']}", json={"disabled": True})
    assert (bea.get("/api/v1/me").status_code, log_in(browse()).status_code) == (401, 401)
