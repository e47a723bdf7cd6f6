"""The summary at the end of a run: one line, and with ``--verbose`` every latency term and counter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from stream_sep.cli.logs import is_verbose, log_shown

if TYPE_CHECKING:
    from stream_sep.audio.latency import LatencyReport
    from stream_sep.engine.engine import Engine
    from stream_sep.engine.stats import EngineStats


def print_summary(engine: Engine, measured: int | None = None, *, with_latency: bool = True) -> None:
    """Print the summary of a run.

    Args:
        engine: a stopped engine.
        measured: the latency in frames that was measured in a recording.
        with_latency: whether the input was live, rather than a file.
    """
    console = Console(soft_wrap=True, highlight=False)
    if is_verbose():
        print_latency(engine.latency, measured, console)
        print_counters(engine, console)
    latency = engine.latency.milliseconds(engine.latency.total) if with_latency else None
    found = "" if measured is None else f" (measured: {engine.latency.milliseconds(measured):.1f} ms)"
    summary = describe_run(engine.stats(), latency, engine.sample_rate, found)
    console.print(summary, markup=False)
    log_shown(summary)


def describe_run(stats: EngineStats, latency_ms: float | None, sample_rate: int, measured: str = "") -> str:
    """Return the summary of a run, in one line.

    Args:
        stats: of the run.
        latency_ms: the latency; None for prerendered audio.
        sample_rate: frames per second.
        measured: text after the latency.
    """
    lost = _losses(stats, sample_rate)
    end = ", ".join(lost) if lost else "nothing was lost"
    if latency_ms is None:
        return f"{end[0].upper()}{end[1:]}."
    return f"You heard it {latency_ms:.0f} ms late{measured}; {end}."


def _losses(stats: EngineStats, sample_rate: int) -> list[str]:
    dry = stats.counters["dry_frames"] / sample_rate
    counts = (
        (stats.late_hops, "hop came late", "hops came late"),
        (stats.restarts, "restart of the separator", "restarts of the separator"),
        (stats.xruns, "xrun of the sound device", "xruns of the sound device"),
        (stats.nonfinite_hops, "hop was not finite", "hops were not finite"),
        (stats.jumps, "jump to the newest input", "jumps to the newest input"),
        (stats.counters["bad_input"], "input sample was not finite", "input samples were not finite"),
        (stats.counters["record_dropped"], "recorded frame was dropped", "recorded frames were dropped"),
    )
    lost = [f"{count} {one if count == 1 else many}" for count, one, many in counts if count]
    if stats.behind_seconds >= 1:
        lost.append(f"this machine fell {stats.behind_seconds:.1f} s behind")
    return [f"{dry:.1f} s played without stems", *lost] if dry else lost


def print_latency(latency: LatencyReport, measured: int | None, console: Console) -> None:
    """Print the latency budget, one term per line, and the measured latency."""
    table = Table(title="latency", box=None, title_justify="left")
    for heading in ("term", "frames", "ms"):
        table.add_column(heading, justify="left" if heading == "term" else "right")
    rows = [*latency.terms(), *([] if measured is None else [("measured", measured)])]
    for name, frames in rows:
        table.add_row(name, str(frames), f"{latency.milliseconds(frames):.1f}")
        log_shown(f"latency: {name} {frames} frames")
    console.print(table)


def print_counters(engine: Engine, console: Console) -> None:
    """Print the error counters and the timings."""
    stats = engine.stats()
    hop, callback = stats.hop_ms, stats.callback_us
    lines = [
        f"counters  {'   '.join(f'{name} {count}' for name, count in stats.error_counts.items())}",
        f"hops      {stats.hops}   {hop[0]:.2f} ms each (p99 {hop[1]:.2f}, max {hop[2]:.2f})",
        f"callback  p50 {callback[0]:.1f} us   p99.9 {callback[1]:.1f}   max {callback[2]:.1f}",
    ]
    if slack := engine.latency.slack:
        needed = "" if stats.restarts else f", {stats.slack_needed} needed"  # which a restart exceeds by far
        lines.insert(2, f"slack     {slack} frames reserved{needed}")
    for line in lines:
        console.print(line, markup=False)
        log_shown(line)
