"""How the plug-in starts its host: once, detached from the DAW, with its failures shown to the user."""

import json
import os
import signal
import sys
from functools import partial

import pytest
import waiting
from noise import uniform_noise

until = partial(waiting.until, every=0.02)

RATE, BLOCK, PASSTHROUGH = 44100, 512, 3
RUNNING = 2
DESCRIBE = """
import json, os, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines() if line.startswith("Sig"))
print(json.dumps({
    "leader": os.getsid(0) == os.getpid(), "folder": os.getcwd(), "environment": dict(os.environ),
    "open": [os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)],
    "more": [number for number in range(3, 1000) if os.path.exists(f"/proc/self/fd/{number}")],
    "blocked": int(status["SigBlk"], 16), "ignored": int(status["SigIgn"], 16),
}))
"""


def log_of(meeting):
    return meeting.command.with_name(meeting.command.name + ".log")


def wait_for_failure(host, text):
    until(lambda: text in host.text("Engine State", 0))


def test_host_that_cannot_be_started_is_reported(open_host, meeting):
    meeting.let_plugin_run("/no/such/python", "-m", "stream_sep", "host")
    host = open_host()
    host.activate(RATE, BLOCK)
    wait_for_failure(host, "no engine: cannot start /no/such/python: No such file or directory")


def test_missing_command_is_reported_with_its_remedy(open_host):
    host = open_host()
    host.activate(RATE, BLOCK)
    wait_for_failure(host, "stream-sep plugin install")


def test_host_that_ends_at_once_is_reported_with_its_status_and_leaves_a_log(open_host, meeting):
    meeting.let_plugin_run("/bin/sh", "-c", "echo nothing works; echo at all >&2; exit 3")
    host = open_host()
    host.activate(RATE, BLOCK)
    wait_for_failure(host, "the host ended with status 3, see ")
    assert log_of(meeting).read_text() == "nothing works\nat all\n"
    assert log_of(meeting).stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_host_inherits_nothing_of_the_daw_but_the_users_settings(open_host, meeting, monkeypatch):
    meeting.let_plugin_run(sys.executable, "-c", f"exec({DESCRIBE!r})")
    monkeypatch.setenv("PYTHONHOME", "/of/the/daw")
    monkeypatch.setenv("LANG", "C.UTF-8")
    host = open_host()
    monkeypatch.setenv("LANG", "changed later")
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)  # noqa: FBT003 - the standard library's
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
    handler = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        host.activate(RATE, BLOCK)  # the thread that starts the host inherits this one's mask
        wait_for_failure(host, "the host ended with status 0")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGUSR2, handler)
        os.close(read_end)
        os.close(write_end)
    found = json.loads(log_of(meeting).read_text())
    assert (found["leader"], found["folder"], found["blocked"]) == (True, "/", 0)
    assert not found["ignored"] >> signal.SIGUSR2 - 1 & 1
    assert found["open"] == ["/dev/null", str(log_of(meeting)), str(log_of(meeting))]
    assert found["more"] == []
    assert found["environment"]["LANG"] == "C.UTF-8"
    assert "PYTHONHOME" not in found["environment"]


def test_instances_of_one_project_start_one_host(open_host, meeting):
    starts = meeting.command.with_name("starts")
    run = " ".join(meeting.arguments("--linger", "5"))
    meeting.let_plugin_run("/bin/sh", "-c", f"echo started >> {starts}; exec {run}")
    hosts = [open_host() for _ in range(4)]
    for host in hosts:
        host.set("Model", PASSTHROUGH)
        host.activate(RATE, BLOCK)

    def is_running(host):
        host.process(uniform_noise(BLOCK))
        return host.value("Engine State") == RUNNING

    until(lambda: all(is_running(host) for host in hosts))
    assert starts.read_text() == "started\n"
