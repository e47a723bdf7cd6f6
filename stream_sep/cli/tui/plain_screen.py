"""Faders, meters and counters of a running engine, drawn in the terminal."""

from __future__ import annotations

import re
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stream_sep.cli.logs import log_shown
from stream_sep.cli.tui.transport import has_transport, transport_line
from stream_sep.control.levels import db_to_position, gain_to_db

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stream_sep.engine.engine import Engine

_WIDTH = 24
_FLOOR_DB = -60.0
_COUNTS = re.compile(r"(?<!\S)[\d.]+(?= )|s\b")
"""Numbers that are words, and the ends of plurals."""


class Messages:
    """The engine's last few messages, for the foot of the screen; printed to standard error without a terminal.

    A message that differs from an earlier one only in its counts replaces it, so that it hides no other.

    >>> messages = Messages()
    >>> for message in ("lost 2 blocks: raise it", "no player", "lost 1 block: raise it"):
    ...     messages.add(message)
    >>> messages.lines
    ['no player', 'lost 1 block: raise it']
    """

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, message: str) -> None:
        """Append a message."""
        others = [line for line in self.lines if _without_counts(line) != _without_counts(message)]
        self.lines = [*others[-2:], message]
        log_shown(message)
        if not sys.stdout.isatty():
            print(message, file=sys.stderr)


def _without_counts(message: str) -> str:
    return _COUNTS.sub("", message)


@contextmanager
def show(engine: Engine, messages: Messages, title: str) -> Iterator[Callable[[], None]]:
    """Draw the engine while the block runs; yield a function that redraws, a no-op without a terminal."""
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
