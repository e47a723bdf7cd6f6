"""Ctrl-C, SIGTERM and a closed terminal: the commands end in order at whatever moment these come."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import soundfile
import typer
import waiting
from processes import catches, children_of, is_running

from stream_sep.cli.interrupts import Interrupted, Interrupts

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and processes of POSIX")
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def signals_of_a_shell():
    """Signals as a shell passes them on: nohup ignores SIGHUP, and children inherit that."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_raises_where_nothing_waits(number):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as caught, Interrupts():
        signal.raise_signal(number)
    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_sets_the_event_of_who_waits_and_gives_the_exit_code(number):
    with Interrupts() as interrupts:
        stopped = interrupts.defer()
        signal.raise_signal(number)
        assert stopped.is_set()
        with pytest.raises(typer.Exit) as left:
            interrupts.exit()
    assert left.value.exit_code == 128 + number


@pytest.mark.parametrize(("seconds", "ended"), [(0.1, []), (2.0, [128 + signal.SIGTERM])])
def test_second_signal_ends_the_process_at_once_unless_it_has_the_same_cause(monkeypatch, seconds, ended):
    codes, now = [], [5.0]
    monkeypatch.setattr(os, "_exit", codes.append)
    with Interrupts(lambda: now[0]) as interrupts:
        interrupts.defer()
        signal.raise_signal(signal.SIGTERM)
        now[0] += seconds
        signal.raise_signal(signal.SIGINT)
    assert interrupts.number == signal.SIGTERM
    assert codes == ended


HANGING_SHUTDOWN = """
import threading
from stream_sep.cli.interrupts import Interrupts

with Interrupts() as interrupts:
    stopped = interrupts.defer()
    print("ready", flush=True)
    stopped.wait()
    print("stopping", flush=True)
    threading.Event().wait(600)
"""


def test_impatient_user_ends_a_shutdown_that_hangs():
    process = subprocess.Popen([sys.executable, "-c", HANGING_SHUTDOWN], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "stopping\n"
    waiting.until(lambda: process.send_signal(signal.SIGINT) or process.poll() is not None, every=0.1)
    assert process.returncode == 128 + signal.SIGINT
    process.communicate()


def test_run_that_no_signal_ends_leaves_with_no_code_of_its_own():
    with Interrupts() as interrupts:
        assert not interrupts.defer().is_set()
        interrupts.exit()


def test_terminal_that_closes_is_ignored_where_it_was():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGHUP)
            assert interrupts.number == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signal_in_a_callback_of_a_c_library_is_raised_after_it(monkeypatch):
    """Python drops exceptions there, and the library only gets a failure."""
    dropped = []
    monkeypatch.setattr(sys, "unraisablehook", dropped.append)

    @ctypes.CFUNCTYPE(ctypes.c_int)
    def callback():
        signal.raise_signal(signal.SIGINT)
        return 1

    def work():
        callback()
        threading.Event().wait(60)

    started = time.monotonic()
    with pytest.raises(Interrupted), Interrupts():
        work()
    assert time.monotonic() < started + 30  # in the wait, not behind it
    assert dropped == []


def test_failure_that_a_signal_causes_in_a_callback_counts_as_the_signal(monkeypatch):
    """As where libsndfile reads from Python, gets nothing more, and the file looks damaged."""
    monkeypatch.setattr("stream_sep.cli.interrupts._RETRY_SECONDS", 600)

    @ctypes.CFUNCTYPE(ctypes.c_int)
    def callback():
        signal.raise_signal(signal.SIGINT)
        return 1

    with pytest.raises(Interrupted) as caught, Interrupts():  # noqa: PT012 - the library's caller fails in the block
        callback()
        raise ValueError("the file is damaged")
    assert caught.value.exit_code == 128 + signal.SIGINT
    assert str(caught.value.__cause__) == "the file is damaged"


RUNS = {
    "demo": ["demo", "--no-audio", "--out", "out"],
    "play": ["play", "song.wav", "--no-audio", "--no-refine", "--osc-port", "0", "--record", "out"],
    "live": ["live", "--backend", "jack", "--osc-port", "0", "--record", "out"],
}


