"""The limits of a separator's output: finite stems, not absurdly louder than the mix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stream_sep.protocols import Block, Separator, Stems

MAX_STEM_GAIN = 10 ** (24 / 20)
"""Stems may peak 24 dB above full scale or, where the mix is louder than that, above the recent peak of the mix."""

MAX_SAMPLE = 1e6
"""120 dB above full scale: the maximum output of effects, and more than any intended sound."""

_MEMORY_SECONDS = 10.0


class StemGuard:
    """Checks whether stems can be played.

    Args:
        separator: outputs the stems.
        max_gain: how far above the mix, or full scale, they may peak, as a factor.

    >>> import numpy as np
    >>> from stream_sep.separators.passthrough import PassthroughSeparator
    >>> guard, mix = StemGuard(PassthroughSeparator(hop=4)), np.ones((2, 4), np.float32)
    >>> [guard.accepts(mix, mix[None] * np.float32(factor)) for factor in (1, 15, 16, 1e37, np.inf, np.nan)]
    [True, True, False, False, False, False]
    """

    def __init__(self, separator: Separator, max_gain: float = MAX_STEM_GAIN) -> None:
        self._max_gain = max_gain
        memory = max(_MEMORY_SECONDS, 10 * separator.latency / separator.sample_rate)
        self._decay = math.exp(-separator.hop / (separator.sample_rate * memory))
        self._mix_peak = 1.0

    def accepts(self, mix: Block, stems: Stems) -> bool:
        """Return whether ``stems``, the output for ``mix``, can be played; must be called for every hop.

        Args:
            mix: ``(channels, hop)``.
            stems: ``(stems, channels, hop)``.
        """
        self._mix_peak = max(peak_of(mix), 1.0, self._mix_peak * self._decay)
        return peak_of(stems) <= self._max_gain * self._mix_peak  # False for NaN


def peak_of(samples: NDArray[np.floating[Any]]) -> float:
    """Return the largest magnitude, 0 of no samples; NaN if there is one among them.

    >>> import numpy as np
    >>> peak_of(np.zeros((2, 0)))
    0.0
    >>> peak_of(np.array([-2.0, 1.0])), peak_of(np.array([1.0, np.nan])), peak_of(np.array([-np.inf]))
    (2.0, nan, inf)
    """
    return max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))
