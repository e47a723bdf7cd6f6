"""A child process: apart from the terminal, from the current folder, and gone with its parent whatever it does."""

import os
import signal
import subprocess
import sys
import threading

import pytest
import waiting
from processes import catches, is_running

from stream_sep.lowlevel.child_process import ChildProcess
from stream_sep.lowlevel.wire import read_message, write_message

wait_until = waiting.until

ECHO = """
from stream_sep.lowlevel.child_side import open_pipes
from stream_sep.lowlevel.wire import read_message, write_message

def main():
    pipes = open_pipes()
    print("a library that prints")
    while (message := read_message(pipes.requests)) is not None:
        write_message(pipes.replies, {"numpy": __import__("numpy").__file__, **message})
"""
PARENT = """
import sys, time
from stream_sep.lowlevel.child_process import ChildProcess
print(ChildProcess("echo_child").pid, flush=True)
time.sleep(600)
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and sessions of POSIX")


@pytest.fixture
def echo(tmp_path, monkeypatch):
    (tmp_path / "echo_child.py").write_text(ECHO)
    monkeypatch.syspath_prepend(str(tmp_path))
    child = ChildProcess("echo_child", quiet=True)
    yield child
    child.close()


def request(child, **message):
    assert write_message(child.requests, message)
    return read_message(child.replies)


def test_child_replies_in_frames_that_prints_do_not_disturb(echo):
    assert request(echo, hop=512)["hop"] == 512
    assert request(echo, hop="ö" * 100_000)["hop"] == "ö" * 100_000


def test_child_imports_nothing_from_the_current_folder(tmp_path, monkeypatch):
    elsewhere = tmp_path / "cwd"
    elsewhere.mkdir()
    (elsewhere / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    (tmp_path / "echo_child.py").write_text(ECHO)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(elsewhere)
    child = ChildProcess("echo_child", quiet=True)
    try:
        assert "site-packages" in request(child)["numpy"]
    finally:
        child.close()


def test_child_has_a_session_of_its_own_and_leaves_signals_to_the_parent(echo):
    request(echo)
    assert os.getsid(echo.pid) == echo.pid
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(echo.pid, number)
    assert request(echo, still="here")["still"] == "here"


def test_child_outlives_the_thread_that_started_it(tmp_path, monkeypatch):
    (tmp_path / "echo_child.py").write_text(ECHO)
    monkeypatch.syspath_prepend(str(tmp_path))
    children = []
    thread = threading.Thread(target=lambda: children.append(ChildProcess("echo_child", quiet=True)))
    thread.start()
    thread.join()
    try:
        assert request(children[0], a=1)["a"] == 1
    finally:
        children[0].close()


def test_child_that_the_system_starts_too_late_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("stream_sep.lowlevel.child_process._SPAWN_TIMEOUT", 0.1)
    (tmp_path / "echo_child.py").write_text(ECHO)
    monkeypatch.syspath_prepend(str(tmp_path))
    released, started = threading.Event(), []

    class Slow(ChildProcess):
        def _spawn(self):
            released.wait(100)
            started.append(super()._spawn())
            return started[0]

    with pytest.raises(OSError, match="did not start a process"):
        Slow("echo_child", quiet=True)
    released.set()
    wait_until(lambda: started and started[0].returncode == -signal.SIGKILL)


def test_end_of_input_ends_the_child_and_its_exit_is_reported(echo):
    request(echo)
    assert echo.close(patience=30) == 0
    assert echo.ended.is_set()


def test_a_stopped_child_is_ended_by_closing_it(echo):
    request(echo)
    os.kill(echo.pid, signal.SIGSTOP)
    assert echo.close() == -signal.SIGKILL
    assert echo.close() == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends what is stopped")
@pytest.mark.parametrize("stopped", [False, True])
def test_child_ends_when_its_parent_is_killed(tmp_path, stopped):
    (tmp_path / "echo_child.py").write_text(ECHO)
    path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    pid = int(parent.stdout.readline())
    wait_until(lambda: catches(pid, signal.SIGTERM))  # it has become a child
    if stopped:
        os.kill(pid, signal.SIGSTOP)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not is_running(pid))
