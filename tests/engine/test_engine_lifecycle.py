"""An engine that is refused, dropped, stopped twice or has a hung separator ends, and leaves nothing behind."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import waiting

from stream_sep import AudioFileError, ConfigError, Engine, EngineConfig, OfflineBackend, PacedBackend
from stream_sep.audio import shared_rings
from stream_sep.control.scheduler import ChangeScheduler
from stream_sep.engine.separated_input import SeparatedInput
from stream_sep.separators.passthrough import PassthroughSeparator

wait_until = waiting.until

RATE = 44100
SHARED = Path("/dev/shm")
DROPPED = """
from stream_sep import Engine, EngineConfig, OfflineBackend
engine = Engine(OfflineBackend(), EngineConfig(model="passthrough", worker="inline"))
"""

needs_shm = pytest.mark.skipif(not SHARED.is_dir(), reason="shared memory has no folder here")


class Hanging(PassthroughSeparator):
    """Hangs once it is given sound that is not silent, until ``released`` is set."""

    released = threading.Event()

    def __init__(self, **options):
        super().__init__(hop=256, **options)
        self.hangs = False

    def process(self, block):
        if (block == 1).all():
            type(self).released.wait(600)
        return super().process(block)


@pytest.fixture
def hanging():
    Hanging.released.clear()
    yield f"{__name__}:Hanging"
    Hanging.released.set()


@pytest.fixture
def blocks(monkeypatch):
    """A function that gives the blocks of shared memory that were made here and are still there."""
    made = []

    class Recorded(shared_rings.DetachableSharedMemory):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            made.append(SHARED / self.name)

    monkeypatch.setattr(shared_rings, "DetachableSharedMemory", Recorded)
    return lambda: [path for path in made if path.exists()]


def stops(engine, patience=20):
    thread = threading.Thread(target=engine.stop, daemon=True)
    thread.start()
    thread.join(patience)
    return not thread.is_alive()


@needs_shm
@pytest.mark.parametrize("worker", ["inline", "thread", "process"])
def test_engine_that_is_refused_leaves_no_shared_memory(blocks, tmp_path, worker):
    (tmp_path / "taken").write_text("a file where the folder should be")
    config = EngineConfig(model="passthrough", worker=worker, record=tmp_path / "taken")
    with pytest.raises(AudioFileError):
        Engine(PacedBackend(), config)
    assert blocks() == []


@needs_shm
def test_engine_whose_device_is_refused_leaves_nothing(blocks, monkeypatch):
    backend = PacedBackend()

    def refuse(*_):
        raise ConfigError("no such device")

    monkeypatch.setattr(backend, "start", refuse)
    with pytest.raises(ConfigError, match="no such device"), Engine(backend, EngineConfig(model="passthrough")):
        pass
    assert blocks() == []


@needs_shm
def test_engine_refuses_a_separator_of_one_channel_and_stops_its_worker(blocks, monkeypatch):
    stopped = []
    monkeypatch.setattr(SeparatedInput, "stop", lambda source: stopped.append(source.worker.stop()))
    with pytest.raises(ConfigError, match="works on 1 channels, the engine on 2"):
        Engine(OfflineBackend(), EngineConfig(model="passthrough", options={"channels": 1}, worker="inline"))
    assert len(stopped) == 1
    assert blocks() == []


@needs_shm
def test_engine_that_was_never_started_is_let_go_of_by_stopping_it(blocks):
    engine = Engine(OfflineBackend(), EngineConfig(model="passthrough", worker="inline"))
    assert len(blocks()) == 1
    engine.stop()
    engine.stop()
    assert blocks() == []
    assert engine.stats().hops == 0


def test_engine_that_is_dropped_leaves_no_warning():
    done = subprocess.run([sys.executable, "-c", DROPPED], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize("worker", ["thread", "inline"])
def test_engine_stops_although_its_separator_hangs(hanging, worker):
    source = np.ones((2, 60 * RATE), np.float32)
    engine = Engine(PacedBackend(RATE, 256), EngineConfig(model=hanging, worker=worker, slack=4096), source=source)
    engine.start()
    wait_until(lambda: engine.stats().counters["frames"] >= 256)
    assert stops(engine)
    assert engine.stats().counters["frames"] >= 256


@pytest.mark.parametrize("part", ["backend", "mixer"])
def test_failure_of_one_part_to_stop_keeps_no_other_from_it(monkeypatch, part):
    engine = Engine(PacedBackend(), EngineConfig(model="passthrough", worker="thread"))
    engine.start()
    stop = getattr(engine, part).stop

    def fail():
        stop()
        raise OSError("the driver failed")

    monkeypatch.setattr(getattr(engine, part), "stop", fail)
    with pytest.raises(OSError, match="the driver failed"):
        engine.stop()
    assert not {"paced", "separator", "reporter"} & {thread.name for thread in threading.enumerate()}
    assert engine.stats().counters["blocks"] >= 0


def test_change_that_fails_keeps_no_later_one_from_being_made():
    made = threading.Event()
    scheduler = ChangeScheduler(lambda: None)
    scheduler.start()
    scheduler.schedule(time.monotonic(), lambda: 1 / 0)
    scheduler.schedule(time.monotonic(), made.set)
    assert made.wait(30)
    scheduler.stop()
