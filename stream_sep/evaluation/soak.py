"""A soak test of the live engine under user actions: memory growth, late hops, leaks."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.backends.paced import PacedBackend
from stream_sep.engine.config import EngineConfig
from stream_sep.engine.engine import Engine
from stream_sep.engine.worker.standby import LOADER
from stream_sep.evaluation.signals import resident_bytes
from stream_sep.files.demo_song import load_demo_song
from stream_sep.separators import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable

_TICK_SECONDS = 0.05
_MOVE_EVERY, _PRESET_EVERY, _SAMPLE_EVERY = 0.1, 3.0, 5.0
MAX_DRY_SECONDS = 3.0
"""Most sound without stems for a kill, on average: a stand-by is back in a tenth of it, on a busy machine too."""

MAX_LATE_SHARE = 0.001
"""Most hops, and most of the time, without stems for another reason than a kill."""

MAX_MB_PER_HOUR = 20.0
_MIN_GROWTH_MB = 5.0  # less is noise, in a short run

_WARM_UP_SHARE = 0.2  # of the run, after which memory should not grow any more


@dataclass(frozen=True)
class Sample:
    """Resource use of the engine and its separator at one time.

    Attributes:
        seconds: since the start.
        engine_mb: resident memory of the engine's process.
        separator_mb: the same of the separator's process.
        files: open files of the engine's process.
        threads: its threads.
    """

    seconds: float
    engine_mb: float
    separator_mb: float
    files: int
    threads: int


@dataclass(frozen=True)
class SoakReport:
    """The result of a run.

    Attributes:
        seconds: how long it was.
        moves: faders moved and presets recalled.
        kills: times the separator was killed.
        restarts: number of restarts.
        hops: number of hops that were computed.
        late_hops: hops that were not there in time, kills included.
        dry_seconds: sound that was played without stems.
        behind_seconds: the most that the run was behind its clock.
        callback_us: time a callback took: p50, p99.9, max.
        errors: everything else that should be zero, by name.
        samples: memory, files and threads over time.
    """

    seconds: float
    moves: int
    kills: int
    restarts: int
    hops: int
    late_hops: int
    dry_seconds: float
    behind_seconds: float
    callback_us: tuple[float, float, float]
    errors: dict[str, int]
    samples: tuple[Sample, ...]

    def growth_mb_per_hour(self) -> float:
        """Return by how much the engine's memory grows, a line laid through all but the first samples."""
        settled = self._settled()
        if len(settled) < 2:
            return 0.0
        times, sizes = np.array([(sample.seconds / 3600, sample.engine_mb) for sample in settled]).T
        return float(np.polyfit(times, sizes, 1)[0])

    def leaks(self) -> dict[str, int]:
        """Return the increase of open files and threads from the warm-up to the end."""
        settled = self._settled()
        if not settled:
            return {"files": 0, "threads": 0}
        first, last = settled[0], settled[-1]
        return {"files": last.files - first.files, "threads": last.threads - first.threads}

    def violations(self) -> list[str]:
        """Return a message for each limit that the run exceeds."""
        found = [f"{count} {name}" for name, count in self.errors.items() if count > 0]
        found += [f"{count} more {name} at the end" for name, count in self.leaks().items() if count > 0]
        if self.restarts != self.kills:
            found.append(f"{self.restarts} restarts after {self.kills} kills")
        allowed = MAX_DRY_SECONDS * self.kills + MAX_LATE_SHARE * self.seconds
        if self.dry_seconds > allowed:
            found.append(f"{self.dry_seconds:.1f} s without stems, at most {allowed:.1f} with {self.kills} kills")
        share, most = self.late_hops / max(self.hops + self.late_hops, 1), allowed / self.seconds
        if share > most:
            found.append(f"{100 * share:.1f} % of the hops late, at most {100 * most:.1f} % with {self.kills} kills")
        growth, hours = self.growth_mb_per_hour(), (1 - _WARM_UP_SHARE) * self.seconds / 3600
        if growth > MAX_MB_PER_HOUR and growth * hours > _MIN_GROWTH_MB:
            found.append(f"memory grows by {growth:.0f} MB per hour, at most {MAX_MB_PER_HOUR:.0f}")
        return found

    def _settled(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.seconds >= _WARM_UP_SHARE * self.seconds]

    def figures(self) -> dict[str, Any]:
        """Return the main figures, by name."""
        first, last = self.samples[0], self.samples[-1]
        return {
            "seconds": round(self.seconds),
            "moves": self.moves,
            "separator killed": self.kills,
            "separator restarted": self.restarts,
            "late hops": self.late_hops,
            "seconds without stems": round(self.dry_seconds, 1),
            "most seconds behind": round(self.behind_seconds, 2),
            "callback us (p50, p99.9, max)": [round(value, 1) for value in self.callback_us],
            **self.errors,
            "engine MB (first, last)": [round(first.engine_mb, 1), round(last.engine_mb, 1)],
            "engine MB per hour": round(self.growth_mb_per_hour(), 2),
            "separator MB (first, last)": [round(first.separator_mb, 1), round(last.separator_mb, 1)],
            **{f"{name} more at the end": count for name, count in self.leaks().items()},
        }


