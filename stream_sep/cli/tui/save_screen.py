"""The dialog that saves the mix as a preset; an existing one is replaced only after a confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.screen import ModalScreen
from textual.widgets import Input, Static

if TYPE_CHECKING:
    from collections.abc import Collection

    from textual.app import ComposeResult
    from textual.binding import BindingType


class SaveScreen(ModalScreen[str]):
    """Prompts for a name; its result is the name, or an empty text if it was cancelled.

    Args:
        presets: existing names.
    """

    DEFAULT_CSS = """
    SaveScreen { align: center middle; }
    SaveScreen Input { width: 56; }
    SaveScreen Static { width: 56; height: auto; padding: 0 1; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "close")]

    def __init__(self, presets: Collection[str]) -> None:
        super().__init__()
        self._presets = presets
        self._confirmed = ""
        self._question = Static("Save the mix as a preset; Enter saves, Esc closes.", markup=False)

    def compose(self) -> ComposeResult:
        """Lay out the prompt above the input."""
        yield self._question
        yield Input(free_name(self._presets))

    def action_cancel(self) -> None:
        """Close without saving."""
        self.dismiss("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Accept the name; that of an existing preset must be confirmed."""
        name = event.value.strip()
        if name in self._presets and name != self._confirmed:
            self._confirmed = name
            self._question.update(f"Preset {name} exists; Enter again replaces it, Esc closes.")
        elif name:
            self.dismiss(name)


def free_name(names: Collection[str]) -> str:
    """Return a free name.

    >>> free_name(["karaoke", "mix-1"])
    'mix-2'
    """
    number = 1
    while f"mix-{number}" in names:
        number += 1
    return f"mix-{number}"
