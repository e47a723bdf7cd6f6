"""One channel strip of the terminal page: name, fader, mute and solo, and a meter for left and right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text
from textual.message import Message
from textual.widget import Widget

from stream_sep.cli.page_meter import bar, colour, meter_position
from stream_sep.levels import SILENCE_DB, db_to_position, gain_to_db, position_to_db

if TYPE_CHECKING:
    from textual import events

_HEAD, _FOOT = 3, 1  # rows above the fader: name, dB, switches; below it: the peak
_SWITCHES = 2  # the row of mute and solo
_WIDTH = 9


@dataclass(frozen=True)
class Face:
    """What a strip shows.

    Attributes:
        gain_db: where the fader stands.
        mute: whether it is muted.
        solo: whether it is soloed; None where there is no solo, as on the master.
        peaks: linear, left and right.
        chosen: whether keys move it.
    """

    gain_db: float = 0.0
    mute: bool = False
    solo: bool | None = False
    peaks: tuple[float, float] = (0.0, 0.0)
    chosen: bool = False


class Strip(Widget):
    """A strip; it shows its `Face`, and says what the mouse does to it.

    Args:
        bus: a stem's name, or ``master``.
    """

    DEFAULT_CSS = "Strip { width: 1fr; height: 1fr; }"

    class Moved(Message):
        """The mouse put the fader to ``gain_db``."""

        def __init__(self, bus: str, gain_db: float) -> None:
            super().__init__()
            self.bus = bus
            self.gain_db = gain_db

    class Nudged(Message):
        """The wheel moved the fader by ``change_db``."""

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
        self._face = Face()

    @property
    def face(self) -> Face:
        """What it shows; setting it draws it."""
        return self._face

    @face.setter
    def face(self, face: Face) -> None:
        if face != self._face:
            self._face = face
            self.refresh()

    @property
    def rows(self) -> int:
        """Height of the fader's way, in characters."""
        return max(2, self.size.height - _HEAD - _FOOT)

    def row_of(self, gain_db: float) -> int:
        """Return the row of the widget at which the fader stands for ``gain_db``."""
        return _HEAD + round((1 - db_to_position(gain_db)) * (self.rows - 1))

    def render(self) -> Text:
        """Draw it."""
        face = self._face
        silent = face.gain_db <= SILENCE_DB
        head = [
            Text(f" {self.bus} ", "bold reverse" if face.chosen else "bold"),
            Text("off" if silent else f"{face.gain_db:+.1f} dB"),
            _switches(face),
        ]
        level = gain_to_db(max(face.peaks))
        foot = Text(f"{level:.1f}" if level > SILENCE_DB else "-", colour(meter_position(level)))
        lines = [*head, *self._way(), foot]
        for line in lines:
            line.truncate(self.size.width)
            line.align("center", self.size.width)
        return Text("\n").join(lines)

    def _way(self) -> list[Text]:
        """Draw the fader and the two meters, a line a row."""
        knob, unity = self.row_of(self._face.gain_db) - _HEAD, self.row_of(0.0) - _HEAD
        meters = [bar(meter_position(gain_to_db(peak)), self.rows) for peak in self._face.peaks]
        lines = []
        for row in range(self.rows):
            way = "━█━" if row == knob else "─┼─" if row == unity else " │ "
            height = (self.rows - row) / self.rows
            fader = Text(way, "bold cyan" if row == knob else "dim")
            lines.append(fader + Text("   ") + Text(" ".join(meter[row] for meter in meters), colour(height)))
        return lines

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take the fader, or press a switch."""
        if event.y == _SWITCHES:
            self.post_message(self.Switched(self.bus, "mute" if event.x < self.size.width // 2 else "solo"))
        elif event.y >= _HEAD:
            self.capture_mouse()
            self._move_to(event.y)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Draw the fader along."""
        if self.app.mouse_captured is self:
            self._move_to(event.y)

    def on_mouse_up(self) -> None:
        """Let go."""
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


def _switches(face: Face) -> Text:
    mute = Text("M", "bold white on red" if face.mute else "dim")
    solo = Text("S", "bold black on yellow" if face.solo else "dim") if face.solo is not None else Text(" ")
    # on a terminal without colours brackets tell what is on
    return Text.assemble("[" if face.mute else " ", mute, "]" if face.mute else " ") + Text.assemble(
        "[" if face.solo else " ", solo, "]" if face.solo else " "
    )
