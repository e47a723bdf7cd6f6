"""Asymmetric STFT windows: a long analysis window, and a short synthesis window that sets the latency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_sep.protocols import Block


def lookback_windows(window: int, hop: int, fade: int) -> tuple[Block, Block]:
    """Return an analysis window of ``window`` frames, and a synthesis window for its last ``hop + fade`` frames.

    The first rises over the past and falls within the last ``fade`` frames; their product is flat but for a squared
    sine at each end, and adds up to 1 when repeated every hop (after Mauler and Martin 2007, who fade over a whole
    hop: a shorter fade is less latency at the same cost).

    Args:
        window: frames of the analysis window.
        hop: frames per hop.
        fade: frames of the crossfade between hops.

    >>> analysis, synthesis = lookback_windows(32, 6, 2)
    >>> product = analysis[-8:] * synthesis
    >>> (product[:6] + np.pad(product[6:], (0, 4))).round(6).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    falling = np.cos(np.pi / 2 * (np.arange(fade) + 0.5) / fade)
    rise = window - fade
    analysis = np.concatenate([np.sin(np.pi / 2 * (np.arange(rise) + 0.5) / rise), falling])
    product = np.concatenate([falling[::-1] ** 2, np.ones(hop - fade), falling**2])
    return analysis.astype(np.float32), (product / analysis[-(hop + fade) :]).astype(np.float32)
