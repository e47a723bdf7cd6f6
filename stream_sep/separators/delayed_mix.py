"""Completes the stems of a separator behind filters: silence before the first frame, and a sum equal to the mix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.separators.windowed import add_remainder

if TYPE_CHECKING:
    from stream_sep.protocols import Block, Stems


class DelayedMix:
    """Delays the mix by the latency of its stems, and adds its remainder to them.

    Args:
        stems: names of the stems.
        channels: channels of the mix.
        latency: frames by which the stems lag behind the mix.
    """

    def __init__(self, stems: tuple[str, ...], channels: int, latency: int) -> None:
        self._stems = stems
        self._held = np.zeros((channels, latency), np.float32)
        self._silent = latency

    def complete(self, stems: Stems, block: Block) -> Stems:
        """Return ``stems`` with the remainder of the delayed mix added; in place.

        Args:
            stems: the next frames of the stems, ``(stems, channels, frames)``.
            block: the next frames of the mix, ``(channels, frames)``.
        """
        frames = block.shape[1]
        mix = np.concatenate([self._held, block], axis=1)
        self._held = mix[:, frames:]
        silent = min(self._silent, frames)  # filters ring before an onset, so also before the first frame
        self._silent -= silent
        stems[..., :silent] = 0.0
        return add_remainder(stems, mix[:, :frames], self._stems)
