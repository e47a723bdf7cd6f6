"""Masks out of a guess and what a network corrects in it, compiled, as they are computed anew in every hop.

The real part is ``softmax(z + guess) + z / 8`` over four stems, so that stems compete for each point but none is
bounded by the mix, where phases cancel (after StemgenRT). `CausalTrainee` does the same with torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_sep.compiled import compiled, inlined
from stream_sep.exponential import exponential

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stream_sep.protocols import Block

MASKED = 3
"""Stems that have masks; the fourth is the rest."""

CORRECTIONS = MASKED + 1 + MASKED
"""Corrections of a point: for the logit of every stem, and the imaginary part of every mask."""

SHARE = 0.125
"""What a correction adds to a mask beyond its say in who gets the point."""


@compiled
def apply_corrections(
    corrections: Block,
    hints: Block,
    point_of_bin: NDArray[np.int64],
    spectra: NDArray[np.complex64],
    parts: NDArray[np.complex64],
) -> None:
    """Mask spectra.

    Shape:
        corrections: ``(2, CORRECTIONS, points)``, for mid and side
        hints: ``(HINTS, points)``, of which the guesses come first
        spectra: complex64 ``(2, bins)``
        parts: complex64 ``(MASKED, 2, bins)``, which is written
    """
    bins = len(point_of_bin)
    for plane in range(2):
        real, last = (0.0, 0.0, 0.0), -1
        for k in range(bins):
            point = point_of_bin[k]
            z = corrections[plane, :, point]
            if point != last:
                real, last = _shares(z, hints[plane * MASKED : (plane + 1) * MASKED, point]), point
            for stem in range(MASKED):
                mask = complex(real[stem], SHARE * z[MASKED + 1 + stem])
                parts[stem, plane, k] = spectra[plane, k] * mask


@inlined
def _shares(z: Block, guess: Block) -> tuple[float, float, float]:
    a, b, c, rest = z[0] + guess[0], z[1] + guess[1], z[2] + guess[2], z[3]
    top = max(a, b, c, rest)
    a, b, c, rest = exponential(a - top), exponential(b - top), exponential(c - top), exponential(rest - top)
    total = a + b + c + rest
    return a / total + SHARE * z[0], b / total + SHARE * z[1], c / total + SHARE * z[2]
