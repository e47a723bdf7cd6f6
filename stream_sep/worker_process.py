"""A separator in a process of its own, watched, and started again when it dies.

Nothing that Python does in the engine's process (a busy web page, a garbage collection) can then make a hop late.
The two sides speak JSON lines over the child's standard input and output; sound goes through shared memory.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stream_sep.errors import SeparatorError, StreamSepError
from stream_sep.rings import HEARTBEAT, SharedRings
from stream_sep.separators import load_separator
from stream_sep.worker import HopWorker, SeparatorInfo, warm_up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_WATCH_SECONDS = 0.02
_SILENT_SECONDS = 2.0
_RESTART_PAUSE = 0.2
_NICE = -11  # what desktop sound servers ask for


class ProcessWorker:
    """Runs a separator in a spawned process and keeps it running.

    Args:
        name: the separator, as for `load_separator`.
        sample_rate: frames per second of the stream.
        options: the separator's options; plain values only.
        report: is told, in a sentence, when the process dies and when it is back.

    Raises:
        SeparatorError: the separator cannot be loaded.
    """

    def __init__(
        self, name: str, sample_rate: int, options: Mapping[str, Any], report: Callable[[str], None] = lambda _: None
    ) -> None:
        self._spec = {"name": name, "sample_rate": sample_rate, "options": dict(options), "path": sys.path}
        self._report = report
        self._rings: SharedRings | None = None
        self._stopped = threading.Event()
        self._watcher: threading.Thread | None = None
        self.restarts = 0
        self._process, self.info = self._spawn()

    @property
    def pid(self) -> int:
        """Process id of the separator."""
        return self._process.pid

    def start(self, rings: SharedRings) -> None:
        """Let the process work on ``rings`` and watch over it."""
        self._rings = rings
        self._begin(join=False)
        self._watcher = threading.Thread(target=self._watch, name="separator watch", daemon=True)
        self._watcher.start()

    def catch_up(self) -> None:
        """Do nothing: the process does it."""

    def stop(self) -> None:
        """End the process and the watch."""
        self._stopped.set()
        if self._watcher is not None:
            self._watcher.join()
        self._end()

    def _spawn(self) -> tuple[subprocess.Popen[str], SeparatorInfo]:
        process = subprocess.Popen(
            [sys.executable, "-c", "from stream_sep.worker_process import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        )
        _send(process.stdin, self._spec)
        answer = _receive(process.stdout)
        if "error" in answer:
            _finish(process)
            raise SeparatorError(answer["error"])
        fields = answer["ready"]
        return process, SeparatorInfo(**{**fields, "stems": tuple(fields["stems"])})

    def _begin(self, *, join: bool) -> None:
        assert self._rings is not None
        self._rings.beat(time.monotonic_ns())
        _send(self._process.stdin, {"rings": self._rings.describe(), "join": join})
        if "running" not in _receive(self._process.stdout):
            raise SeparatorError(f"the separator process {self._process.pid} ended before it began")

    def _watch(self) -> None:
        while not self._stopped.wait(_WATCH_SECONDS):
            if self._process.poll() is None and not self._silent():
                continue
            self._restart()

    def _silent(self) -> bool:
        assert self._rings is not None
        slow = max(_SILENT_SECONDS, 20 * self.info.hop_seconds)
        return time.monotonic_ns() - int(self._rings.positions[HEARTBEAT]) > slow * 1e9

    def _restart(self) -> None:
        code = self._process.poll()
        what = "stopped answering" if code is None else f"ended with code {code}"
        self._report(f"the separator process {what}: the dry sound plays while it starts again")
        self._end()
        try:
            self._process, info = self._spawn()
            if (info.stems, info.hop, info.latency) != (self.info.stems, self.info.hop, self.info.latency):
                raise SeparatorError("the separator came back with another shape")
            self._begin(join=True)
            self.restarts += 1
            self._report("the separator is back: the stems fade in")
        except StreamSepError as error:
            self._report(f"the separator did not come back ({error}); trying again")
            self._stopped.wait(_RESTART_PAUSE)

    def _end(self) -> None:
        _finish(self._process)


def _finish(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def main() -> None:
    """Be the separator's process: load, say so, work until standard input ends."""
    commands, answers = sys.stdin, os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a model's library prints must not mix with the answers
    spec = _receive(commands)
    sys.path[:] = spec["path"]
    try:
        separator = load_separator(spec["name"], spec["sample_rate"], **spec["options"])
        info = warm_up(separator)
    except StreamSepError as error:
        _send(answers, {"error": str(error)})
        return
    except Exception as error:  # noqa: BLE001 - a model can fail in any way; the user gets one sentence
        _send(answers, {"error": f"separator {spec['name']!r} failed to load: {type(error).__name__}: {error}"})
        return
    _send(answers, {"ready": asdict(info)})
    task = _receive(commands)
    if "rings" not in task:
        return
    rings = SharedRings.attach(task["rings"])
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    with suppress(AttributeError, OSError):  # where the system allows it, go before programs that can wait
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    gc.collect()
    gc.freeze()  # a collection that walks the model's objects would cost milliseconds
    worker = HopWorker(separator, rings, join=task["join"])
    _send(answers, {"running": True})
    worker.run(threading.Event())


def _leave_with_parent() -> None:
    while sys.stdin.readline():
        pass
    os._exit(0)


def _send(pipe: Any, message: Mapping[str, Any]) -> None:  # noqa: ANN401 - a text stream, or None for mypy's sake
    with suppress(OSError):  # a dead reader is found by the watch
        pipe.write(json.dumps(message, default=str) + "\n")
        pipe.flush()


def _receive(pipe: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    line = pipe.readline()
    if not line:
        return {"error": "the separator process ended without a word; its own message is above"}
    message: dict[str, Any] = json.loads(line)
    return message
