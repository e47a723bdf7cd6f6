"""The contract between the engine and whatever splits a mix: one page, and all of it.

Arrays are ``float32``, ``(channels, frames)`` for a mix and ``(stems, channels, frames)`` for what comes out of it.
"""

from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Block: TypeAlias = NDArray[np.float32]
"""A stretch of audio, ``(channels, frames)``."""

Stems: TypeAlias = NDArray[np.float32]
"""The parts of a stretch of audio, ``(stems, channels, frames)``."""

STEMS = ("vocals", "drums", "bass", "other")
"""The stems of every four-stem separator, in the order of its output."""

MAIN = "main"
"""The bus of the main mix, in channel maps."""


@runtime_checkable
class Separator(Protocol):
    """Splits a mix into stems, one hop at a time.

    Frame ``t`` of every stem belongs to frame ``t - latency`` of the mix, and the stems add up to the mix, delayed
    by ``latency``, within float rounding. The first ``latency`` frames after a reset are silence.
    """

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, in the order of the output's first axis."""
        ...

    @property
    def sample_rate(self) -> int:
        """Frames per second, of the mix and of the stems."""
        ...

    @property
    def channels(self) -> int:
        """Channels of the mix and of each stem."""
        ...

    @property
    def hop(self) -> int:
        """Frames taken and given by every call of `process`."""
        ...

    @property
    def latency(self) -> int:
        """Frames by which the stems come after the mix, with hops fed and read at once: look-ahead, no buffering."""
        ...

    def process(self, block: Block) -> Stems:
        """Take the next hop of the mix, ``(channels, hop)``; return the stems, ``(stems, channels, hop)``.

        The result may be a buffer that the next call overwrites.
        """
        ...

    def reset(self) -> None:
        """Forget the past: the next call behaves as the first one of a fresh object."""
        ...
