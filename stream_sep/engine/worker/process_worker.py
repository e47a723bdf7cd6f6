"""A separator in its own process, supervised and restarted when it dies.

Python code in the engine's process (a busy web page, a garbage collection) then cannot delay a hop.
Requests and replies go over the child's standard input and output, audio through shared memory.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from stream_sep.audio.ring_layout import HEARTBEAT, HOPS_DONE
from stream_sep.effects.spec import ChainSpec
from stream_sep.engine.worker.effects import NO_EFFECTS, with_bypass
from stream_sep.engine.worker.rpc import RpcClient, raise_for_error
from stream_sep.engine.worker.separator_info import SeparatorInfo
from stream_sep.engine.worker.standby import LoadedProcess, Standby
from stream_sep.errors import ConfigError, SeparatorError, StreamSepError, reason
from stream_sep.lowlevel.backoff import Backoff
from stream_sep.lowlevel.child_process import ChildProcess
from stream_sep.lowlevel.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream_sep.audio.shared_rings import SharedRings
    from stream_sep.effects.chained_separator import Chains

_POLL_SECONDS = 0.1
_HEARTBEAT_TIMEOUT = 2.0
_FIRST_LOAD_TIMEOUT = 1800.0  # weights may have to be downloaded
_LOAD_SILENCE = 60.0  # a loading process sends a heartbeat every second
_RELOAD_TIMEOUT = 15.0  # or four times as long as it took first
_BEGIN_TIMEOUT = 60.0
_CHANGE_TIMEOUT = 90.0  # an effect in its own process may take 30 s, and a stem may have several
_STOP_TIMEOUT = 2.0


class ProcessWorker:
    """Runs a separator in a spawned process and keeps it running.

    Args:
        name: the separator, as for `load_separator`.
        sample_rate: frames per second of the stream.
        options: the separator's options; plain values only.
        report: callback that receives a message when the process dies, when it is back, and when a chain fails.
        chains: the effects to start with; they survive a restart of the process.
        chain_reserve: frames of latency reserved for effects; with neither this nor ``chains``, none can be added.
        meanwhile: what plays during a restart, as part of a message.
        standby: whether to keep a second process loaded, which takes over when the first one ends.

    Raises:
        SeparatorError: the separator, or an effect, cannot be loaded.
        ConfigError: invalid chains, or chains whose latency exceeds the reserve.
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
        meanwhile: str = "the dry sound plays",
        standby: bool = False,
    ) -> None:
        self._spec = {"name": name, "sample_rate": sample_rate, "options": dict(options), "path": sys.path}
        self._chains = None if chains is None and chain_reserve is None else ChainSpec.parse(chains)
        self._chain_reserve, self._bypassed = chain_reserve, frozenset[str]()
        self._changing = threading.Lock()
        self._report, self._meanwhile = report, meanwhile
        self._rings: SharedRings | None = None
        self._stopped = threading.Event()
        self._installing = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._backoff, self._begun_at, self._hops_before = Backoff(), math.inf, 0
        self._standby = Standby(self._load_standby) if standby else None
        self._standby_process: ChildProcess | None = None
        self.restarts = 0
        started = time.monotonic()
        self._process, self._client = self._spawn()
        self.info = self._load(self._client, self._chains, again=False)
        self._load_seconds = time.monotonic() - started
        self._chain_reserve = self.info.chain_latency  # a restarted process must have the same latency

    @property
    def chain_latency(self) -> int:
        """Frames of latency that the chains add to all stems."""
        return self.info.chain_latency

    @property
    def chains(self) -> ChainSpec:
        """The current effects."""
        return self._chains or ChainSpec()

    def set_chains(self, chains: Chains) -> None:
        """Replace the effects; as `ChainedSeparator.set_chains`. Waits until they are loaded.

        While the process restarts, they are loaded when it is back.
        """
        spec = ChainSpec.parse(chains)
        spec.check(self.info.stems)
        with self._changing:
            self._change(spec, self._bypassed)

    def set_effect(self, stem: str, index: int, parameter: str, value: object) -> None:
        """Set a parameter of an effect; as `ChainedSeparator.set_effect`. Waits as `set_chains` does."""
        with self._changing:
            self._change(self.chains.with_effect(stem, index, parameter, value), self._bypassed)

    def set_bypass(self, stem: str, *, bypassed: bool) -> None:
        """Bypass a stem's chain; as `ChainedSeparator.set_bypass`."""
        with self._changing:
            self._change(self.chains, with_bypass(self._bypassed, stem, self.info.stems, on=bypassed))

    @property
    def pid(self) -> int:
        """Process id of the separator."""
        return self._process.pid

    def start(self, rings: SharedRings) -> None:
        """Start processing on ``rings`` in the process, and supervise it."""
        self._rings = rings
        self._begin(join=False)
        self._watcher = threading.Thread(target=self._watch, name="separator watch", daemon=True)
        self._watcher.start()
        self._prepare_standby()

    def catch_up(self) -> None:
        """Do nothing: the process does it."""

    def stop(self) -> None:
        """End the process and its supervision at once, whatever either does."""
        with self._installing:
            self._stopped.set()
        deadline = Deadline(_STOP_TIMEOUT)
        self._process.kill()
        if self._standby_process is not None:
            self._standby_process.kill()
        if self._watcher is not None:
            self._watcher.join(deadline.left / 2)
        self._client.close(limit=deadline.left / 2)
        if self._standby is not None:
            self._standby.close(deadline.left)

    def _change(self, chains: ChainSpec, bypassed: frozenset[str]) -> None:
        if self._chains is None:
            raise ConfigError(NO_EFFECTS)
        message = {"chains": chains.to_dict(), "bypassed": sorted(bypassed)}
        reply = self._client.request(message, _CHANGE_TIMEOUT)
        if "closed" not in reply:  # else the restarted process receives the change
            raise_for_error(reply)
        self._chains, self._bypassed = chains, bypassed

    def _spawn(self, *, standby: bool = False) -> tuple[ChildProcess, RpcClient]:
        """Start a process in which nothing is loaded yet.

        Args:
            standby: whether it is not to be the current one yet.

        Raises:
            SeparatorError: the system cannot start it, or this worker is stopped.
        """
        try:
            child = ChildProcess(self.child)
        except OSError as error:
            raise SeparatorError(f"no process for the separator: {reason(error)}; close other programs") from error
        with self._installing:  # so that every started process is ended, by `stop` or here
            if self._stopped.is_set():
                child.close()
                raise SeparatorError("the engine is stopped")
            client = RpcClient(child, self._report)
            if standby:
                self._standby_process = child
            else:
                self._process, self._client = child, client
        return child, client

    def _load(self, client: RpcClient, chains: ChainSpec | None, *, again: bool) -> SeparatorInfo:
        """Load the separator in a process; end the process if that fails."""
        plain = None if chains is None else chains.to_dict()
        spec = {**self._spec, "chains": plain, "reserve": self._chain_reserve, "again": again}
        timeout = max(_RELOAD_TIMEOUT, 4 * self._load_seconds) if again else _FIRST_LOAD_TIMEOUT
        try:
            reply = client.request(spec, timeout, _LOAD_SILENCE)
        except BaseException:  # Ctrl-C
            client.close()
            raise
        if "ready" not in reply:
            client.close()
        if "timeout" in reply:
            raise SeparatorError(f"separator {self._spec['name']!r} hangs while it loads: {reply['error']}")
        raise_for_error(reply)
        fields = reply["ready"]
        return SeparatorInfo(**{**fields, "stems": tuple(fields["stems"])})

    def _begin(self, *, join: bool) -> None:
        assert self._rings is not None
        reply = self._client.request(self._task(join=join), _BEGIN_TIMEOUT)
        if "running" not in reply:
            raise SeparatorError(f"the separator process {self._process.pid} ended before it began")
        self._rings.heartbeat(time.monotonic_ns())
        self._begun_at, self._hops_before = time.monotonic(), int(self._rings.positions[HOPS_DONE])

    def _task(self, *, join: bool) -> dict[str, Any]:
        assert self._rings is not None
        return {"rings": self._rings.describe(), "join": join}

    def _watch(self) -> None:
        while not self._stopped.is_set():
            if (self._process.ended.wait(_POLL_SECONDS) or self._is_silent()) and not self._stopped.is_set():
                self._restart()

    def _is_silent(self) -> bool:
        assert self._rings is not None
        limit = max(_HEARTBEAT_TIMEOUT, 20 * self.info.hop_seconds)
        return time.monotonic_ns() - int(self._rings.positions[HEARTBEAT]) > limit * 1e9

    def _restart(self) -> None:
        code = self._process.exit_code
        delay = self._delay(code)
        what = "stopped responding" if code is None else f"ended with code {code}"
        when = f" in {delay:g} s" if delay else ""
        self._report(f"the separator process {what}: {self._meanwhile} while it starts again{when}")
        self._client.close()
        if self._stopped.wait(delay):
            return
        try:
            self._come_back()
        except StreamSepError as error:
            self._client.close()  # the next poll detects its end
            if not self._stopped.is_set():
                self._report(f"the separator did not come back ({error}); trying again")

    def _come_back(self) -> None:
        sent = self._replace_process()
        self._begin(join=True)
        self._catch_up_changes(sent)
        self.restarts += 1
        self._report("the separator is back: the stems fade in")
        self._prepare_standby()

    def _replace_process(self) -> ChainSpec | None:
        """Make the stand-by or a new process the current one; return the effects that it loaded."""
        loaded = None if self._standby is None else self._standby.take()
        if loaded is not None:
            self._process, self._client = loaded.process, loaded.client
            return loaded.chains
        chains = self._chains
        _, client = self._spawn()
        self.info.check_compatible(self._load(client, chains, again=True))
        return chains

    def _prepare_standby(self) -> None:
        if self._standby is not None:
            self._standby.prepare()

    def _load_standby(self) -> LoadedProcess:
        chains = self._chains
        process, client = self._spawn(standby=True)
        try:
            self.info.check_compatible(self._load(client, chains, again=True))
        except StreamSepError:
            client.close()
            raise
        return LoadedProcess(process, client, chains)

    def _delay(self, code: int | None) -> float:
        """Return the seconds to wait before a restart: more with each failure, none if the process was killed."""
        assert self._rings is not None
        worked = int(self._rings.positions[HOPS_DONE]) > self._hops_before
        if worked and code in {-signal.SIGTERM, -getattr(signal, "SIGKILL", signal.SIGTERM)}:
            self._backoff.clear()
            return 0.0
        lived, self._begun_at = time.monotonic() - self._begun_at, math.inf
        return self._backoff.delay_after(lived)

    def _catch_up_changes(self, sent: ChainSpec | None) -> None:
        """Send the restarted process the changes that were made since it was started."""
        with self._changing:
            if self._chains is sent and not self._bypassed:
                return
            try:
                self._change(self.chains, self._bypassed)
            except StreamSepError as error:
                self._chains = sent
                self._report(f"{error}; the effects are those of before")
