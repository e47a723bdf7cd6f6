"""Pickup (soft takeover): a fader without a motor changes nothing until it has reached the control's value."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_STEPS = 2
"""Distance, in steps of the fader, that counts as reached."""


@dataclass(frozen=True)
class Pickup:
    """The pickup state of one fader for one control.

    Crossing counts, not nearness alone: a fast hand jumps over the value. Once caught, it stays caught until
    something else moves the control away.

    Attributes:
        last: where the fader was, 0 to 1; None before its first move.
        put: position that the fader set the control to; None while it has not caught it.

    >>> fader = Pickup().moved(0.2, target=0.75, step=1 / 127)
    >>> fader.caught, fader.moved(0.9, target=0.75, step=1 / 127).caught
    (False, True)
    """

    last: float | None = None
    put: float | None = None

    @property
    def caught(self) -> bool:
        """Whether the fader's last move counts."""
        return self.put is not None

    def moved(self, position: float, *, target: float, step: float) -> Pickup:
        """Return the state after a move.

        Args:
            position: where the fader is now, 0 to 1.
            target: where the control is now, 0 to 1.
            step: the fader's least step, 0 to 1.

        Returns:
            The new state; this one is unchanged.
        """
        window = WINDOW_STEPS * step + 1e-9
        held = self.put is not None and abs(target - self.put) <= window
        before = position if self.last is None else self.last
        reached = min(before, position) - window <= target <= max(before, position) + window
        return Pickup(position, position if held or reached else None)
