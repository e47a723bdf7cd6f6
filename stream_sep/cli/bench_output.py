"""Figures of benchmarks, as text or JSON."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.console import Console

from stream_sep.separators import short_name


def print_figures(figures: dict[str, Any], text: list[str] | None = None, *, as_json: bool) -> None:
    """Print figures.

    Args:
        figures: by name.
        text: lines in place of a name and a figure each.
        as_json: whether to print JSON.
    """
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
        return
    text = text or [f"{name}: {_rounded(figure)}" for name, figure in figures.items()]
    Console(soft_wrap=True).print("\n".join(text), highlight=False, markup=False)


def _rounded(figure: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return figures rounded to a thousandth."""
    if isinstance(figure, dict):
        return {name: _rounded(value) for name, value in figure.items()}
    if isinstance(figure, (list, tuple)):
        return type(figure)(_rounded(value) for value in figure)
    return round(figure, 3) if isinstance(figure, float) else figure


def engine_lines(figures: dict[str, Any]) -> list[str]:
    """Return the figures of `bench_engine.measure` as readable lines."""
    hop, paced, callback = figures["separator"], figures["paced"], figures["callback_us"]
    terms = ", ".join(f"{name} {frames}" for name, frames in paced["latency_frames"].items() if frames)
    troubles = ", ".join(f"{name} {count}" for name, count in paced["counters"].items())
    machine = f"{figures['cores']} cores ({figures['cpu']})"
    times = f"p50 {hop['p50_ms']:.2f} ms, p99 {hop['p99_ms']:.2f}, max {hop['max_ms']:.2f}"
    rows = {
        f"hop of {hop['hop']} frames": f"{hop['hop_ms']:.1f} ms; computed in {times}",
        "real-time factor": f"{hop['real_time_factor']:.3f} of one core",
        "latency": f"{paced['latency_ms']:.1f} ms ({terms} frames); measured {paced['measured_frames']} frames",
        "streamed vs offline": f"{figures['null_db']:.0f} dB (-300: bit for bit)",
        "audio callback": f"p50 {callback['p50']:.1f} us, p99.9 {callback['p99.9']:.1f}, max {callback['max']:.1f}",
        "fader to sound": f"frame {figures['control_to_sound_frames']} of the next block",
        f"paced {paced['seconds']:.0f} s": f"{paced['hops']} hops; {troubles}",
        "slack needed": f"{paced['slack_needed']} frames, of {paced['latency_frames']['slack']}",
        "CPU steal": f"{paced['stolen_ms']:.0f} ms of {figures['cores']} cores",
        "start to running": f"{paced['start_seconds']:.2f} s",
        "memory, MB": f"start {paced['memory_start_mb']}, end {paced['memory_end_mb']}",
    }
    name = short_name(figures["model"])
    title = f"{name}, {figures['block_size']} frames a block, {figures['sample_rate']} Hz, {machine}"
    return [title, *(f"  {name:<19} {text}" for name, text in rows.items())]
