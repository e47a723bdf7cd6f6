"""The routes of the admin, and those that supervisors poll."""

import pytest
from sqlalchemy import select, update
from web_service import PASSWORD, song_bytes, upload, work

from bridge.web.service.context import open_service
from bridge.web.service.metrics import WORKER_SECONDS
from bridge.web.service.reconcile import housekeep
from bridge.web.service.routes import server
from bridge.web.service.tables import AuditEntry, Worker
from bridge.web.service.worker import WorkerProcess


def test_overview_lists_users_jobs_and_workers(service, admin, bea):
    upload(bea, song_bytes(1.0))
    before = admin.get("/api/v1/admin/overview").json()
    assert (before["users"], before["songs"], before["jobs"]) == (2, 1, {"queued": 1})
    assert before["queue"][0]["user"] == "bea"
    assert "No worker has been seen yet" in before["warning"]
    WorkerProcess(service)._record_seen()
    assert admin.get("/api/v1/admin/overview").json()["warning"] == ""


def be_silent(service, seconds):
    """Set back when workers were last seen, rather than wait."""
    with service.database.write() as session:
        session.execute(update(Worker).values(seen=Worker.seen - seconds))


def test_a_worker_that_is_silent_for_a_minute_is_missed(service, admin):
    WorkerProcess(service)._record_seen()
    assert admin.get("/readyz").status_code == 200
    be_silent(service, WORKER_SECONDS + 1)
    missed = admin.get("/readyz")
    assert (missed.status_code, "jobs wait" in missed.text) == (503, True)


def test_settings_are_changed_and_nonsense_is_refused(admin):
    changed = admin.patch("/api/v1/admin/settings", json={"quota_bytes": 10_000_000, "sign_up": "closed"})
    assert (changed.json()["quota_bytes"], changed.json()["sign_up"]) == (10_000_000, "closed")
    for wrong in ({"quota_bytes": -1}, {"quota_bytes": "much"}, {"sign_up": "never"}, {"colour": 1}):
        assert admin.patch("/api/v1/admin/settings", json=wrong).json()["code"] == "bad-setting"
    assert admin.get("/api/v1/admin/overview").json()["settings"]["quota_bytes"] == 10_000_000


def test_a_quota_of_ones_own_goes_before_the_servers(admin, bea):
    user = bea.get("/api/v1/me").json()["id"]
    admin.patch(f"/api/v1/admin/users/{user}", json={"quota_bytes": 123})
    assert bea.get("/api/v1/me").json()["storage"]["limit"] == 123


def test_log_has_who_did_what_and_no_secret(service, admin, bea, browse):
    song = upload(bea, song_bytes(1.0), name="Private title.flac")
    work(service)
    key = bea.post(f"/api/v1/songs/{song['id']}/shares", json={}).json()["key"]
    browse().post("/api/v1/session", json={"name": "bea", "password": "not her password"})
    entries = admin.get("/api/v1/admin/audit").json()
    assert {("ada", "sign-up"), ("bea", "share"), ("bea", "login-failed")} <= {
        (e["actor"], e["action"]) for e in entries
    }
    with service.database.read() as session:
        text = str([vars(entry) for entry in session.scalars(select(AuditEntry))])
    assert not [secret for secret in (key, PASSWORD, "Private title") if secret in text]


def test_metrics_have_figures_and_no_names(service, admin, bea, monkeypatch):
    upload(bea, song_bytes(1.0), name="Private title.flac")
    work(service)
    assert admin.get("/metrics").status_code == 200
    assert bea.get("/metrics").status_code == 404
    monkeypatch.setattr(server, "address_of", lambda _: "127.0.0.1")
    text = bea.get("/metrics").text
    assert 'stream_sep_jobs{state="done"} 1' in text
    assert "stream_sep_requests_total" in text
    assert not [name for name in ("bea", "Private") if name in text]


@pytest.mark.parametrize("skew", [-2 * 86400.0, 2 * 86400.0])
def test_a_worker_whose_clock_differs_is_not_missed(service, config, clock, admin, skew):
    other = open_service(config, lambda: clock() + skew)
    try:
        WorkerProcess(other)._record_seen()
        housekeep(service)
        housekeep(other)
    finally:
        other.close()
    assert admin.get("/readyz").status_code == 200
    assert len(admin.get("/api/v1/admin/overview").json()["workers"]) == 1


def test_workers_that_were_not_seen_for_a_day_are_dropped(service):
    WorkerProcess(service)._record_seen()
    be_silent(service, 2 * 86400)
    housekeep(service)
    with service.database.read() as session:
        assert session.scalars(select(Worker)).all() == []
