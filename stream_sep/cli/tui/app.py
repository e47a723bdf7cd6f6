"""The terminal page itself: strips with faders, one line about the engine, one for each control surface."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import App
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import Footer, Static

from stream_sep.cli.tui.pairing import PairingScreen, pairing_surface
from stream_sep.cli.tui.strip import Face, Strip
from stream_sep.cli.tui.transport import act, has_transport, transport_line
from stream_sep.errors import StreamSepError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from stream_sep.cli.tui.protocols import PageEngine, PageMessages, PageSurface
    from stream_sep.control.state import Value

MASTER = "master"
"""The last strip: the mix."""

_REDRAW_SECONDS = 0.1  # keys and mouse draw at once, this is for meters and for what others move
_STATS_SECONDS = 0.25
_LONGEST_ACRONYM = 4  # OSC, MIDI, DAW


class PageApp(App[None]):
    """The page.

    Args:
        engine: what it shows and moves.
        surfaces: control surfaces to tell about.
        messages: what the engine said last.
        stopped: ends the page when set.
        seconds: ends the page after so long; 0 never.
    """

    CSS = "#song, #engine, #said { height: auto; } #strips { height: 1fr; margin: 1 0; }"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "choose(-1)", "stem", key_display="←"),
        Binding("right", "choose(1)", "stem", key_display="→"),
        Binding("up", "nudge(1)", "1 dB", key_display="↑"),
        Binding("down", "nudge(-1)", "1 dB", key_display="↓"),
        Binding("pageup", "nudge(6)", show=False),
        Binding("pagedown", "nudge(-6)", show=False),
        Binding("0", "unity", "unity"),
        Binding("m", "switch('mute')", "mute"),
        Binding("s", "switch('solo')", "solo"),
        Binding("k", "karaoke", "karaoke"),
        Binding("b", "bypass", "bypass"),
        Binding("p", "preset", "preset"),
        Binding("space", "transport('play')", "play"),
        Binding("comma", "transport('jump', -5)", "5 s back", key_display=","),
        Binding("full_stop", "transport('jump', 5)", "5 s on", key_display="."),
        Binding("less_than_sign", "transport('jump', -30)", show=False),
        Binding("greater_than_sign", "transport('jump', 30)", show=False),
        Binding("left_square_bracket", "transport('mark', 0)", "loop from", key_display="["),
        Binding("right_square_bracket", "transport('mark', 1)", "to", key_display="]"),
        Binding("l", "transport('loop')", "loop"),
        Binding("n", "transport('next')", "next"),
        Binding("N", "transport('previous')", show=False),
        Binding("minus", "transport('speed', -1)", show=False),
        Binding("plus", "transport('speed', 1)", show=False),
        Binding("d", "transport('pitch', -1)", show=False),
        Binding("u", "transport('pitch', 1)", show=False),
        Binding("w", "pair", "phone"),
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(
        self,
        engine: PageEngine,
        surfaces: tuple[PageSurface, ...],
        messages: PageMessages,
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
        self._said = Static(id="said")
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
        yield self._said
        yield Footer()

    def on_mount(self) -> None:
        """Begin to draw."""
        self._draw_faces()
        self._draw_lines()
        self.set_interval(_REDRAW_SECONDS, self._draw_faces)
        self.set_interval(_STATS_SECONDS, self._draw_lines)

    def action_choose(self, step: int) -> None:
        """Let keys move the next strip, or the one before."""
        self._chosen = (self._chosen + step) % len(self._strips)
        self._draw_faces()

    def action_nudge(self, change_db: float) -> None:
        """Move the chosen fader by so many dB."""
        self._nudge(self._strips[self._chosen].bus, change_db)

    def action_unity(self) -> None:
        """Put the chosen fader to 0 dB."""
        self._set(_path(self._strips[self._chosen].bus, "gain_db"), 0.0)

    def action_switch(self, switch: str) -> None:
        """Press mute or solo of the chosen strip."""
        self._toggle(_path(self._strips[self._chosen].bus, switch))

    def action_karaoke(self) -> None:
        """Take the vocals out, or bring them back."""
        path = "karaoke"
        out = path in self._engine.controls.parameters and float(self._engine.controls[path]) > 0
        self._set(path, 0.0 if out else 1.0)

    def action_bypass(self) -> None:
        """Play the sound as it came in, or go on with the stems."""
        self._toggle("bypass")

    def action_preset(self) -> None:
        """Recall the preset after the current one."""
        with self._sentences():
            names = self._engine.presets()
            current = str(self._engine.controls["preset"]) or self._recalled
            if names:
                # as recalled even where that fails: the next key goes on past a broken one
                self._recalled = names[(names.index(current) + 1) % len(names) if current in names else 0]
                self._engine.recall(self._recalled)
                self._notice = f"preset {self._recalled}"

    def action_transport(self, action: str, amount: float = 0.0) -> None:
        """Move the song."""
        with self._sentences():
            act(self._engine.controls, action, amount)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide keys that do nothing: of the transport without a song, of pairing without a live page."""
        del parameters
        if action == "pair":
            return pairing_surface(self._surfaces) is not None
        return action != "transport" or has_transport(self._engine.controls.parameters)

    def action_pair(self) -> None:
        """Show the code that pairs a phone."""
        surface = pairing_surface(self._surfaces)
        if surface is not None:
            self.push_screen(PairingScreen(surface.link()))

    def on_strip_moved(self, event: Strip.Moved) -> None:
        """Follow the mouse."""
        self._choose(event.bus)
        self._set(_path(event.bus, "gain_db"), event.gain_db)

    def on_strip_nudged(self, event: Strip.Nudged) -> None:
        """Follow the wheel."""
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
        with self._sentences():
            self._set(path, not self._engine.controls[path])

    def _set(self, path: str, value: Value) -> None:
        with self._sentences():
            self._engine.controls.set(path, value)

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Show what is refused, and go on; draw what has changed."""
        self._notice = ""
        try:
            yield
        except StreamSepError as error:
            self._notice = str(error)
        self._draw_faces()
        self._draw_lines()

    def _draw_faces(self) -> None:
        if self._stopped.is_set() or time.monotonic() > self._ends:
            self.exit()
        if not self._said.is_attached:  # a timer can ring once more while the page is taken down
            return
        values, peaks = self._engine.controls.snapshot(), self._engine.peaks()
        for place, strip in enumerate(self._strips):
            solo = values.get(_path(strip.bus, "solo"))
            strip.face = Face(
                gain_db=float(values[_path(strip.bus, "gain_db")]),
                mute=bool(values[_path(strip.bus, "mute")]),
                solo=None if solo is None else bool(solo),
                peaks=peaks["mix" if strip.bus == MASTER else strip.bus],
                chosen=place == self._chosen,
            )

    def _draw_lines(self) -> None:
        if not self._said.is_attached:
            return
        said = [surface_line(surface) for surface in self._surfaces]
        notices = [*self._messages.lines, *([self._notice] if self._notice else [])]
        rows = [*(Text(line, "dim") for line in said), *(Text(_plain(line), "yellow") for line in notices)]
        values = self._engine.controls.snapshot()
        for widget, text in (
            (self._song_line, Text(_plain(transport_line(values)) if has_transport(values) else "", "bold")),
            (self._engine_line, Text(engine_line(self._engine))),
            (self._said, Text("\n").join(rows)),
        ):
            if self._shown.get(widget) != text:  # to lay a page out takes longer than to draw it
                self._shown[widget] = text
                widget.update(text)


def engine_line(engine: PageEngine) -> str:
    """Return how the engine is, in one line."""
    values, stats, latency = engine.controls.snapshot(), engine.stats(), engine.latency
    parts = [
        str(values["engine/model"]),
        str(values["engine/state"]),
        f"latency {latency.milliseconds(latency.total):.1f} ms",
        f"load {100 * float(values['engine/load']):.0f} %",
        f"late hops {stats.late_hops}",
        f"xruns {stats.xruns}",
        f"restarts {stats.restarts}",
        *([f"preset {values['preset']}"] if values["preset"] else []),
        *(["KARAOKE"] if values.get("karaoke") else []),
        *(["BYPASS"] if values["bypass"] else []),
    ]
    return "   ".join(part for part in parts if part)


def surface_line(surface: PageSurface) -> str:
    """Return what a surface received last, and how much of what it received made no sense."""
    name = type(surface).__name__.removesuffix("Surface").removesuffix("Server")
    name = name.upper() if len(name) <= _LONGEST_ACRONYM else name
    errors = f"   ({surface.errors} not understood)" if surface.errors else ""
    return _plain(f"{name}: {surface.last or 'nothing yet'}{errors}")


def _plain(text: str) -> str:
    """Leave nothing in a text from the network that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _path(bus: str, name: str) -> str:
    return f"{MASTER}/{name}" if bus == MASTER else f"stem/{bus}/{name}"
