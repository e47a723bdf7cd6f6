"""``stream-sep serve`` as it is typed: accounts, backup, check, and a whole service with its worker."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error

import pytest
import waiting
from processes import children_of, is_running
from serving import call, serving
from web_service import PASSWORD, song_bytes

TIMEOUT = 120


def run(*arguments, stdin="", **env):
    command = [sys.executable, "-m", "stream_sep", "serve", *map(str, arguments)]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=TIMEOUT, check=False, env={**os.environ, **env}
    )


def test_accounts_are_made_listed_and_given_passwords(tmp_path):
    assert (
        run("user", "add", "ada", "--admin", "--data", tmp_path, stdin=f"{PASSWORD}\n").stdout
        == "account ada created\n"
    )
    assert run("user", "list", "--data", tmp_path).stdout.split()[:3] == ["ada", "admin", "0"]
    assert run("user", "passwd", "ada", "--data", tmp_path, stdin="four other random words\n").returncode == 0
    refused = run("user", "add", "bea", "--data", tmp_path, stdin="short\n")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "Use at least 15 characters." in refused.stderr
    assert "there is no account 'eve'" in run("user", "passwd", "eve", "--data", tmp_path, stdin="x\n").stderr


def test_check_finds_that_all_agrees(tmp_path):
    assert run("check", "--data", tmp_path).stdout == "folder and database agree\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--role", "boss"), "--role 'boss' is none of all, web, worker"),
        (("--host", "0.0.0.0"), "--insecure-http"),
        (("--https",), "add --trusted-proxy and its address"),
        (("--https", "--trusted-proxy", "proxy.local"), "--trusted-proxy 'proxy.local' is not an IP address"),
        (("--https", "--trusted-proxy", "*"), "--trusted-proxy '*' is not an IP address"),
        (("--database", "mysql://x"), "neither sqlite:// nor postgresql://"),
        (("--database", "postgresql://nobody@127.0.0.1:9/x"), "the database cannot be used"),
        (("--executor", "slurm"), "unknown executor 'slurm'; choose local or ray"),
        (("--ray-address", "10.0.0.1:6379"), "--ray-address 10.0.0.1:6379 needs --executor ray"),
        (("--sign-up", "sometimes"), "sign_up 'sometimes' is none of closed, invite, open"),
    ],
)
def test_invalid_options_are_refused_with_a_message(tmp_path, arguments, message):
    refused = run("--data", tmp_path, *arguments)
    assert refused.returncode == 1
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_taken_port_is_reported(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run("--data", tmp_path, "--role", "web", "--port", taken.getsockname()[1])
    assert "choose another --port" in refused.stderr


def test_one_command_serves_separates_and_survives_a_restart(tmp_path):
    data = tmp_path / "data"
    with serving(data, "--model", "passthrough") as (_, base, key):
        ours = {"Origin": base}
        account = {"name": "ada", "password": PASSWORD, "setup": key}
        headers, _ = call("POST", f"{base}/api/v1/users", account, **ours)
        cookie = {"Cookie": headers["Set-Cookie"].partition(";")[0], **ours}
        song = json.loads(call("POST", f"{base}/api/v1/songs?name=a.flac", song_bytes(2.0), **cookie)[1])
    with serving(data, "--model", "passthrough") as (_, base, key):
        assert key == ""
        deadline = time.monotonic() + TIMEOUT
        while song["state"] != "ready" and time.monotonic() < deadline:
            time.sleep(0.2)
            song = json.loads(call("GET", f"{base}/api/v1/songs/{song['id']}", **cookie)[1])
        assert song["state"] == "ready", song
        assert len(call("GET", f"{base}/api/v1/songs/{song['id']}/stems/other.flac", **cookie)[1]) > 1000
        assert call("GET", f"{base}/readyz")[1] == b"ok\n"
        assert b'stream_sep_jobs{state="done"} 1' in call("GET", f"{base}/metrics")[1]
        folder = tmp_path / "backup"
        assert "files" in run("backup", folder, "--data", data).stdout
    assert run("backup", folder, "--verify").returncode == 0
    with serving(folder, "--role", "web") as (_, base, _key):
        cookie["Origin"] = base
        assert json.loads(call("GET", f"{base}/api/v1/songs/{song['id']}", **cookie)[1])["state"] == "ready"
        assert len(call("GET", f"{base}/api/v1/songs/{song['id']}/stems/other.flac", **cookie)[1]) > 1000


def test_nothing_secret_is_in_what_the_server_prints(tmp_path):
    with serving(tmp_path, "--role", "web") as (server, base, key):
        with contextlib.suppress(urllib.error.HTTPError):
            call("GET", f"{base}/api/v1/shares/a-secret-key/pieces/0")
        server.send_signal(signal.SIGTERM)
        _, received = server.communicate(timeout=TIMEOUT)
    assert "a-secret-key" not in received
    assert key
    assert key not in received


def test_a_worker_ends_with_the_process_that_started_it(tmp_path):
    with serving(tmp_path, "--model", "passthrough") as (server, base, _):
        waiting.until(lambda: children_of(server.pid), patience=TIMEOUT)
        (worker,) = children_of(server.pid)
        wait_for_worker(base)
        server.kill()
        server.wait(TIMEOUT)
        waiting.until(lambda: not is_running(worker), patience=TIMEOUT)


def wait_for_worker(base):
    for _ in range(10 * TIMEOUT):
        with contextlib.suppress(urllib.error.HTTPError):
            call("GET", f"{base}/readyz")
            return
        time.sleep(0.1)
