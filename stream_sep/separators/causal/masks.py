"""Complex masks from the prior and the network's output, compiled, as they are computed in every hop.

The real part is ``softmax(z + prior) + z / 8`` over four stems, so that stems compete for each bin but none is
bounded by the mix, where phases cancel (after StemgenRT). `CausalTrainee` does the same with torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_cached, njit_fastmath
from stream_sep.lowlevel.vector_math import exponential

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.protocols import Block

MASKED = 3
"""Stems with masks; the fourth is the residual."""

OUTPUT_CHANNELS = MASKED + 1 + MASKED
"""Output channels per mask bin: a logit for every stem, and the imaginary part of every mask."""

LINEAR_GAIN = 0.125
"""Gain of the linear term of a mask, next to the softmax."""

_ONE, _LINEAR_GAIN = np.float32(1.0), np.float32(LINEAR_GAIN)


@njit_cached
def apply_mask_residuals(  # noqa: PLR0917 - compiled code has no objects
    outputs: Block,
    prior: Block,
    mask_bin_of: NDArray[np.int64],
    spectra: NDArray[np.complex64],
    masks: Block,
    parts: NDArray[np.complex64],
) -> None:
    """Apply the masks to spectra.

    Shape:
        outputs: ``(2, OUTPUT_CHANNELS, points)``, for mid and side
        prior: ``(PRIOR_CHANNELS, points)``, of which the logits come first
        spectra: complex64 ``(2, bins)``
        masks: ``(MASKED, points)``, temporary buffer
        parts: complex64 ``(MASKED, 2, bins)``, which is written
    """
    for plane in range(2):
        z = outputs[plane]
        _softmax_masks(z, prior[plane * MASKED : (plane + 1) * MASKED], masks)
        for stem in range(MASKED):
            _mask(masks[stem], z[MASKED + 1 + stem], mask_bin_of, spectra[plane], parts[stem, plane])


@njit_fastmath
def _softmax_masks(z: Block, logits: Block, masks: Block) -> None:
    """Write the real part of each mask bin's masks."""
    for point in range(z.shape[1]):
        a, b, c = z[0, point] + logits[0, point], z[1, point] + logits[1, point], z[2, point] + logits[2, point]
        rest = z[3, point]
        top = max(a, b, c, rest)
        a, b, c, rest = exponential(a - top), exponential(b - top), exponential(c - top), exponential(rest - top)
        whole = _ONE / (a + b + c + rest)
        masks[0, point] = a * whole + _LINEAR_GAIN * z[0, point]
        masks[1, point] = b * whole + _LINEAR_GAIN * z[1, point]
        masks[2, point] = c * whole + _LINEAR_GAIN * z[2, point]


@njit_fastmath
def _mask(
    real: Block,
    imaginary: Block,
    mask_bin_of: NDArray[np.int64],
    spectrum: NDArray[np.complex64],
    part: NDArray[np.complex64],
) -> None:
    for k in range(len(mask_bin_of)):
        point = mask_bin_of[k]
        part[k] = spectrum[k] * complex(real[point], _LINEAR_GAIN * imaginary[point])
