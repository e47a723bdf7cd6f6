"""The terminal page: a mixer for keyboard and mouse with textual, a plain screen without it."""

from __future__ import annotations

import importlib.util
import sys
import threading
from typing import TYPE_CHECKING, cast

from stream_sep.cli.tui.plain_screen import Messages, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_sep.cli.tui.app import MixerApp
    from stream_sep.cli.tui.protocols import TuiEngine, TuiSurface
    from stream_sep.engine.engine import Engine

_REDRAW_SECONDS = 0.05


class ControlPage:
    """Shows an engine in the terminal, and controls it by keyboard and mouse.

    Args:
        engine: the engine.
        surfaces: control surfaces; the page shows the last message that each received.
        messages: the engine's messages.
        title: of the plain screen.
    """

    def __init__(
        self,
        engine: TuiEngine,
        surfaces: Sequence[TuiSurface] = (),
        messages: Messages | None = None,
        *,
        title: str = "stream-sep live, Ctrl-C stops",
    ) -> None:
        self._engine = engine
        self._surfaces = tuple(surfaces)
        self._messages = messages or Messages()
        self._title = title

    def run(self, stopped: threading.Event | None = None, seconds: float = 0.0) -> None:
        """Run until the user quits, ``stopped`` is set, or ``seconds`` have passed, if not 0."""
        stopped = stopped or threading.Event()
        if has_keys():
            self.app(stopped, seconds).run()
        else:
            self._run_screen(stopped, seconds)

    def app(self, stopped: threading.Event | None = None, seconds: float = 0.0) -> MixerApp:
        """Return the textual app of the page."""
        from stream_sep.cli.tui.app import MixerApp

        return MixerApp(
            self._engine, self._surfaces, self._messages, stopped=stopped or threading.Event(), seconds=seconds
        )

    def _run_screen(self, stopped: threading.Event, seconds: float) -> None:
        waited = 0.0
        with show(cast("Engine", self._engine), self._messages, self._title) as redraw:
            while not stopped.wait(_REDRAW_SECONDS) and (seconds == 0 or waited < seconds):
                redraw()
                waited += _REDRAW_SECONDS


def has_keys() -> bool:
    """Return whether the interactive page is available: a terminal for input and output, and textual."""
    terminal = sys.stdout.isatty() and sys.stdin.isatty()
    return terminal and importlib.util.find_spec("textual") is not None
