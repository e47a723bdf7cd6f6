"""Audio that fades out under the audio that replaces it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_sep.protocols import Stems


class FadeOut:
    """Crossfades from ``sound``, over its whole length, to the audio that follows.

    Args:
        sound: the outgoing audio, ``(rows, 2, frames)``; its length is that of the fade.

    >>> fade_out = FadeOut(np.ones((1, 2, 3), np.float32))
    >>> fade_out.mix_into(np.zeros((1, 2, 2), np.float32))[0, 0].tolist(), fade_out.left
    ([0.75, 0.5], 1)
    """

    def __init__(self, sound: Stems) -> None:
        self._sound = sound
        frames = sound.shape[2]
        self._weights = (np.arange(frames, 0, -1) / (frames + 1)).astype(np.float32)

    @property
    def left(self) -> int:
        """Remaining frames of the fade."""
        return len(self._weights)

    def mix_into(self, sound: Stems) -> Stems:
        """Return ``sound``, ``(rows, 2, frames)``, crossfaded with the next outgoing frames."""
        frames = min(sound.shape[2], self.left)
        if not frames:
            return sound
        weights = self._weights[:frames]
        faded = sound.copy()
        # in this form, equal samples on both sides stay equal bit for bit
        faded[..., :frames] += weights * (self._sound[..., :frames] - faded[..., :frames])
        self._weights, self._sound = self._weights[frames:], self._sound[..., frames:]
        return faded
