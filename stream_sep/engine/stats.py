"""Counters and timings of an engine, and warnings derived from them, at most one every two seconds."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.audio.latency import required_slack
from stream_sep.audio.ring_layout import COMPUTE_MAX_NS, HOPS_DONE, JUMPS, NONFINITE, TIMINGS, WAITED
from stream_sep.audio.state import TIME_BIN_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream_sep.audio.rings import Rings
    from stream_sep.audio.state import AudioState

REPORT_SECONDS = 2.0
"""Least time between two warnings of the same kind."""

_JOIN_TIMEOUT = 0.5
_MAX_CATCH_UP_SECONDS = 0.5  # a thread that woke late catches up on less
_XRUN_ADVICE = "raise the block size (with JACK, that of its server), or close other programs"
_MAX_ADVISED_SLACK = 4096  # frames; more than that is not a matter of jitter


@dataclass(frozen=True)
class EngineStats:
    """Counters and times of an engine.

    Attributes:
        counters: those of the audio thread, by the names in `stream_sep.audio.state.COUNTERS`.
        hops: hops separated.
        hop_ms: compute time of a hop: p50, p99, max.
        callback_us: duration of a callback: p50, p99.9, max.
        nonfinite_hops: hops rejected for NaN, infinity or more than 24 dB above the mix.
        jumps: times the separator skipped to the newest input.
        restarts: times its process was restarted.
        slack_needed: frames of slack with which no stems would have been late so far.
    """

    counters: Mapping[str, int]
    hops: int
    hop_ms: tuple[float, float, float]
    callback_us: tuple[float, float, float]
    nonfinite_hops: int
    jumps: int
    restarts: int
    slack_needed: int = 0

    @property
    def late_hops(self) -> int:
        """Hops that were not ready when they were due."""
        return self.counters["late_hops"]

    @property
    def behind_seconds(self) -> float:
        """Return by how much a backend without a device was behind its clock at most; 0 for a device."""
        return self.counters["behind_ms"] / 1000

    @property
    def xruns(self) -> int:
        """Overruns and underruns that the device reported."""
        names = ("input_overflows", "input_underflows", "output_overflows", "output_underflows")
        return sum(self.counters[name] for name in names)

    @property
    def error_counts(self) -> dict[str, int]:
        """Every counter that should be zero, by name."""
        names = ("late_hops", "dry_frames", "bad_input", "record_dropped")
        return {
            "xruns": self.xruns,
            **{name: self.counters[name] for name in names},
            "nonfinite_hops": self.nonfinite_hops,
            "jumps": self.jumps,
            "restarts": self.restarts,
        }


def collect(state: AudioState, rings: Rings, restarts: int, block_size: int) -> EngineStats:
    """Read all counters.

    Args:
        state: of the audio thread.
        rings: shared with the worker.
        restarts: of the worker.
        block_size: frames of a block.
    """
    hops = int(rings.positions[HOPS_DONE])
    timings = rings.timings[: min(hops, TIMINGS)] / 1e6
    p50, p99 = np.percentile(timings, [50, 99]) if len(timings) else (0.0, 0.0)
    counters = state.counters()
    return EngineStats(
        counters=counters,
        hops=hops,
        hop_ms=(float(p50), float(p99), float(rings.positions[COMPUTE_MAX_NS]) / 1e6),
        callback_us=(*_callback_percentiles(state), counters["max_ns"] / 1000),
        nonfinite_hops=int(rings.positions[NONFINITE]),
        jumps=int(rings.positions[JUMPS]),
        restarts=restarts,
        slack_needed=required_slack(block_size, rings.layout.hop, int(rings.positions[WAITED])) if hops else 0,
    )


def _callback_percentiles(state: AudioState) -> tuple[float, float]:
    counts = np.cumsum(state.durations())
    if counts[-1] == 0:
        return 0.0, 0.0
    p50, p999 = np.searchsorted(counts, counts[-1] * np.array([0.5, 0.999]))
    return float(p50 + 1) * TIME_BIN_NS / 1000, float(p999 + 1) * TIME_BIN_NS / 1000


class Reporter:
    """Polls the counters and reports problems, each with a remedy.

    Args:
        read: returns the counters.
        hop_ms: length of a hop, the budget to compute it in.
        report: callback that receives each message.
        slack: frames of output buffering.
        meanwhile: what plays while stems are missing, as part of a message.
    """

    def __init__(
        self,
        read: Callable[[], EngineStats],
        hop_ms: float,
        report: Callable[[str], None],
        slack: int = 0,
        meanwhile: str = "the dry sound plays",
    ) -> None:
        self._read = read
        self._hop_ms = hop_ms
        self._slack, self._meanwhile = slack, meanwhile
        self._report = report
        self._seen = read()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def stop(self) -> None:
        """Report the last problems, and stop."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_TIMEOUT)
        self.poll()

    def poll(self) -> None:
        """Report the problems since the last call."""
        now, before = self._read(), self._seen
        self._seen = now
        for message in describe_problems(before, now, self._hop_ms, self._slack, self._meanwhile):
            self._report(message)

    def _run(self) -> None:
        while not self._stopped.wait(REPORT_SECONDS):
            self.poll()


def describe_problems(
    before: EngineStats, now: EngineStats, hop_ms: float, slack: int = 0, meanwhile: str = "the dry sound plays"
) -> list[str]:
    """Return messages about the problems between two readings; none if all was well.

    Args:
        before: the earlier reading.
        now: the later reading.
        hop_ms: length of a hop.
        slack: frames of slack.
        meanwhile: what plays while stems are missing.
    """
    late, xruns = now.late_hops - before.late_hops, now.xruns - before.xruns
    found = []
    if late:
        advice = _advice(before, now, hop_ms, slack)
        found.append(
            f"the separator was late for {_count(late, 'hop')}, {meanwhile} instead: {now.hop_ms[0]:.1f} ms a hop "
            f"(p99 {now.hop_ms[1]:.1f}), budget {hop_ms:.1f} ms; {advice}"
        )
    if now.behind_seconds > max(before.behind_seconds, _MAX_CATCH_UP_SECONDS):
        found.append(
            f"this machine is too slow for real time: {now.behind_seconds:.1f} s behind; close other programs"
        )
    if xruns:
        found.append(f"the device lost {_count(xruns, 'block')}: {_XRUN_ADVICE}")
    if bad := now.nonfinite_hops - before.nonfinite_hops:
        found.append(
            f"the model returned NaN, infinity or excessive levels in {_count(bad, 'hop')}: {meanwhile} instead; try"
            " another model"
        )
    if bad := now.counters["bad_input"] - before.counters["bad_input"]:
        found.append(
            f"the input contained {_count(bad, 'sample')} of NaN, infinity or excessive level, replaced by silence: "
            "check the sending program"
        )
    if dropped := now.counters["record_dropped"] - before.counters["record_dropped"]:
        found.append(f"the disk is too slow: {_count(dropped, 'frame')} missing in the recording; record elsewhere")
    return found


def _advice(before: EngineStats, now: EngineStats, hop_ms: float, slack: int) -> str:
    if now.restarts > before.restarts:
        return "its process ended and was restarted meanwhile"
    if now.hops == before.hops:
        return "it computed none, and is restarted if it does not reply"
    if now.hop_ms[0] > hop_ms:
        return "choose a lighter model"
    if slack < now.slack_needed <= _MAX_ADVISED_SLACK:
        return f"--slack {now.slack_needed} would have been enough"
    return "raise --slack or the block size"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
