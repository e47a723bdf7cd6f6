"""The masks of `bands`: one table of cue weights, and the soft masks computed with it.

The masks are a multinomial logistic model, the simplest model whose output is a soft mask: each stem's score is
a weighted sum of the cues, the weights vary with frequency between a few break points, and ``other`` scores 0. Mid
and side have their own weights, so that a centred source can be taken from mid alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_cached, njit_fastmath
from stream_sep.lowlevel.vector_math import exponential
from stream_sep.separators.bands.table import BREAK_POINTS, TABLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_SCORE, _ONE = np.float32(30.0), np.float32(1.0)


def spread_weights(sample_rate: int, window: int) -> NDArray[np.float32]:
    """Interpolate the table over the logarithm of frequency.

    Shape:
        ``(2, cues, 3, bins)``: mid and side, then stems without ``other``, for spectra of ``window`` frames.
    """
    frequencies = np.maximum(np.arange(window // 2 + 1) * sample_rate / window, 1.0)
    at = np.interp(np.log(frequencies), np.log(BREAK_POINTS), np.arange(len(BREAK_POINTS)))
    hats = np.maximum(0.0, 1.0 - np.abs(at - np.arange(len(BREAK_POINTS))[:, None]))
    return np.asarray(np.array(TABLE) @ hats, np.float32)


@njit_cached
def find_masks(cues: NDArray[np.float32], weights: NDArray[np.float32], masks: NDArray[np.float32]) -> None:
    """Convert the cues to ``masks``, ``(2, 3, bins)``: mid and side, then stems without ``other``.

    Args:
        cues: float32 ``(cues, bins)``.
        weights: of the cues, as `spread_weights` returns them.
        masks: float32 ``(2, 3, bins)``, which is written.
    """
    for plane in range(2):
        masks[plane] = 0.0
        for cue in range(len(cues)):
            for stem in range(3):
                _weigh(weights[plane, cue, stem], cues[cue], masks[plane, stem])
        _soften(masks[plane, 0], masks[plane, 1], masks[plane, 2])


@njit_fastmath
def _weigh(weights: NDArray[np.float32], cue: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
    for k in range(len(scores)):
        scores[k] += weights[k] * cue[k]


@njit_fastmath
def _soften(vocals: NDArray[np.float32], drums: NDArray[np.float32], bass: NDArray[np.float32]) -> None:
    """Convert scores to shares by softmax; ``other`` scores 0."""
    for k in range(len(vocals)):
        a = exponential(min(vocals[k], MAX_SCORE))
        b = exponential(min(drums[k], MAX_SCORE))
        c = exponential(min(bass[k], MAX_SCORE))
        share = _ONE / (_ONE + a + b + c)
        vocals[k], drums[k], bass[k] = a * share, b * share, c * share


@njit_cached
def apply_masks(
    masks: NDArray[np.float32],
    powers: NDArray[np.float64],
    spectra: NDArray[np.complex64],
    parts: NDArray[np.complex64],
) -> None:
    """Mask ``spectra``, ``(2, bins)``, into ``parts``, ``(3, 2, bins)``; ``powers`` are those of `BandsState`.

    The closer a bin comes to one channel alone, the more the side follows the mid: different masks would put a
    sound of the left into the right.

    Args:
        masks: float32 ``(2, 3, bins)``.
        powers: averaged powers of `BandsState`, ``(3, bins)``.
        spectra: complex64 ``(2, bins)``, mid and side.
        parts: complex64 ``(3, 2, bins)``, which is written.
    """
    for k in range(masks.shape[2]):
        place = 2 * powers[2, k] / (powers[0, k] + powers[1, k])  # -1 right, 0 in the middle or everywhere, 1 left
        panned = np.float32(place * place)
        for stem in range(3):
            mid, side = masks[0, stem, k], masks[1, stem, k]
            parts[stem, 0, k] = spectra[0, k] * mid
            parts[stem, 1, k] = spectra[1, k] * (side + panned * (mid - side))
