"""Workers on a Ray cluster: they do what others do, and another is started where one was lost."""

import json
import os
import signal
import sqlite3
import time
import types

import pytest
from requirements import require_package
from serving import call, serving
from web_service import PASSWORD, song_bytes

from bridge.web.service import ray_workers
from bridge.web.service.config import ServiceConfig
from bridge.web.service.ray_workers import RayWorkers
from stream_sep.errors import ConfigError

TIMEOUT = 180


def wait_until_ready(base, song, cookie):
    deadline = time.monotonic() + TIMEOUT
    while song["state"] != "ready" and time.monotonic() < deadline:
        time.sleep(0.2)
        song = json.loads(call("GET", f"{base}/api/v1/songs/{song['id']}", **cookie)[1])
    return song["state"], song["error"]


def process_ids(data):
    """The ids of all workers that there were."""
    with sqlite3.connect(data / "serve.db") as database:
        return {int(row[0].split("-")[-2]) for row in database.execute("SELECT id FROM workers")}


def test_songs_are_separated_on_ray_although_a_worker_is_killed(tmp_path):
    require_package("ray", "ray")
    options = ("--model", "passthrough", "--executor", "ray")
    with serving(tmp_path, *options) as (server, base, key):
        account = {"name": "ada", "password": PASSWORD, "setup": key}
        headers, _ = call("POST", f"{base}/api/v1/users", account, Origin=base)
        cookie = {"Cookie": headers["Set-Cookie"].partition(";")[0], "Origin": base}
        for seed in (0, 1):
            body = call("POST", f"{base}/api/v1/songs?name=a.flac", song_bytes(2.0, seed=seed), **cookie)[1]
            assert wait_until_ready(base, json.loads(body), cookie) == ("ready", "")
            if seed == 0:
                (worker,) = process_ids(tmp_path)
                assert worker != server.pid
                os.kill(worker, signal.SIGKILL)
        assert len(process_ids(tmp_path)) == 2


def test_several_machines_are_refused_on_sqlite(tmp_path, monkeypatch):
    nodes = [{"Alive": True, "NodeManagerHostname": name} for name in ("one", "two", "two")]
    left = []
    fake = types.SimpleNamespace(nodes=lambda: nodes, shutdown=lambda: left.append(True))
    monkeypatch.setattr(ray_workers, "import_ray", lambda: fake)
    monkeypatch.setattr(ray_workers, "connect", lambda *_: None)
    with pytest.raises(ConfigError, match=r"2 machines, which cannot share SQLite; use --database postgresql"):
        RayWorkers(ServiceConfig(data=tmp_path), 1).__enter__()
    assert left == [True]


def test_a_machine_without_the_data_folder_is_named(tmp_path):
    with pytest.raises(ConfigError, match="must share the data folder"):
        ray_workers._RayWorker(ServiceConfig(data=tmp_path / "elsewhere"))
