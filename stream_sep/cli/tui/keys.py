"""The key bindings of the terminal mixer, its footer and its help screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.table import Table
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.widgets import Static

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class Key(NamedTuple):
    """A key of the mixer.

    Attributes:
        name: in textual.
        action: textual action.
        shown: its name in the help; keys that share a line of the help are named there.
        description: for the help; empty if another key's line covers it.
        footer: for the footer; empty if it is not shown there.
        footer_key: the key's name there.
    """

    name: str
    action: str
    shown: str = ""
    description: str = ""
    footer: str = ""
    footer_key: str = ""


FADERS = (
    Key("left", "choose(-1)", "← →", "choose a stem", "fader", "←→↑↓"),
    Key("right", "choose(1)"),
    Key("up", "nudge(1)", "↑ ↓", "1 dB up or down"),
    Key("down", "nudge(-1)"),
    Key("pageup", "nudge(6)", "PgUp PgDn", "6 dB up or down"),
    Key("pagedown", "nudge(-6)"),
    Key("0", "unity", "0", "0 dB"),
    Key("m", "switch('mute')", "m", "mute", "mute", "m"),
    Key("s", "switch('solo')", "s", "solo", "solo", "s"),
    Key("k", "karaoke", "k", "karaoke: vocals out or in"),
    Key("b", "bypass", "b", "bypass: the input as it is"),
    Key("p", "preset", "p", "next preset", "preset", "p"),
    Key("w", "save", "w", "save the mix as a preset", "save", "w"),
    Key("c", "pair", "c", "pair a phone: show a code"),
)
"""Keys for stems and presets."""

TRANSPORT = (
    Key("space", "transport('play')", "Space", "play or pause", "play", "␣"),
    Key("comma", "transport('jump', -5)", ", .", "5 s back or forward"),
    Key("full_stop", "transport('jump', 5)"),
    Key("less_than_sign", "transport('jump', -30)", "< >", "30 s back or forward"),
    Key("greater_than_sign", "transport('jump', 30)"),
    Key("left_square_bracket", "transport('mark', 0)", "[ ]", "loop from here, to here"),
    Key("right_square_bracket", "transport('mark', 1)"),
    Key("l", "transport('loop')", "l", "loop on or off"),
    Key("n", "transport('next')", "n N", "next or previous song"),
    Key("N", "transport('previous')"),
    Key("minus", "transport('speed', -1)", "- +", "slower or faster"),
    Key("plus", "transport('speed', 1)"),
    Key("d", "transport('pitch', -1)", "d u", "a semitone down or up"),
    Key("u", "transport('pitch', 1)"),
)
"""Keys for songs."""

GENERAL = (
    Key("question_mark", "help", "?", "this help", "help", "?"),
    Key("q", "quit", "q", "quit", "quit", "q"),
    Key("ctrl+c", "interrupt"),
)


def bindings() -> list[BindingType]:
    """Return the keys as bindings of textual."""
    return [
        Binding(
            key.name,
            key.action,
            key.footer or key.description,
            key_display=key.footer_key or None,
            show=bool(key.footer),
            priority=key.name == "ctrl+c",
        )
        for key in (*FADERS, *TRANSPORT, *GENERAL)
    ]


class HelpScreen(ModalScreen[None]):
    """Lists all keys until it is closed.

    Args:
        with_transport: whether songs are played.
    """

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen Static { width: auto; height: auto; padding: 0 2; border: round $primary; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter,space", "dismiss", "close")]

    def __init__(self, *, with_transport: bool) -> None:
        super().__init__()
        self._with_transport = with_transport

    def compose(self) -> ComposeResult:
        """Lay the keys out in two columns."""
        yield Static(help_table(with_transport=self._with_transport))


def help_table(*, with_transport: bool) -> Table:
    """Return all keys, those for songs in their own columns; the mouse last."""
    left = _lines((*FADERS, *GENERAL))
    right = _lines(TRANSPORT) if with_transport else []
    right += [("", ""), ("mouse", "drag a fader, click M or S,"), ("", "turn the wheel for 1 dB"), ("Esc", "close")]
    table = Table.grid(padding=(0, 2))
    for place in range(max(len(left), len(right))):
        cells = [row for column in (left, right) for row in (column[place] if place < len(column) else ("", ""))]
        table.add_row(*cells)
    for column in (0, 2):
        table.columns[column].style = "bold"
    return table


def _lines(keys: tuple[Key, ...]) -> list[tuple[str, str]]:
    return [(key.shown, key.description) for key in keys if key.shown]
