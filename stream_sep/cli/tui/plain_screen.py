"""Faders, meters and counters of a running engine, drawn in the terminal."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stream_sep.cli.tui.transport import has_transport, transport_line
from stream_sep.control.levels import db_to_position, gain_to_db

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stream_sep.audio.latency import LatencyReport
    from stream_sep.engine.engine import Engine

_WIDTH = 24
_FLOOR_DB = -60.0


class Messages:
    """The last few sentences the engine said, for the foot of the screen; printed where there is no screen."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, sentence: str) -> None:
        """Take a sentence."""
        self.lines = [*self.lines[-2:], sentence]
        if not sys.stdout.isatty():
            print(sentence, file=sys.stderr)


@contextmanager
def show(engine: Engine, messages: Messages, title: str) -> Iterator[Callable[[], None]]:
    """Draw the engine while the block runs; what is given redraws, and where there is no terminal does nothing."""
    console = Console()
    if not console.is_terminal:
        yield lambda: None
        return
    started = time.monotonic()
    with Live(console=console, auto_refresh=False, transient=False) as screen:
        yield lambda: screen.update(_draw(engine, messages, title, time.monotonic() - started), refresh=True)


def _draw(engine: Engine, messages: Messages, title: str, seconds: float) -> Group:
    table = Table(box=None, padding=(0, 1), title=f"{title}   {seconds:5.1f} s", title_justify="left")
    for heading in ("stem", "fader", "dB", "level"):
        table.add_column(heading)
    peaks = engine.meters()
    for stem in engine.stems:
        gain_db = float(engine.controls[f"stem/{stem}/gain_db"])
        table.add_row(stem, _fader(gain_db), f"{gain_db:+6.1f}", _meter(peaks[stem]))
    table.add_row("mix", "", "", _meter(peaks["mix"]))
    table.add_row("input", "", "", _meter(peaks["input"]))
    stats = engine.stats()
    values = engine.controls.snapshot()
    song = [Text(transport_line(values), style="bold")] if has_transport(values) else []
    total = engine.latency.milliseconds(engine.latency.total)
    foot = f"latency {total:.1f} ms   late hops {stats.late_hops}   xruns {stats.xruns}   restarts {stats.restarts}"
    return Group(table, *song, Text(foot, style="dim"), *(Text(line, style="yellow") for line in messages.lines))


def _fader(gain_db: float) -> Text:
    knob = round(db_to_position(gain_db) * (_WIDTH - 1))
    return Text("─" * knob + "█" + "─" * (_WIDTH - 1 - knob), style="cyan")


def _meter(peak: float) -> Text:
    level = gain_to_db(peak)
    filled = round(max(0.0, min(1.0, 1 - level / _FLOOR_DB)) * _WIDTH)
    color = "red" if level > -1 else "yellow" if level > -12 else "green"
    return Text("▮" * filled + "·" * (_WIDTH - filled), style=color)


def print_latency(latency: LatencyReport, measured: int | None = None) -> None:
    """Print the latency budget, a line a term, and what was measured."""
    table = Table(title="latency", box=None, title_justify="left")
    for heading in ("term", "frames", "ms"):
        table.add_column(heading, justify="left" if heading == "term" else "right")
    for name, frames in latency.terms():
        table.add_row(name, str(frames), f"{latency.milliseconds(frames):.1f}")
    if measured is not None:
        table.add_row("measured", str(measured), f"{latency.milliseconds(measured):.1f}")
    Console().print(table)


def print_counters(engine: Engine) -> None:
    """Print what went wrong, which should be nothing, and how hard the machine worked."""
    stats = engine.stats()
    troubles = "   ".join(f"{name} {count}" for name, count in stats.troubles.items())
    hop, callback = stats.hop_ms, stats.callback_us
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"counters  {troubles}")
    console.print(f"hops      {stats.hops}   {hop[0]:.2f} ms each (p99 {hop[1]:.2f}, max {hop[2]:.2f})")
    if bought := engine.latency.slack:
        console.print(f"slack     {stats.slack_needed} frames needed, {bought} bought")
    console.print(f"callback  p50 {callback[0]:.1f} us   p99.9 {callback[1]:.1f}   max {callback[2]:.1f}")
