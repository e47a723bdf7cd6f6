"""The interface between the engine and a separator.

Arrays are ``float32``, ``(channels, frames)`` for a mix and ``(stems, channels, frames)`` for its stems.
"""

from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Block: TypeAlias = NDArray[np.float32]
"""A block of audio, ``(channels, frames)``."""

Stems: TypeAlias = NDArray[np.float32]
"""The stems of a block of audio, ``(stems, channels, frames)``."""

STEMS = ("vocals", "drums", "bass", "other")
"""The stems of every four-stem separator, in the order of its output."""

STEM_COLORS = {
    "vocals": "#548CC8",
    "drums": "#D9C80F",
    "bass": "#DA616E",
    "other": "#AAF4CE",
    "guitar": "#C9CED4",
    "piano": "#8A929B",
}
"""The color of each stem, wherever stems are shown.

The first four were chosen by a search, so that any two differ for people with normal sight and with protanopia,
deuteranopia and tritanopia (CIEDE2000 22.7 at least), with a contrast of at least 4.6 on a dark surface.
"""

MAIN = "main"
"""The bus of the main mix, in channel maps."""


def stem_color(stem: str, index: int = 0) -> str:
    """Return the color of a stem.

    Args:
        stem: its name.
        index: its place among the stems, from 0; a stem of an unknown name is colored by its place.

    Returns:
        ``#RRGGBB``.

    >>> stem_color("vocals"), stem_color("strings", 1)
    ('#548CC8', '#D9C80F')
    """
    return STEM_COLORS.get(stem) or tuple(STEM_COLORS.values())[index % len(STEM_COLORS)]


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
        """Frames per call of `process`, input and output."""
        ...

    @property
    def latency(self) -> int:
        """Frames by which the stems lag behind the mix, with hops fed and read at once: look-ahead, no buffering."""
        ...

    def process(self, block: Block) -> Stems:
        """Process the next hop of the mix, ``(channels, hop)``; return the stems, ``(stems, channels, hop)``.

        The result may be a buffer that the next call overwrites.
        """
        ...

    def reset(self) -> None:
        """Clear the state: the next call behaves as the first one of a new object."""
        ...
