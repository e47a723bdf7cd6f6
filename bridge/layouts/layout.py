"""Pages of faders for tablets and browsers, made for the stems at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.layouts.open_stage_control import open_stage_control
from bridge.layouts.touchosc import touchosc
from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LAYOUTS: dict[str, tuple[str, Callable[[Sequence[str]], bytes]]] = {
    "touchosc": ("stream_sep.tosc", touchosc),
    "open-stage-control": ("stream_sep.json", open_stage_control),
}
"""The usual file name of each kind, and its writer."""


def layout(kind: str, stems: Sequence[str]) -> bytes:
    """Return a page as the bytes of its file: faders, mutes, solos and meters of ``stems``, and the master.

    Set the program to send to UDP port 9137 of the computer with the stems, and to listen at 9138.

    Args:
        kind: ``touchosc`` or ``open-stage-control``.
        stems: their names, in order.

    Returns:
        The bytes of the file.

    Raises:
        ConfigError: the kind is unknown, or there are no stems.

    >>> layout("touchosc", ["vocals", "other"])[:2].hex()
    '789c'
    """
    if kind not in LAYOUTS:
        raise ConfigError(f"unknown layout {kind!r}; choose from {', '.join(LAYOUTS)}")
    if not stems:
        raise ConfigError("a layout needs at least one stem")
    return LAYOUTS[kind][1](stems)
