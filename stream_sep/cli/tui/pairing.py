"""The QR code that pairs a phone, over the terminal page."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

from rich.text import Text
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.widgets import Static

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult
    from textual.binding import BindingType

Role: TypeAlias = Literal["control", "view"]

_ROLES: dict[Role, str] = {
    "control": "to control; v shows a code for viewers",
    "view": "to view only; v shows a code to control",
}


@runtime_checkable
class Pairable(Protocol):
    """A surface that browsers open by a link."""

    def link(self, role: Role = "control") -> str:
        """Return an address with a fresh key, to control or only to view."""
        ...


def pairing_surface(surfaces: Iterable[object]) -> Pairable | None:
    """Return the surface that browsers can pair with, if there is one."""
    return next((surface for surface in surfaces if isinstance(surface, Pairable)), None)


class PairingScreen(ModalScreen[None]):
    """Shows a link and its QR code until it is closed; ``v`` switches between a link to control and one to view.

    Args:
        surface: makes the links.
    """

    DEFAULT_CSS = "PairingScreen { align: center middle; } PairingScreen Static { width: auto; height: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,c,q,enter,space", "dismiss", "close"),
        Binding("v", "switch_role", "view only"),
    ]

    def __init__(self, surface: Pairable) -> None:
        super().__init__()
        self._surface = surface
        self._role: Role = "control"

    def compose(self) -> ComposeResult:
        """Lay the code out above its link."""
        yield Static(self._code())

    def action_switch_role(self) -> None:
        """Show the code of the other role."""
        self._role = "view" if self._role == "control" else "control"
        self.query_one(Static).update(self._code())

    def _code(self) -> Text:
        from bridge.web.live.qr import qr_code

        link = self._surface.link(self._role)
        code = Text(qr_code(link), "white on black")
        return Text.assemble(code, (link, "bold"), f"\nfor 10 minutes, {_ROLES[self._role]}; Esc closes")
