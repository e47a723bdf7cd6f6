"""A separator's process that hangs, crashes or is killed: ended, started again with pauses, and never waited for."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import waiting
from processes import is_running

from stream_sep import ConfigError, Engine, EngineConfig, PacedBackend, SeparatorError
from stream_sep.engine.worker import process_worker
from stream_sep.engine.worker.process_worker import ProcessWorker
from stream_sep.lowlevel.child_process import ChildProcess

wait_until = waiting.until

RATE = 44100
SEPARATOR = """
import os, time
from pathlib import Path
from stream_sep.separators.passthrough import PassthroughSeparator

class Faulty(PassthroughSeparator):
    def __init__(self, *, folder, **options):
        self.folder = Path(folder)
        with open(self.folder / "processes", "a") as processes:
            processes.write(f"{os.getpid()}\\n")
        if (self.folder / "hang-loading").exists():
            (self.folder / "hangs").touch()
            time.sleep(600)
        latency = 256 if (self.folder / "other-latency").exists() else 0
        super().__init__(hop=256, latency=latency, **options)

    def process(self, block):
        if (self.folder / "crash").exists() and block.any():
            os._exit(7)
        if (self.folder / "hang").exists():
            time.sleep(600)
        return super().process(block)
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "faulty_separator.py").write_text(SEPARATOR)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def engine_for(folder, report=lambda _: None, **settings):
    options = {"folder": str(folder)}
    config = EngineConfig(model="faulty_separator:Faulty", options=options, slack=4096, hold_ms=10, **settings)
    return Engine(PacedBackend(RATE, 256), config, source=np.ones((2, 600 * RATE), np.float32), report=report)


def stops(engine, patience=20):
    """Whether ``engine`` stops; a hang would last ten minutes."""
    thread = threading.Thread(target=engine.stop, daemon=True)
    thread.start()
    thread.join(patience)
    return not thread.is_alive()


def wait_for_hops(engine, more=20):
    before = engine.stats().hops
    wait_until(lambda: engine.stats().hops >= before + more)


def test_a_stopped_process_is_ended_and_replaced(folder):
    reports = []
    engine = engine_for(folder, reports.append)
    engine.start()
    wait_for_hops(engine)
    first = engine.worker_pid
    os.kill(first, signal.SIGSTOP)
    wait_until(lambda: engine.stats().restarts == 1)
    wait_for_hops(engine)
    assert any("stopped responding" in message for message in reports)
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert stops(engine)


def test_a_separator_that_hangs_in_a_hop_is_ended_and_replaced(folder):
    engine = engine_for(folder)
    engine.start()
    wait_for_hops(engine)
    Path(folder, "hang").touch()
    wait_until(lambda: engine.stats().counters["late_hops"] > 0)
    first = engine.worker_pid
    Path(folder, "hang").unlink()
    wait_until(lambda: engine.stats().restarts == 1)
    assert engine.worker_pid != first
    assert stops(engine)


def test_a_hang_while_loading_again_is_ended_like_any_other(folder, monkeypatch):
    monkeypatch.setattr(process_worker, "_RELOAD_TIMEOUT", 1.0)
    reports = []
    engine = engine_for(folder, reports.append)
    engine.start()
    wait_for_hops(engine)
    Path(folder, "hang-loading").touch()
    os.kill(engine.worker_pid, signal.SIGKILL)
    wait_until(Path(folder, "hangs").exists)
    Path(folder, "hang-loading").unlink()
    wait_until(lambda: engine.stats().restarts == 1)
    assert any("hangs while it loads" in message for message in reports)
    assert stops(engine)


@pytest.mark.parametrize("fault", ["hang-loading", "hang", "stopped"])
def test_an_engine_stops_whatever_its_separator_does(folder, fault):
    engine = engine_for(folder)
    engine.start()
    wait_for_hops(engine)
    if fault == "stopped":
        os.kill(engine.worker_pid, signal.SIGSTOP)
    else:
        Path(folder, fault).touch()
    if fault == "hang-loading":
        os.kill(engine.worker_pid, signal.SIGKILL)
        wait_until(Path(folder, "hangs").exists)
    elif fault == "hang":
        wait_until(lambda: engine.stats().late_hops > 0)
    begun = time.monotonic()
    assert stops(engine)
    assert time.monotonic() - begun < 3.0  # as its docstring promises
    with pytest.raises(ProcessLookupError):
        os.kill(engine.worker_pid, 0)


def test_stopping_does_not_wait_for_a_process_that_the_system_is_slow_to_start(folder, monkeypatch):
    engine = engine_for(folder)
    engine.start()
    wait_for_hops(engine)
    reached, released, late = threading.Event(), threading.Event(), []

    def start_slowly(module):
        reached.set()
        released.wait(100)
        late.append(ChildProcess(module))
        return late[0]

    monkeypatch.setattr(process_worker, "ChildProcess", start_slowly)
    os.kill(engine.worker_pid, signal.SIGKILL)
    assert reached.wait(60)
    assert stops(engine)
    released.set()
    wait_until(lambda: late and late[0].ended.is_set())  # nothing stays of it


