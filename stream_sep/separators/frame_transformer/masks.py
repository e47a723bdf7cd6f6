"""Masks for any groups of sources, from the prior of four stems and a network's corrections.

The real part is ``softmax(z + prior) + z / 8`` over the groups, as in `causal.masks`; the last group is the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.protocols import STEMS
from stream_sep.separators.causal.band_prior import PRIOR_LOGITS
from stream_sep.separators.causal.masks import LINEAR_GAIN, MASKED
from stream_sep.separators.source_groups import FOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.separators.source_groups import SourceGroups

TINY = 1e-5
"""Added to shares before their logarithm is taken; logits then stay within 12 nepers."""


def share_matrix(groups: SourceGroups) -> NDArray[np.float32] | None:
    """Return which share of each stem of the prior each group gets, ``(groups, 4)``; None where they are the same.

    A stem whose source a group names is that group's; what is left of them is the rest's. The sound of ``other`` is
    in equal parts that of the groups that name a source which is none of the four, and of the rest.

    >>> from stream_sep.separators.source_groups import SourceGroups
    >>> share_matrix(SourceGroups.preset("drums-no_drums")).tolist()
    [[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 1.0]]
    """
    if groups == FOUR:
        return None
    shares = np.zeros((len(groups.stems), len(STEMS)), np.float32)
    for column, stem in enumerate(STEMS[:MASKED]):
        rows = [row for row, (_, sources) in enumerate(groups.members) if stem in sources]
        shares[rows[0] if rows else -1, column] = 1.0
    finer = [row for row, (_, sources) in enumerate(groups.members) if set(sources) - set(STEMS[:MASKED])]
    shares[finer, -1] = 1.0 / len(finer)
    return shares


def project_prior(prior: NDArray[np.float32], shares: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Return the prior's logits of each group but the last against that, for mid and side.

    Shape:
        prior: ``(hops, PRIOR_CHANNELS, points)``
        logits: ``(hops, 2, groups - 1, points)``
    """
    stem_logits = prior[:, :PRIOR_LOGITS].reshape(len(prior), 2, MASKED, -1)
    if shares is None:
        return stem_logits
    likely = softmax(np.pad(stem_logits, ((0, 0), (0, 0), (0, 1), (0, 0))))
    logits = np.log(np.einsum("gs,hpsk->hpgk", shares, likely) + np.float32(TINY))
    projected: NDArray[np.float32] = logits[:, :, :-1] - logits[:, :, -1:]
    return projected


def complex_masks(corrections: NDArray[np.float32], prior_logits: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Return the masks of all groups but the last.

    Shape:
        corrections: ``(hops, 2, groups [+ groups - 1], points)``; the second part is imaginary
        prior_logits: ``(hops, 2, groups - 1, points)``
        masks: complex64 ``(hops, groups - 1, 2, points)``
    """
    masked = prior_logits.shape[2]
    logits, imaginary = corrections[:, :, : masked + 1], corrections[:, :, masked + 1 :]
    likely = softmax(logits + np.pad(prior_logits, ((0, 0), (0, 0), (0, 1), (0, 0))))[:, :, :masked]
    masks = (likely + np.float32(LINEAR_GAIN) * logits[:, :, :masked]).astype(np.complex64)
    if imaginary.shape[2]:
        masks.imag = np.float32(LINEAR_GAIN) * imaginary
    return masks.transpose(0, 2, 1, 3)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return shares over axis 2 that add up to 1."""
    powers = np.exp(logits - logits.max(axis=2, keepdims=True))
    shares: NDArray[np.float32] = powers / powers.sum(axis=2, keepdims=True)
    return shares
