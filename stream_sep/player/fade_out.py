"""Sound that fades out under the one that takes its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_sep.protocols import Stems


class Outgoing:
    """Crossfades from a sound, as long as there is of it, to another.

    Args:
        sound: what goes, ``(rows, 2, frames)``; its length is that of the fade.

    >>> outgoing = Outgoing(np.ones((1, 2, 3), np.float32))
    >>> outgoing.under(np.zeros((1, 2, 2), np.float32))[0, 0].tolist(), outgoing.left
    ([0.75, 0.5], 1)
    """

    def __init__(self, sound: Stems) -> None:
        self._sound = sound
        frames = sound.shape[2]
        self._weights = (np.arange(frames, 0, -1) / (frames + 1)).astype(np.float32)

    @property
    def left(self) -> int:
        """Frames that are still to fade."""
        return len(self._weights)

    def under(self, sound: Stems) -> Stems:
        """Return ``sound``, ``(rows, 2, frames)``, with the next frames of what goes under it."""
        frames = min(sound.shape[2], self.left)
        if not frames:
            return sound
        weights = self._weights[:frames]
        faded = sound.copy()
        # in this form, what is the same on both sides stays so, bit for bit
        faded[..., :frames] += weights * (self._sound[..., :frames] - faded[..., :frames])
        self._weights, self._sound = self._weights[frames:], self._sound[..., frames:]
        return faded
