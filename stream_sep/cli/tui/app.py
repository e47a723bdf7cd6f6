"""The terminal mixer: channel strips, one line for the engine, and one per control surface."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import App
from textual.containers import Horizontal
from textual.widgets import Footer, Static

from stream_sep.cli.interrupts import Interrupts
from stream_sep.cli.tui.keys import HelpScreen, bindings
from stream_sep.cli.tui.pairing import PairingScreen, pairing_surface
from stream_sep.cli.tui.save_screen import SaveScreen
from stream_sep.cli.tui.status_lines import engine_line, printable, surface_line
from stream_sep.cli.tui.strip import Strip, StripState
from stream_sep.cli.tui.transport import handle_action, has_transport, transport_line
from stream_sep.errors import StreamSepError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from stream_sep.cli.tui.protocols import TuiEngine, TuiMessages, TuiSurface
    from stream_sep.control.parameters import Value

MASTER = "master"
"""The last strip: the mix."""

_REDRAW_SECONDS = 0.1  # keys and mouse draw at once, this is for meters and remote changes
_STATS_SECONDS = 0.25


class MixerApp(App[None]):
    """The page.

    Args:
        engine: the engine that it shows and controls.
        surfaces: control surfaces to show.
        messages: the engine's last messages.
        stopped: ends the page when set.
        seconds: ends the page after this time; 0 never.
    """

    CSS = "#song, #engine, #notices { height: auto; } #strips { height: 1fr; margin: 1 0; }"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = bindings()

    def __init__(
        self,
        engine: TuiEngine,
        surfaces: tuple[TuiSurface, ...],
        messages: TuiMessages,
        *,
        stopped: threading.Event,
        seconds: float = 0.0,
    ) -> None:
        super().__init__()
        self._engine = engine
        self._surfaces = surfaces
        self._messages = messages
        self._stopped = stopped
        self._ends = time.monotonic() + seconds if seconds else float("inf")
        self._song_line, self._engine_line = Static(id="song"), Static(id="engine")
        self._notices = Static(id="notices")
        self._strips = [Strip(bus) for bus in (*engine.stems, MASTER)]
        self._shown: dict[Static, Text] = {}
        self._chosen = 0
        self._notice = ""
        self._recalled = ""

    def compose(self) -> ComposeResult:
        """Lay the page out."""
        if has_transport(self._engine.controls.parameters):
            yield self._song_line
        yield self._engine_line
        yield Horizontal(*self._strips, id="strips")
        yield self._notices
        yield Footer()

    def on_mount(self) -> None:
        """Start drawing."""
        self._draw_strips()
        self._draw_lines()
        self.set_interval(_REDRAW_SECONDS, self._draw_strips)
        self.set_interval(_STATS_SECONDS, self._draw_lines)

    def action_interrupt(self) -> None:
        """Quit on Ctrl-C, where the terminal delivers it as a key."""
        self.exit()
        if isinstance(getattr(signal.getsignal(signal.SIGINT), "__self__", None), Interrupts):
            signal.raise_signal(signal.SIGINT)

    def action_choose(self, step: int) -> None:
        """Select the next or the previous strip."""
        self._chosen = (self._chosen + step) % len(self._strips)
        self._draw_strips()

    def action_nudge(self, change_db: float) -> None:
        """Move the selected fader by ``change_db``."""
        self._nudge(self._strips[self._chosen].bus, change_db)

    def action_unity(self) -> None:
        """Set the selected fader to 0 dB."""
        self._set(_path(self._strips[self._chosen].bus, "gain_db"), 0.0)

    def action_switch(self, switch: str) -> None:
        """Toggle mute or solo of the selected strip."""
        self._toggle(_path(self._strips[self._chosen].bus, switch))

    def action_karaoke(self) -> None:
        """Toggle karaoke: vocals out or in."""
        path = "karaoke"
        out = path in self._engine.controls.parameters and float(self._engine.controls[path]) > 0
        self._set(path, 0.0 if out else 1.0)

    def action_bypass(self) -> None:
        """Toggle the bypass: the input instead of the stems."""
        self._toggle("bypass")

    def action_preset(self) -> None:
        """Recall the preset after the current one."""
        with self._showing_errors():
            names = self._engine.presets()
            current = str(self._engine.controls["preset"]) or self._recalled
            if names:
                # as recalled even if that fails: the next key then skips a broken one
                self._recalled = names[(names.index(current) + 1) % len(names) if current in names else 0]
                self._engine.recall(self._recalled)
                self._notice = f"preset {self._recalled}"

    def action_transport(self, action: str, amount: float = 0.0) -> None:
        """Control the transport."""
        with self._showing_errors():
            handle_action(self._engine.controls, action, amount)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide keys without an effect: transport without a song, pairing without a live page."""
        del parameters
        if action == "pair":
            return pairing_surface(self._surfaces) is not None
        return action != "transport" or has_transport(self._engine.controls.parameters)

    def action_help(self) -> None:
        """Show all keys."""
        self.push_screen(HelpScreen(with_transport=has_transport(self._engine.controls.parameters)))

    def action_save(self) -> None:
        """Prompt for a name, and save the current mix under it."""
        self.push_screen(SaveScreen(self._engine.presets()), self._save)

    def _save(self, name: str | None) -> None:
        with self._showing_errors():
            if name:
                self._engine.store(name)
                self._notice = f"saved as preset {name}"

    def action_pair(self) -> None:
        """Show the QR code that pairs a phone."""
        surface = pairing_surface(self._surfaces)
        if surface is not None:
            self.push_screen(PairingScreen(surface))

    def on_strip_moved(self, event: Strip.Moved) -> None:
        """Follow the mouse."""
        self._choose(event.bus)
        self._set(_path(event.bus, "gain_db"), event.gain_db)

    def on_strip_nudged(self, event: Strip.Nudged) -> None:
        """Follow the mouse wheel."""
        self._choose(event.bus)
        self._nudge(event.bus, event.change_db)

    def on_strip_switched(self, event: Strip.Switched) -> None:
        """Follow the mouse."""
        self._choose(event.bus)
        self._toggle(_path(event.bus, event.switch))

    def _choose(self, bus: str) -> None:
        self._chosen = [strip.bus for strip in self._strips].index(bus)

    def _nudge(self, bus: str, change_db: float) -> None:
        path = _path(bus, "gain_db")
        self._set(path, float(self._engine.controls[path]) + change_db)

    def _toggle(self, path: str) -> None:
        with self._showing_errors():
            self._set(path, not self._engine.controls[path])

    def _set(self, path: str, value: Value) -> None:
        with self._showing_errors():
            self._engine.controls.set(path, value)

    @contextmanager
    def _showing_errors(self) -> Iterator[None]:
        """Show errors and continue; redraw the changed parts."""
        self._notice = ""
        try:
            yield
        except StreamSepError as error:
            self._notice = str(error)
        self._draw_strips()
        self._draw_lines()

    def _draw_strips(self) -> None:
        if self._stopped.is_set() or time.monotonic() > self._ends:
            self.exit()
        if not self._notices.is_attached:  # a timer can fire once more while the page closes
            return
        values, peaks = self._engine.controls.snapshot(), self._engine.peaks()
        for place, strip in enumerate(self._strips):
            solo = values.get(_path(strip.bus, "solo"))
            strip.state = StripState(
                gain_db=float(values[_path(strip.bus, "gain_db")]),
                mute=bool(values[_path(strip.bus, "mute")]),
                solo=None if solo is None else bool(solo),
                peaks=peaks["mix" if strip.bus == MASTER else strip.bus],
                chosen=place == self._chosen,
            )

    def _draw_lines(self) -> None:
        if not self._notices.is_attached:
            return
        status = [surface_line(surface) for surface in self._surfaces]
        notices = [*self._messages.lines, *([self._notice] if self._notice else [])]
        rows = [*(Text(line, "dim") for line in status), *(Text(printable(line), "yellow") for line in notices)]
        values = self._engine.controls.snapshot()
        for widget, text in (
            (self._song_line, Text(printable(transport_line(values)) if has_transport(values) else "", "bold")),
            (self._engine_line, Text(engine_line(self._engine))),
            (self._notices, Text("\n").join(rows)),
        ):
            if self._shown.get(widget) != text:  # to lay a page out takes longer than to draw it
                self._shown[widget] = text
                widget.update(text)


def _path(bus: str, name: str) -> str:
    return f"{MASTER}/{name}" if bus == MASTER else f"stem/{bus}/{name}"
