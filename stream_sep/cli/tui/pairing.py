"""The QR code that pairs a phone, over the terminal page."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from rich.text import Text
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.widgets import Static

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult
    from textual.binding import BindingType


@runtime_checkable
class Pairable(Protocol):
    """A surface that browsers open by a link."""

    def link(self) -> str:
        """Return an address with a fresh key."""
        ...


def pairing_surface(surfaces: Iterable[object]) -> Pairable | None:
    """Return the surface that browsers can pair with, if there is one."""
    return next((surface for surface in surfaces if isinstance(surface, Pairable)), None)


class PairingScreen(ModalScreen[None]):
    """Shows a link and its QR code until any key is pressed.

    Args:
        link: the content of the code.
    """

    DEFAULT_CSS = "PairingScreen { align: center middle; } PairingScreen Static { width: auto; height: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,c,q,enter,space", "dismiss", "close")]

    def __init__(self, link: str) -> None:
        super().__init__()
        self._link = link

    def compose(self) -> ComposeResult:
        """Lay the code out above its link."""
        from bridge.web.live.qr import qr_code

        code = Text(qr_code(self._link), "white on black")
        yield Static(Text.assemble(code, (self._link, "bold"), "\nfor 10 minutes; Esc closes"))
