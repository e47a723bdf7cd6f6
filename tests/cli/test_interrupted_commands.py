"""Commands that work on files, ended by a signal at work: no half-written file, nothing temporary, the right code."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import waiting
from processes import children_of, is_running

from stream_sep.protocols import STEMS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them")
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
RATE, SECONDS = 44100, 240

SEPARATE = ("separate", "a/vocals.wav", "-n", "bands", "--cache-gb", "0", "-o", "out")
RENDER = ("render", "a/vocals.wav", "--model", "bands", "--out", "out")
BUILD = ("data", "build", ".", "out")


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Two songs of four stems, too long to be done before the signal comes."""
    home = tmp_path_factory.mktemp("songs")
    noise = np.random.default_rng(0).integers(-9999, 9999, (RATE * SECONDS, 1), np.int16)
    for song in ("a", "b"):
        (home / song).mkdir()
        for stem in STEMS:
            path = home / song / f"{stem}.wav"
            if (home / "a/vocals.wav").exists():
                os.link(home / "a/vocals.wav", path)
            else:
                soundfile.write(path, noise, RATE)
    return home


class Command:
    """A command in its own process group, as a shell starts it, with its own folder for temporary files."""

    def __init__(self, arguments, songs, folder):
        self.temporary, self.out = folder / "tmp", folder / "out"
        self.temporary.mkdir()
        words = [str(self.out) if word == "out" else word for word in arguments]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stream_sep", *words],
            cwd=songs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(self.temporary)},
        )

    def files(self):
        return sorted(path for path in self.out.rglob("*") if path.is_file())

    def reads(self, name):
        """Whether it has a file of that name open, itself or in a child."""
        for pid in {self.process.pid, *children_of(self.process.pid)}:
            for link in Path(f"/proc/{pid}/fd").glob("*"):
                try:
                    if link.readlink().name == name:
                        return True
                except OSError:
                    continue
        return False

    def wait_for(self, condition):
        def is_met():
            assert self.process.poll() is None, self.process.communicate()
            return condition()

        waiting.until(is_met, patience=120)

    def end(self, number):
        """Signal the whole group, as a terminal does; return the errors that it prints."""
        children = children_of(self.process.pid)
        os.killpg(self.process.pid, number)
        errors = self.process.communicate(timeout=120)[1]
        waiting.until(lambda: not any(map(is_running, children)))
        return errors


@pytest.fixture(autouse=True)
def signals_of_a_shell():
    """SIGHUP as a shell passes it on: nohup ignores it, and children inherit that."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def start(songs, tmp_path):
    started = []

    def start(arguments):
        started.append(Command(arguments, songs, tmp_path))
        return started[0]

    yield start
    for command in started:
        command.process.kill()
        command.process.communicate()


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    ("arguments", "is_at_work"),
    [
        pytest.param(SEPARATE, Command.files, id="separate"),
        pytest.param((*SEPARATE, "b/vocals.wav", "--jobs", "2"), Command.files, id="separate --jobs"),
        pytest.param(RENDER, Command.files, id="render"),
        pytest.param(BUILD, Command.files, id="data build"),
        pytest.param((*BUILD, "--jobs", "2"), Command.files, id="data build --jobs"),
        pytest.param(("evaluate", ".", "--model", "bands"), lambda it: it.reads("vocals.wav"), id="evaluate"),
    ],
)
def test_command_at_work_ends_in_order(start, arguments, is_at_work, number):
    command = start(arguments)
    command.wait_for(lambda: is_at_work(command))
    errors = command.end(number)
    assert command.process.returncode == 128 + number, errors
    assert "Traceback" not in errors
    assert "resource_tracker" not in errors
    assert command.files() == []
    assert list(command.temporary.iterdir()) == []
