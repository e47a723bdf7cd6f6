"""What a separator behind filters owes the mix: stems that begin in silence and leave nothing of it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.separators.windowed import add_remainder

if TYPE_CHECKING:
    from stream_sep.protocols import Block, Stems


class DelayedMix:
    """Holds the mix until its stems come, and gives them what they lack of it.

    Args:
        stems: names of the stems.
        channels: channels of the mix.
        latency: frames by which the stems come after the mix.
    """

    def __init__(self, stems: tuple[str, ...], channels: int, latency: int) -> None:
        self._stems = stems
        self._held = np.zeros((channels, latency), np.float32)
        self._silent = latency

    def complete(self, stems: Stems, block: Block) -> Stems:
        """Take the next frames of the mix, and the stems of as many frames that come now; return these, in place.

        Args:
            stems: ``(stems, channels, frames)``, completed in place.
            block: the next frames of the mix, ``(channels, frames)``.
        """
        frames = block.shape[1]
        mix = np.concatenate([self._held, block], axis=1)
        self._held = mix[:, frames:]
        silent = min(self._silent, frames)  # filters ring before an onset, so also before the first frame
        self._silent -= silent
        stems[..., :silent] = 0.0
        return add_remainder(stems, mix[:, :frames], self._stems)
