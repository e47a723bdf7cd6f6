"""Masks out of a guess and what a network corrects in it, compiled, as they are computed anew in every hop.

The real part is ``softmax(z + guess) + z / 8`` over four stems, so that stems compete for each point but none is
bounded by the mix, where phases cancel (after StemgenRT). `CausalTrainee` does the same with torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import compiled, vectorised
from stream_sep.lowlevel.vector_exp import exponential

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.protocols import Block

MASKED = 3
"""Stems that have masks; the fourth is the rest."""

CORRECTIONS = MASKED + 1 + MASKED
"""Corrections of a point: for the logit of every stem, and the imaginary part of every mask."""

SHARE = 0.125
"""What a correction adds to a mask beyond its say in who gets the point."""

_ONE, _SHARE = np.float32(1.0), np.float32(SHARE)


@compiled
def apply_corrections(  # noqa: PLR0917 - compiled code has no objects
    corrections: Block,
    hints: Block,
    point_of_bin: NDArray[np.int64],
    spectra: NDArray[np.complex64],
    masks: Block,
    parts: NDArray[np.complex64],
) -> None:
    """Mask spectra.

    Shape:
        corrections: ``(2, CORRECTIONS, points)``, for mid and side
        hints: ``(HINTS, points)``, of which the guesses come first
        spectra: complex64 ``(2, bins)``
        masks: ``(MASKED, points)``, room to work in
        parts: complex64 ``(MASKED, 2, bins)``, which is written
    """
    for plane in range(2):
        z = corrections[plane]
        _share(z, hints[plane * MASKED : (plane + 1) * MASKED], masks)
        for stem in range(MASKED):
            _mask(masks[stem], z[MASKED + 1 + stem], point_of_bin, spectra[plane], parts[stem, plane])


@vectorised
def _share(z: Block, guesses: Block, masks: Block) -> None:
    """Write the real part of each point's masks."""
    for point in range(z.shape[1]):
        a, b, c = z[0, point] + guesses[0, point], z[1, point] + guesses[1, point], z[2, point] + guesses[2, point]
        rest = z[3, point]
        top = max(a, b, c, rest)
        a, b, c, rest = exponential(a - top), exponential(b - top), exponential(c - top), exponential(rest - top)
        whole = _ONE / (a + b + c + rest)
        masks[0, point] = a * whole + _SHARE * z[0, point]
        masks[1, point] = b * whole + _SHARE * z[1, point]
        masks[2, point] = c * whole + _SHARE * z[2, point]


@vectorised
def _mask(
    real: Block,
    imaginary: Block,
    point_of_bin: NDArray[np.int64],
    spectrum: NDArray[np.complex64],
    part: NDArray[np.complex64],
) -> None:
    for k in range(len(point_of_bin)):
        point = point_of_bin[k]
        part[k] = spectrum[k] * complex(real[point], _SHARE * imaginary[point])