def soak(
    seconds: float,
    model: str = DEFAULT,
    *,
    kill_every: float = 60.0,
    standby: bool = True,
    report: Callable[[str], None] = lambda _: None,
) -> SoakReport:
    """Run the live engine on the demo song, over and over, with faders, presets and kills all the while.

    Args:
        seconds: how long.
        model: the separator.
        kill_every: seconds between two kills of the separator's process; 0 kills none.
        standby: whether to keep a second separator loaded, as ``live`` does.
        report: called with the engine's messages.

    Raises:
        SeparatorError: the separator cannot be loaded.
    """
    song = load_demo_song()
    backend = PacedBackend(song.sample_rate, 128, song.mix)
    with Engine(backend, EngineConfig(model=model, standby=standby), report=report) as engine:
        run = _Run(engine, kill_every)
        run.go(seconds)
    return run.report(seconds)


class _Run:
    """One running soak."""

    def __init__(self, engine: Engine, kill_every: float) -> None:
        self._engine, self._kill_every = engine, kill_every
        self._random = random.Random(0)  # noqa: S311 - which fader moves is no secret
        self._moves = self._kills = 0
        self._samples: list[Sample] = []

    def go(self, seconds: float) -> None:
        started = time.monotonic()
        due = {self._move: 0.0, self._recall: _PRESET_EVERY, self._sample_at: 0.0}
        every = {self._move: _MOVE_EVERY, self._recall: _PRESET_EVERY, self._sample_at: _SAMPLE_EVERY}
        if self._kill_every:
            due[self._kill] = every[self._kill] = self._kill_every
        while (now := time.monotonic() - started) < seconds:
            for work, at in due.items():
                if now >= at:
                    work(now)
                    due[work] = now + every[work]
            time.sleep(_TICK_SECONDS)
        self._await_restart()
        self._sample_at(time.monotonic() - started)

    def report(self, seconds: float) -> SoakReport:
        stats = self._engine.stats()
        expected = {"restarts", "late_hops", "dry_frames", "jumps"}
        return SoakReport(
            seconds=seconds,
            moves=self._moves,
            kills=self._kills,
            restarts=stats.restarts,
            hops=stats.hops,
            late_hops=stats.late_hops,
            dry_seconds=stats.counters["dry_frames"] / self._engine.sample_rate,
            behind_seconds=stats.behind_seconds,
            callback_us=stats.callback_us,
            errors={name: count for name, count in stats.error_counts.items() if name not in expected},
            samples=tuple(self._samples),
        )

    def _move(self, _now: float) -> None:
        stem = self._random.choice(self._engine.stems)
        self._engine.set(f"stem/{stem}/gain_db", self._random.uniform(-60, 6))
        self._moves += 1

    def _recall(self, _now: float) -> None:
        self._engine.recall(self._random.choice(self._engine.presets()))
        self._moves += 1

    def _kill(self, _now: float) -> None:
        if self._engine.stats().restarts == self._kills and (pid := self._engine.worker_pid) is not None:
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            self._kills += 1

    def _await_restart(self) -> None:
        deadline = time.monotonic() + 30
        while self._is_restarting() and time.monotonic() < deadline:
            time.sleep(_TICK_SECONDS)

    def _is_restarting(self) -> bool:
        """Return whether the separator or its stand-by is being loaded."""
        is_loading = any(thread.name == LOADER for thread in threading.enumerate())
        return is_loading or self._engine.stats().restarts < self._kills

    def _sample_at(self, now: float) -> None:
        files = Path("/proc/self/fd")
        self._samples.append(
            Sample(
                seconds=now,
                engine_mb=(resident_bytes() or 0) / 1e6,
                separator_mb=(resident_bytes(self._engine.worker_pid) or 0) / 1e6,
                files=len(list(files.iterdir())) if files.is_dir() else 0,
                threads=threading.active_count(),
            )
        )
