"""Feedback to a device: changes only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence


class Feedback:
    r"""Sends changes only: keeps the last message sent to every LED, ring, fader and text.

    Args:
        send: callback that sends one message.

    >>> sent = []
    >>> feedback = Feedback(sent.append)
    >>> for _ in range(2):
    ...     feedback.show("led", [b"\x90\x10\x7f"])
    >>> len(sent)
    1
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._shown: dict[Hashable, list[bytes]] = {}

    def show(self, where: Hashable, messages: Sequence[bytes]) -> None:
        """Send ``messages`` unless ``where`` shows them already.

        Args:
            where: the control, LED or ring.
            messages: that set it, as bytes.
        """
        if self._shown.get(where) != list(messages):
            self._shown[where] = list(messages)
            for message in messages:
                self._send(message)

    def shows(self, where: Hashable, messages: Sequence[bytes]) -> None:
        """Record that the device shows this already, as a fader does that was moved by hand.

        Args:
            where: the control.
            messages: that would set it to its state.
        """
        self._shown[where] = list(messages)

    def forget(self, where: Hashable) -> None:
        """Send the next message to ``where`` even if it is unchanged."""
        self._shown.pop(where, None)

    def forget_all(self) -> None:
        """Send everything again, as to a device that was just switched on."""
        self._shown.clear()
