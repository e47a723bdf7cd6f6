"""Blocks of any length in, whole hops to the separator, as many frames out as went in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_sep.protocols import Block, Separator, Stems


class Rechunker:
    """Feeds blocks of any length to a separator with fixed hops.

    The price is ``hop - 1`` frames of delay, the least that serves every block length, first blocks of one frame
    included.

    Args:
        separator: splits the mix.
    """

    def __init__(self, separator: Separator) -> None:
        self._separator = separator
        self.reset()

    @property
    def latency(self) -> int:
        """Frames by which the output lags behind the input: the separator's own, and ``hop - 1``."""
        return self._separator.latency + self._separator.hop - 1

    def reset(self) -> None:
        """Clear the state."""
        separator = self._separator
        separator.reset()
        self._waiting = np.zeros((separator.channels, 0), np.float32)
        self._ready = np.zeros((len(separator.stems), separator.channels, separator.hop - 1), np.float32)

    def process(self, block: Block) -> Stems:
        """Return as many frames of every stem, ``(stems, channels, frames)``, as ``(channels, frames)`` went in."""
        hop, frames = self._separator.hop, block.shape[1]
        waiting = np.concatenate([self._waiting, block], axis=1)
        whole = waiting.shape[1] // hop * hop
        stems = [self._separator.process(waiting[:, at : at + hop]).copy() for at in range(0, whole, hop)]
        self._waiting = waiting[:, whole:]
        ready = np.concatenate([self._ready, *stems], axis=2)
        self._ready = ready[..., frames:]
        return ready[..., :frames]
