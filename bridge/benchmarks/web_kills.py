"""A soak test of the service: its processes are killed at random under load, and nothing accepted may be lost."""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from bridge.benchmarks.web_load import LoadClient, Record
from bridge.benchmarks.web_process import ApiClient, make_admin, run_service
from bridge.web.service.config import ServiceConfig
from bridge.web.service.consistency import find_lost, find_violations
from bridge.web.service.context import open_service
from bridge.web.service.queue import ACTIVE
from bridge.web.service.reconcile import UNKNOWN_SECONDS, reconcile
from bridge.web.service.tables import Job, Song
from stream_sep.errors import BridgeError
from stream_sep.evaluation.signals import child_processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.benchmarks.web_process import RunningService
    from bridge.web.service.context import Service

_TARGETS = ("web", "worker", "web and worker")
_MODEL = "passthrough"  # it takes no time, so that its worker is killed at more different points
_MIN_PAUSE = 0.1
_LIMITS: dict[str, object] = {"max_uploads": 1000, "max_waiting_jobs": 10_000, "quota_bytes": 10**12}
_STUCK_SECONDS = 300.0
_MOST_SHOWN = 20
_POLL_SECONDS = 0.5
_STOP_SECONDS = 150.0


@dataclass(frozen=True)
class KillReport:
    """The result of a run.

    Attributes:
        seconds: its duration, including the work left at the end.
        kills: by target.
        counts: of requests and their results.
        states: songs by their final state.
        tries: jobs whose worker was killed, by how often.
        swept: files and folders that killed processes left, and that were removed.
        violations: messages on lost songs, left-over files and wrong totals; none if all is well.
    """

    seconds: float
    kills: dict[str, int]
    counts: dict[str, int]
    states: dict[str, int]
    tries: dict[int, int]
    swept: int
    violations: tuple[str, ...]

    def figures(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {
            "seconds": round(self.seconds),
            **{f"{target} killed": count for target, count in sorted(self.kills.items())},
            **dict(sorted(self.counts.items())),
            **{f"songs {state}": count for state, count in sorted(self.states.items())},
            **{f"jobs that lost {times} workers": count for times, count in sorted(self.tries.items()) if times},
            "files left and swept": self.swept,
            "violations": shortened(self.violations),
        }


def shortened(messages: tuple[str, ...]) -> list[str]:
    """Return the first messages, and how many more there are.

    >>> shortened(("a",)), len(shortened(("a",) * 50)), shortened(("a",) * 50)[-1]
    (['a'], 21, 'and 30 more')
    """
    more = len(messages) - _MOST_SHOWN
    return [*messages[:_MOST_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def run_kills(
    folder: Path,
    kills: int = 200,
    *,
    clients: int = 4,
    max_pause: float = 6.0,
    max_seconds: float = math.inf,
    seed: int = 0,
    database: str = "",
    report: Callable[[str], None] = lambda _: None,
) -> KillReport:
    """Run a service under load, kill its processes with SIGKILL at random, let it end its work, and check everything.

    Args:
        folder: an empty one; all is kept in it.
        kills: how many.
        clients: that upload, cancel, delete and mix all the while.
        max_pause: longest time between two kills, in seconds.
        max_seconds: time after which no more are made.
        seed: of the times and the targets.
        database: URL of an empty database; SQLite in the folder unless given.
        report: callback that receives a line on every tenth kill.

    Raises:
        BridgeError: the service does not start, or this is not Linux.
    """
    if not Path("/proc/self/task").is_dir():
        raise BridgeError("killing workers at random needs Linux, whose /proc shows which processes they are")
    started = time.monotonic()
    run = _Run(folder / "data", database, report)
    dice = random.Random(seed)  # noqa: S311 - when to kill is no secret
    run.kill_at_random(kills, clients, dice, max_pause, started + max_seconds)
    unfinished = run.drain()
    return run.check(time.monotonic() - started, unfinished)


class _Run:
    """A run in progress."""

    def __init__(self, data: Path, database: str, report: Callable[[str], None]) -> None:
        self._data, self._database, self._report = data, database, report
        self._record = Record()
        self._kills: Counter[str] = Counter()
        self._api: ApiClient | None = None
        self._clients: list[LoadClient] = []

    def kill_at_random(self, kills: int, clients: int, dice: random.Random, max_pause: float, until: float) -> None:
        def is_unfinished() -> bool:
            return self._kills.total() < kills and time.monotonic() < until

        try:
            while is_unfinished():
                with self._serving() as running:
                    self._connect(running, clients)
                    while is_unfinished():
                        time.sleep(dice.uniform(_MIN_PAUSE, max_pause))
                        if self._kill(running, dice.choice(_TARGETS)):
                            break
        finally:
            for client in self._clients:
                client.stop()

    def drain(self) -> list[str]:
        """Run the service until its clients have their replies and no job is left."""
        with self._serving() as running, self._opened() as service:
            assert self._api is not None
            self._api.base = running.base
            for client in self._clients:
                client.join(_STOP_SECONDS)
            fewest, progressed_at = math.inf, time.monotonic()
            while left := _active(service):
                if left < fewest:
                    fewest, progressed_at = left, time.monotonic()
                elif time.monotonic() > progressed_at + _STUCK_SECONDS:
                    return [f"{left} jobs are left, and none ended in {_STUCK_SECONDS:g} s"]
                time.sleep(_POLL_SECONDS)
        return []

    def check(self, seconds: float, unfinished: list[str]) -> KillReport:
        """Return the report, after the sweep that a service makes of files that are a day old."""
        with self._opened() as service:
            _make_older(self._data)
            swept = len(reconcile(service).removed)
            violations = [
                *unfinished,
                *self._record.faults,
                *find_lost(service, self._record.accepted),
                *find_violations(service),
            ]
            with service.database.read() as session:
                states = dict(session.execute(select(Song.state, func.count()).group_by(Song.state)).all())
                tries = dict(session.execute(select(Job.tries, func.count()).group_by(Job.tries)).all())
                songs = set(session.scalars(select(Song.id)))
        violations += [f"song {song_id} was deleted and is there" for song_id in self._record.gone & songs]
        violations += [f"{path} is left over" for path in self._data.with_name(f"{self._data.name}-tmp").iterdir()]
        return KillReport(
            seconds, dict(self._kills), dict(self._record.counts), states, tries, swept, tuple(violations)
        )

    def _serving(self) -> contextlib.AbstractContextManager[RunningService]:
        return run_service(self._data, "--model", _MODEL, database=self._database)

    def _opened(self) -> contextlib.closing[Service]:
        config = ServiceConfig(data=self._data, database=self._database, model=_MODEL)
        return contextlib.closing(open_service(config))

    def _connect(self, running: RunningService, clients: int) -> None:
        """Give the clients the new address; at first, create the admin and start them."""
        if self._api is not None:
            self._api.base = running.base
            return
        self._api = make_admin(running)
        self._api.require("PATCH", "/admin/settings", _LIMITS)
        for number in range(clients):
            client = LoadClient(self._api, self._record, number)
            client.start()
            self._clients.append(client)

    def _kill(self, running: RunningService, target: str) -> bool:
        """Kill a target, unless it is a worker and none runs; return whether the web process is gone."""
        children = child_processes(running.process.pid)  # workers, and those that read uploads
        workers = [child for child in children if _is_worker(child)] if "worker" in target else []
        if target == "worker" and not workers:
            return False
        if "web" in target:
            running.process.kill()
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        self._kills[target] += 1
        if self._kills.total() % 10 == 0:
            self._report(f"{self._kills.total()} kills, {len(self._record.accepted)} songs")
        return "web" in target


def _is_worker(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"--role\0worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _active(service: Service) -> int:
    with service.database.read() as session:
        return session.scalar(select(func.count()).where(Job.state.in_(ACTIVE))) or 0


def _make_older(folder: Path) -> None:
    """Set the times of all files back, so that those that belong to nothing are old enough to be removed."""
    then = time.time() - 2 * UNKNOWN_SECONDS
    for path in folder.rglob("*"):
        os.utime(path, (then, then))
