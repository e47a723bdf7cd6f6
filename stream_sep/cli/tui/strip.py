"""One channel strip of the terminal page: name, fader, mute and solo, and a meter for left and right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip as Line
from textual.widget import Widget

from stream_sep.cli.tui.meter import block, colour, meter_position
from stream_sep.control.levels import SILENCE_DB, db_to_position, gain_to_db, position_to_db

if TYPE_CHECKING:
    from textual import events

_HEAD, _FOOT = 3, 1  # rows above the fader: name, dB, switches; below it: the peak
_SWITCHES = 2  # the row of mute and solo

StyledText: TypeAlias = tuple[str, str]
"""A text, and the style it is drawn in."""


@dataclass(frozen=True)
class StripState:
    """The state that a strip shows.

    Attributes:
        gain_db: level of the fader.
        mute: whether it is muted.
        solo: whether it is soloed; None for the master, which has no solo.
        peaks: linear, left and right.
        chosen: whether it is selected for the keyboard.
    """

    gain_db: float = 0.0
    mute: bool = False
    solo: bool | None = False
    peaks: tuple[float, float] = (0.0, 0.0)
    chosen: bool = False


class Strip(Widget):
    """A channel strip; shows its `StripState`, and posts mouse actions as messages.

    Args:
        bus: a stem's name, or ``master``.
    """

    DEFAULT_CSS = "Strip { width: 1fr; height: 1fr; }"

    class Moved(Message):
        """The mouse moved the fader to ``gain_db``."""

        def __init__(self, bus: str, gain_db: float) -> None:
            super().__init__()
            self.bus = bus
            self.gain_db = gain_db

    class Nudged(Message):
        """The mouse wheel moved the fader by ``change_db``."""

        def __init__(self, bus: str, change_db: float) -> None:
            super().__init__()
            self.bus = bus
            self.change_db = change_db

    class Switched(Message):
        """The mouse pressed ``switch``, which is ``mute`` or ``solo``."""

        def __init__(self, bus: str, switch: str) -> None:
            super().__init__()
            self.bus = bus
            self.switch = switch

    def __init__(self, bus: str) -> None:
        super().__init__()
        self.bus = bus
        self._state = StripState()
        self._ground = Style()

    @property
    def state(self) -> StripState:
        """The state that it shows; setting it redraws."""
        return self._state

    @state.setter
    def state(self, state: StripState) -> None:
        if state == self._state:
            return
        height = self.size.height
        before = [self._row(y) for y in range(height)]
        self._state = state
        changed = [y for y in range(height) if self._row(y) != before[y]]
        if changed:  # to hand textual every row costs several times as much as to find those that differ
            self.refresh(Region(0, changed[0], self.size.width, changed[-1] - changed[0] + 1))

    @property
    def rows(self) -> int:
        """Height of the fader's travel, in characters."""
        return max(2, self.size.height - _HEAD - _FOOT)

    def row_of(self, gain_db: float) -> int:
        """Return the row of the widget for a fader at ``gain_db``."""
        return _HEAD + round((1 - db_to_position(gain_db)) * (self.rows - 1))

    def render_lines(self, crop: Region) -> list[Line]:
        """Draw rows in the current colours."""
        self._ground = self.rich_style
        return super().render_lines(crop)

    def render_line(self, y: int) -> Line:
        """Draw a row."""
        texts = self._row(y)
        width = self.size.width
        spare = max(0, width - sum(cell_len(text) for text, _ in texts))
        segments = [Segment(text, Style.parse(style)) for text, style in [(" " * (spare // 2), ""), *texts]]
        return Line(segments).apply_style(self._ground).adjust_cell_length(width, self._ground)

    def _row(self, y: int) -> list[StyledText]:
        if y >= _HEAD + self.rows:
            return self._draw_peak() if y == _HEAD + self.rows else []
        if y >= _HEAD:
            return self._draw_fader_row(y - _HEAD)
        return (self._draw_name, self._draw_level, self._draw_switches)[y]()

    def _draw_name(self) -> list[StyledText]:
        return [(f" {self.bus} ", "bold reverse" if self._state.chosen else "bold")]

    def _draw_level(self) -> list[StyledText]:
        return [("off" if self._state.gain_db <= SILENCE_DB else f"{self._state.gain_db:+.1f} dB", "")]

    def _draw_switches(self) -> list[StyledText]:
        """Draw mute and solo; on a terminal without colours, brackets mark those that are on."""
        state = self._state
        mute = ("[M]", "bold white on red") if state.mute else (" M ", "dim")
        solo = ("[S]", "bold black on yellow") if state.solo else (" S ", "dim")
        return [mute, solo if state.solo is not None else ("   ", "")]

    def _draw_fader_row(self, row: int) -> list[StyledText]:
        """Draw a row of the fader and the two meters."""
        knob, unity = self.row_of(self._state.gain_db) - _HEAD, self.row_of(0.0) - _HEAD
        way = "━█━" if row == knob else "─┼─" if row == unity else " │ "
        left, right = (block(meter_position(gain_to_db(peak)), row, self.rows) for peak in self._state.peaks)
        meters = (f"   {left} {right}", colour((self.rows - row) / self.rows))
        return [(way, "bold cyan" if row == knob else "dim"), meters]

    def _draw_peak(self) -> list[StyledText]:
        level = gain_to_db(max(self._state.peaks))
        return [(f"{level:.1f}" if level > SILENCE_DB else "-", colour(meter_position(level)))]

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Grab the fader, or press a switch."""
        if event.y == _SWITCHES:
            self.post_message(self.Switched(self.bus, "mute" if event.x < self.size.width // 2 else "solo"))
        elif _HEAD <= event.y < _HEAD + self.rows:
            self.capture_mouse()
            self._move_to(event.y)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag the fader."""
        if self.app.mouse_captured is self:
            self._move_to(event.y)

    def on_mouse_up(self) -> None:
        """Release the fader."""
        self.release_mouse()

    def on_mouse_scroll_up(self) -> None:
        """A decibel up."""
        self.post_message(self.Nudged(self.bus, 1.0))

    def on_mouse_scroll_down(self) -> None:
        """A decibel down."""
        self.post_message(self.Nudged(self.bus, -1.0))

    def _move_to(self, y: int) -> None:
        position = 1 - (y - _HEAD) / (self.rows - 1)
        # a row is several dB: the one that holds the mark of unity means unity
        gain_db = 0.0 if y == self.row_of(0.0) else round(position_to_db(position), 1)
        self.post_message(self.Moved(self.bus, gain_db))