def test_stopping_ends_no_process_that_is_started_again(folder):
    reports = []
    engine = engine_for(folder, reports.append)
    engine.start()
    wait_for_hops(engine)
    assert stops(engine)
    assert stops(engine)
    assert engine.stats().restarts == 0
    assert reports == []


def test_a_process_that_hangs_the_first_time_is_refused_with_a_message(folder, monkeypatch):
    monkeypatch.setattr(process_worker, "_FIRST_LOAD_TIMEOUT", 3.0)
    Path(folder, "hang-loading").touch()
    with pytest.raises(SeparatorError, match=r"hangs while it loads: the process \d+ did not respond in"):
        engine_for(folder)


def test_a_crash_in_a_row_pauses_longer_each_time(folder):
    reports = []
    engine = engine_for(folder, reports.append)
    Path(folder, "crash").touch()
    engine.start()
    wait_until(lambda: sum("starts again in" in message for message in reports) >= 2)
    Path(folder, "crash").unlink()
    wait_for_hops(engine)
    assert stops(engine)
    pauses = [message.split("starts again")[1] for message in reports if "ended with code 7" in message]
    assert pauses[:3] == ["", " in 0.5 s", " in 1 s"]


def test_one_that_worked_until_it_was_killed_comes_back_without_a_pause(folder):
    reports = []
    engine = engine_for(folder, reports.append)
    engine.start()
    for restarts in range(1, 4):
        wait_for_hops(engine)
        os.kill(engine.worker_pid, signal.SIGKILL)
        wait_until(lambda restarts=restarts: engine.stats().restarts == restarts)
    assert stops(engine)
    assert not any("starts again in" in message for message in reports)


def test_a_separator_that_comes_back_with_another_latency_is_refused(folder):
    reports = []
    engine = engine_for(folder, reports.append)
    engine.start()
    wait_for_hops(engine)
    Path(folder, "other-latency").touch()
    os.kill(engine.worker_pid, signal.SIGKILL)
    wait_until(lambda: any("did not come back" in message for message in reports))
    assert any("a different hop, latency or stem list" in message for message in reports)
    assert engine.stats().restarts == 0
    Path(folder, "other-latency").unlink()
    wait_until(lambda: engine.stats().restarts == 1)
    assert stops(engine)


def test_a_worker_that_is_never_started_leaves_no_process(folder):
    worker = ProcessWorker("faulty_separator:Faulty", RATE, {"folder": str(folder)})
    worker.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)


# a stand-by


def processes(folder):
    """Process ids of all separators that began to load, in this order."""
    return [int(line) for line in Path(folder, "processes").read_text().split()]


def started_with_standby(folder, report=lambda _: None):
    engine = engine_for(folder, report, standby=True)
    engine.start()
    wait_for_hops(engine)
    wait_until(lambda: len(processes(folder)) == 2)
    return engine


def test_a_standby_takes_over_and_another_one_is_loaded(folder):
    engine = started_with_standby(folder)
    for restarts in range(1, 4):
        current, standby = processes(folder)[-2:]
        assert engine.worker_pid == current
        os.kill(current, signal.SIGKILL)
        wait_until(lambda restarts=restarts: engine.stats().restarts == restarts)
        assert engine.worker_pid == standby
        wait_for_hops(engine)
        wait_until(lambda restarts=restarts: len(processes(folder)) == 2 + restarts)
    assert stops(engine)
    assert not any(is_running(process) for process in processes(folder))


def test_a_standby_that_is_gone_is_replaced_by_a_new_process(folder):
    reports = []
    engine = started_with_standby(folder, reports.append)
    current, standby = processes(folder)
    os.kill(standby, signal.SIGKILL)
    wait_until(lambda: not is_running(standby))
    os.kill(current, signal.SIGKILL)
    wait_until(lambda: engine.stats().restarts == 1)
    wait_for_hops(engine)
    assert engine.worker_pid not in {current, standby}
    assert not any("did not come back" in message for message in reports)
    assert stops(engine)


def test_an_engine_stops_while_its_standby_hangs_in_loading(folder):
    engine = engine_for(folder, standby=True)
    Path(folder, "hang-loading").touch()
    engine.start()
    wait_until(Path(folder, "hangs").exists)
    wait_for_hops(engine)
    assert stops(engine)
    assert not any(is_running(process) for process in processes(folder))


def test_a_standby_needs_a_process():
    with pytest.raises(ConfigError, match="stand-by is a process"):
        EngineConfig(worker="thread", standby=True)


def test_without_the_option_there_is_one_process(folder):
    engine = engine_for(folder)
    engine.start()
    wait_for_hops(engine, 100)
    assert processes(folder) == [engine.worker_pid]
    assert stops(engine)