class Command:
    """A command in its own process group, as a shell starts it, in a terminal or with pipes; collects its output."""

    def __init__(self, name, folder, *, in_terminal=False):
        self.mix, self.master = folder / "out" / "mix.wav", None
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        if in_terminal:
            self.master, slave = os.openpty()
            pipes = dict.fromkeys(pipes, slave)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stream_sep", *RUNS[name]],
            cwd=folder,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "200", "LINES": "40"},
            **pipes,
        )
        self.screen, self.reader = bytearray(), threading.Thread(target=self._read_screen, daemon=True)
        if in_terminal:
            os.close(slave)
            self.reader.start()

    def _read_screen(self):
        with contextlib.suppress(OSError):  # which is how a terminal ends
            while data := os.read(self.master, 4096):
                self.screen += data

    def wait_for(self, condition):
        def is_met():
            assert self.process.poll() is None, (bytes(self.screen), self.process.communicate())
            return condition()

        waiting.until(is_met)

    def end(self, number):
        """Signal the whole group, as a terminal does; return all that it prints, and the child processes."""
        children = children_of(self.process.pid)
        os.killpg(self.process.pid, number)
        output, errors = self.process.communicate(timeout=120)
        if self.master is None:
            return (output + errors).decode(), children
        self.reader.join(60)
        return self.screen.decode(errors="replace"), children

    def close(self):
        self.process.kill()
        self.process.communicate()
        if self.master is not None:
            os.close(self.master)


@pytest.fixture
def start(tmp_path, request):
    started = []

    def start(name, **settings):
        if name == "live":
            request.getfixturevalue("jackd")
        if name == "play":
            soundfile.write(tmp_path / "song.wav", np.full((60 * 44100, 2), 0.1), 44100)
        started.append(Command(name, tmp_path, **settings))
        return started[0]

    yield start
    for command in started:
        command.close()


PHASES = {
    "importing": lambda command: catches(command.process.pid, signal.SIGTERM),  # Python itself has started
    "loading": lambda command: children_of(command.process.pid),
    "playing": lambda command: command.mix.exists() and command.mix.stat().st_size > 200_000,
}


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them")
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", RUNS)
def test_command_ends_in_order_at_any_moment(start, name, phase, number):
    command = start(name)
    command.wait_for(lambda: PHASES[phase](command))
    if (phase, number) == ("importing", signal.SIGHUP):
        pytest.skip("nothing is begun yet: the system ends the program as it ends any other")
    printed, children = command.end(number)
    assert command.process.returncode == 128 + number, printed
    assert "Traceback" not in printed
    assert "resource_tracker" not in printed
    assert "starts again" not in printed
    waiting.until(lambda: not any(map(is_running, children)))
    if phase == "playing":
        assert ("You heard it" in printed) == (name != "play")  # whose latency is not heard
        assert "written to out" in printed
        assert soundfile.info(command.mix).frames > 20_000


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them")
@pytest.mark.parametrize("number", SIGNALS)
def test_mixer_in_a_terminal_ends_in_order_and_leaves_the_screen(start, number):
    command = start("play", in_terminal=True)
    command.wait_for(lambda: PHASES["playing"](command) and b"\x1b[?1049h" in command.screen)
    printed, children = command.end(number)
    assert command.process.returncode == 128 + number, printed
    assert "Traceback" not in printed
    assert printed.rindex("\x1b[?1049l") < printed.index("written to out")  # on the normal screen
    waiting.until(lambda: not any(map(is_running, children)))


ENDED = """
import atexit, os, sys
import stream_sep.__main__ as program, stream_sep.cli as cli

class Finalized:
    def __del__(self):
        os.write(1, b"finalized")

def run():
    atexit.register(print, "in order")
    sys.exit(int(sys.argv[1]))

finalized, cli.main = Finalized(), run
program.main()
"""


@pytest.mark.parametrize(("code", "output"), [(130, "in order\n"), (143, "in order\n"), (1, "in order\nfinalized")])
def test_program_that_a_signal_ends_skips_the_finalization_in_which_a_busy_thread_may_abort_it(code, output):
    done = subprocess.run([sys.executable, "-c", ENDED, str(code)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, output), done.stderr


def test_interrupts_may_come_from_any_thread():
    with Interrupts() as interrupts:
        stopped = interrupts.defer()
        thread = threading.Thread(target=lambda: os.kill(os.getpid(), signal.SIGINT))
        thread.start()
        thread.join()
        assert stopped.wait(30)
