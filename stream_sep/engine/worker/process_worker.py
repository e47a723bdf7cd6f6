"""A separator in a process of its own, watched, and started again when it dies.

Nothing that Python does in the engine's process (a busy web page, a garbage collection) can then make a hop late.
The two sides speak JSON lines over the child's standard input and output; sound goes through shared memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from stream_sep.audio.rings import HEARTBEAT, SharedRings
from stream_sep.effects.spec import ChainSpec
from stream_sep.engine.worker.effects import UNCHAINED, bypassing
from stream_sep.engine.worker.hop_worker import SeparatorInfo
from stream_sep.engine.worker.rpc import Dialog, raise_refusal
from stream_sep.errors import ConfigError, SeparatorError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream_sep.effects.chained_separator import Chains

_WATCH_SECONDS = 0.02
_SILENT_SECONDS = 2.0
_RESTART_PAUSE = 0.2


class ProcessWorker:
    """Runs a separator in a spawned process and keeps it running.

    Args:
        name: the separator, as for `load_separator`.
        sample_rate: frames per second of the stream.
        options: the separator's options; plain values only.
        report: is told, in a sentence, when the process dies, when it is back, and when a chain fails.
        chains: the effects to begin with; they outlive the process.
        chain_reserve: frames of latency kept for effects; with neither this nor ``chains`` there can be none later.

    Raises:
        SeparatorError: the separator, or an effect, cannot be loaded.
        ConfigError: chains that make no sense, or are later than the reserve.
    """

    child = "stream_sep.engine.worker.process_main"
    """The module that the process runs."""

    def __init__(
        self,
        name: str,
        sample_rate: int,
        options: Mapping[str, Any],
        report: Callable[[str], None] = lambda _: None,
        *,
        chains: Chains | None = None,
        chain_reserve: int | None = None,
    ) -> None:
        self._spec = {"name": name, "sample_rate": sample_rate, "options": dict(options), "path": sys.path}
        self._chains = None if chains is None and chain_reserve is None else ChainSpec.parse(chains)
        self._chain_reserve, self._bypassed = chain_reserve, frozenset[str]()
        self._changing = threading.Lock()
        self._report = report
        self._rings: SharedRings | None = None
        self._stopped = threading.Event()
        self._watcher: threading.Thread | None = None
        self.restarts = 0
        self._process, self._dialog, self.info = self._spawn(self._chains)
        self._chain_reserve = self.info.chain_latency  # a process that comes back has to have the same latency

    @property
    def chain_latency(self) -> int:
        """Frames by which the chains make all stems later."""
        return self.info.chain_latency

    @property
    def chains(self) -> ChainSpec:
        """The effects that are wanted."""
        return self._chains or ChainSpec()

    def set_chains(self, chains: Chains) -> None:
        """Have other effects; as `ChainedSeparator.set_chains`. Waits until they are loaded.

        While the process is being started again, they are loaded when it is back.
        """
        wanted = ChainSpec.parse(chains)
        wanted.check(self.info.stems)
        with self._changing:
            self._change(wanted, self._bypassed)

    def set_effect(self, stem: str, index: int, parameter: str, value: object) -> None:
        """Set a parameter of an effect; as `ChainedSeparator.set_effect`. Waits as `set_chains` does."""
        with self._changing:
            self._change(self.chains.with_effect(stem, index, parameter, value), self._bypassed)

    def set_bypass(self, stem: str, *, bypassed: bool) -> None:
        """Send a stem past its chain; as `ChainedSeparator.set_bypass`."""
        with self._changing:
            self._change(self.chains, bypassing(self._bypassed, stem, self.info.stems, on=bypassed))

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

    def _change(self, chains: ChainSpec, bypassed: frozenset[str]) -> None:
        if self._chains is None:
            raise ConfigError(UNCHAINED)
        answer = self._dialog.ask({"chains": chains.to_dict(), "bypassed": sorted(bypassed)})
        if "gone" not in answer:  # else the process that comes back is told
            raise_refusal(answer)
        self._chains, self._bypassed = chains, bypassed

    def _spawn(
        self, chains: ChainSpec | None, *, again: bool = False
    ) -> tuple[subprocess.Popen[str], Dialog, SeparatorInfo]:
        process = subprocess.Popen(  # noqa: S603 - runs modules of ours
            [sys.executable, "-c", f"from {self.child} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        )
        dialog = Dialog(process, self._report)
        plain = None if chains is None else chains.to_dict()
        answer = dialog.ask({**self._spec, "chains": plain, "reserve": self._chain_reserve, "again": again})
        if "error" in answer:
            _finish(process, dialog)
            raise_refusal(answer)
        fields = answer["ready"]
        return process, dialog, SeparatorInfo(**{**fields, "stems": tuple(fields["stems"])})

    def _begin(self, *, join: bool) -> None:
        assert self._rings is not None
        self._rings.beat(time.monotonic_ns())
        if "running" not in self._dialog.ask(self._task(join=join)):
            raise SeparatorError(f"the separator process {self._process.pid} ended before it began")

    def _task(self, *, join: bool) -> dict[str, Any]:
        assert self._rings is not None
        return {"rings": self._rings.describe(), "join": join}

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
            sent = self._chains
            self._process, self._dialog, info = self._spawn(sent, again=True)
            self.info.check_return(info)
            self._begin(join=True)
            self._catch_up_changes(sent)
            self.restarts += 1
            self._report("the separator is back: the stems fade in")
        except StreamSepError as error:
            self._report(f"the separator did not come back ({error}); trying again")
            self._stopped.wait(_RESTART_PAUSE)

    def _catch_up_changes(self, sent: ChainSpec | None) -> None:
        """Tell the process that came back what it was not told when it was started."""
        with self._changing:
            if self._chains is sent and not self._bypassed:
                return
            try:
                self._change(self.chains, self._bypassed)
            except StreamSepError as error:
                self._chains = sent
                self._report(f"{error}; the effects are those of before")

    def _end(self) -> None:
        _finish(self._process, self._dialog)


def _finish(process: subprocess.Popen[str], dialog: Dialog) -> None:
    process.kill()
    process.wait()
    dialog.close()
