"""Compiling ahead: after it, the first start compiles nothing; it is reported only where it takes long."""

import os
import subprocess
import sys

import pytest
import waiting

from stream_sep.cli import startup

WATCH = """
import sys
from numba.core import event

class Listener(event.Listener):
    def on_start(self, event):
        print("compiled", event.data["dispatcher"])
    def on_end(self, event):
        pass

event.register("numba:compile", Listener())
sys.argv = ["stream-sep", "demo", "--no-audio", "--duration", "1", "--model", sys.argv[1], "--out", sys.argv[2]]
from stream_sep.cli import main
main()
"""


@pytest.mark.parametrize(
    ("options", "model"), [(["--model", "bands"], "bands"), ([], "live")], ids=["bands", "default"]
)
def test_first_start_after_a_warm_up_compiles_nothing(tmp_path, options, model):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    warm = [sys.executable, "-m", "stream_sep", "warm-up", *options]
    done = subprocess.run(warm, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "compiled for this processor" in done.stdout
    first = [sys.executable, "-c", WATCH, model, str(tmp_path / "out")]
    done = subprocess.run(first, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "compiled" not in done.stdout


@pytest.mark.parametrize(("limit", "received"), [(60.0, False), (0.05, True)])
def test_only_long_compilation_is_reported(monkeypatch, capsys, limit, received):
    monkeypatch.setattr(startup, "_COMPILE_NOTICE_SECONDS", limit)
    monkeypatch.setattr("stream_sep.lowlevel.code_cache.on_first_compile", lambda begun: begun())
    output = []

    def is_reported():
        output.append(capsys.readouterr().err)
        return startup.COMPILING in "".join(output)

    with startup.starting("bands"):
        waiting.until(lambda: is_reported() == received)
    assert is_reported() == received
