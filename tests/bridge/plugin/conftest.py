"""The plug-in, compiled once, and a new host for every test that needs one."""

import ctypes
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import processes
import pytest
import waiting
from clap_host import ClapHost
from requirements import require

from bridge.plugin.build import compile_plugin
from bridge.plugin.install import write_bundle

until = partial(waiting.until, every=0.02)

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent


def require_compiler():
    require(shutil.which("c++"), "needs a C++ compiler: apt install g++")


@pytest.fixture(scope="session")
def harness(tmp_path_factory):
    """The native parts behind C functions, see mixer_harness.cpp."""
    require_compiler()
    out = tmp_path_factory.mktemp("harness") / "harness.so"
    compile_plugin(out, more=["-Werror", str(HERE / "mixer_harness.cpp")])
    library = ctypes.CDLL(str(out))
    number, pointer, decimal = ctypes.c_int64, ctypes.c_void_p, ctypes.c_double
    library.mixer_new.restype, library.mixer_new.argtypes = pointer, [decimal, number]
    library.mixer_attach.restype = ctypes.c_bool
    library.mixer_attach.argtypes = [pointer, pointer, pointer, number]
    library.mixer_process.restype = number
    library.mixer_process.argtypes = [pointer, pointer, pointer, number, number, number, number]
    library.mixer_gains.argtypes = [pointer, pointer]
    library.mixer_bypass.argtypes = [pointer, ctypes.c_bool]
    library.mixer_released.restype = ctypes.c_bool
    for name in ("free", "detach", "released", "release", "reset", "late_hops", "dry_frames"):
        getattr(library, f"mixer_{name}").argtypes = [pointer]
    library.mixer_late_hops.restype = library.mixer_dry_frames.restype = number
    library.clock_new.restype, library.clock_new.argtypes = pointer, [number]
    library.clock_restart.argtypes = [pointer, number]
    library.clock_free.argtypes = [pointer]
    library.clock_limit.restype, library.clock_limit.argtypes = (
        number,
        [pointer, number, number, decimal, ctypes.c_bool],
    )
    library.clock_start_limit.restype, library.clock_start_limit.argtypes = number, [pointer, number]
    library.harness_latency.restype = number
    library.harness_latency.argtypes = [ctypes.c_int, decimal, number, number]
    library.harness_parse.restype, library.harness_parse.argtypes = decimal, [ctypes.c_char_p, ctypes.c_char_p]
    library.harness_whole.restype, library.harness_whole.argtypes = number, [ctypes.c_char_p, ctypes.c_char_p]
    library.harness_can_read.restype = ctypes.c_bool
    library.harness_can_read.argtypes = [pointer, number, number, decimal]
    library.harness_number.argtypes = [decimal, ctypes.c_char_p, ctypes.c_int]
    return library


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    """A folder with the plug-in in all formats, by format."""
    require_compiler()
    folder = tmp_path_factory.mktemp("plugins")
    compile_plugin(folder / "binary", more=["-Werror"])
    names = {"vst3": "StreamSep.vst3", "clap": "StreamSep.clap", "lv2": "stream_sep.lv2"}
    for form, name in names.items():
        write_bundle(folder / name, form, folder / "binary")
    return {form: folder / name for form, name in names.items()}


class Meeting:
    """Where plug-ins of this test meet their host, which is started by them or by the test."""

    def __init__(self, folder):
        self.socket, self.command = folder / "s", folder / "command"
        self.log = folder / "host.log"
        self._started = []

    def arguments(self, *more):
        run = [sys.executable, "-m", "stream_sep", "host", "--osc-port", "0", *more]
        return ["/usr/bin/env", f"PYTHONPATH={ROOT}", f"STREAM_SEP_PLUGIN_SOCKET={self.socket}", *run]

    def let_plugin_start_host(self, linger=5):
        self.command.write_text("\n".join(self.arguments("--linger", str(linger))) + "\n")

    def let_plugin_run(self, *command):
        self.command.write_text("\n".join(command) + "\n")

    def start_host(self, *more):
        with self.log.open("ab") as log:
            process = subprocess.Popen(self.arguments("--linger", "0", *more), stdout=log, stderr=log)
        self._started.append(process)
        until(self.is_host_running)
        return process

    def is_host_running(self):
        return self.socket.exists()

    def kill_host(self, process):
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.socket.unlink(missing_ok=True)

    def close(self):
        for process in self._started:
            processes.end(process, 20)


@pytest.fixture
def meeting(monkeypatch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("m")
    made = Meeting(folder)
    monkeypatch.setenv("STREAM_SEP_PLUGIN_SOCKET", str(made.socket))
    monkeypatch.setenv("STREAM_SEP_PLUGIN_COMMAND", str(made.command))
    yield made
    made.close()


@pytest.fixture
def open_host(bundles, meeting):
    """A function that loads another instance of the plug-in into a CLAP host."""
    assert meeting
    opened = []

    def start():
        opened.append(ClapHost(bundles["clap"]))
        return opened[-1]

    yield start
    for host in opened:
        host.close()


@pytest.fixture
def host(open_host):
    """One instance of the plug-in in a CLAP host."""
    return open_host()
