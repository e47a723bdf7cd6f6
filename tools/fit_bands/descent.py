"""The fit itself: the masks of `bands` once more, differentiable, and steps that raise the mean score of the stems.

The score is uSDR (see `stream_sep.evaluation.sdr.usdr`), on the kept spectra instead of the sound. The masks are
those of `bands.masks`, but for one thing: how closely the side follows the mid is taken from the cue
``panned``, which also indicates whether the clip is stereo.
"""

from collections.abc import Callable, Sequence

import measurements
import numpy as np
import torch
from measurements import Measurements
from numpy.typing import NDArray
from torch import Tensor

from stream_sep.protocols import STEMS
from stream_sep.separators.bands.cues import CUES
from stream_sep.separators.bands.table import BREAK_POINTS

_STEPS, _STEP_SIZE = 100, 0.1

_PENALTY = 3e-3
"""Decibels for a constant of 1, and for a difference of 1 between break points."""

_STEM_SHARES = torch.tensor([1.5, 1.0, 1.0, 1.0])
"""Vocals count more: most users solo or mute them."""

_BEST = 25.0
"""Decibels from which on a stem does not gain by being better still."""

_ABSENT = 1e-4
"""Share of the stems' energy up to which a stem counts as missing from a clip, and is not scored."""

_PANNED = CUES.index("panned")


def descend(parts: Sequence[tuple[float, Measurements]], report: Callable[[str], None]) -> NDArray[np.float32]:
    """Return the table, ``(2, cues, 3, break points)``, after a fixed number of steps from zero.

    Args:
        parts: groups of sounds, each with its share in the score.
        report: called with progress messages.
    """
    torch.set_num_threads(1)  # sums are added up in one order: the same table every time
    groups = [(share, tuple(map(torch.from_numpy, measured))) for share, measured in parts]
    table = torch.zeros(2, len(CUES), len(STEMS) - 1, len(BREAK_POINTS), requires_grad=True)
    optimizer = torch.optim.Adam([table], lr=_STEP_SIZE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    for step in range(1, _STEPS + 1):
        loss = _penalty(table) - sum(share * _score(table, measured) for share, measured in groups)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 10 == 0:
            report(f"step {step} of {_STEPS}: loss {loss.item():.3f}")
    return table.detach().numpy()


def _penalty(table: Tensor) -> Tensor:
    large = (table[:, 1:] ** 2).sum()  # the first cue is the constant one, and may be as large as it needs to be
    jagged = (table.diff(dim=-1) ** 2).sum()
    return _PENALTY * (large + jagged)


def _score(table: Tensor, measured: Sequence[Tensor]) -> Tensor:
    energies = measured[3]
    errors = _errors(table, *measured)
    decibels = 10 * torch.log10((energies + 1e-9) / (errors + 1e-9))
    present = energies > _ABSENT * energies.sum(dim=1, keepdim=True)
    counted = torch.where(present, decibels.clamp(max=_BEST), 0.0)
    return (counted * _STEM_SHARES).sum(dim=1).mean()


def _errors(table: Tensor, cues: Tensor, powers: Tensor, products: Tensor, energies: Tensor) -> Tensor:
    """Return the energy of the error, ``(sounds, stems)``."""
    mid, side = _masks(table, cues)
    panned = cues[:, None, _PANNED] ** 2
    side = panned * mid + (1 - panned) * side
    wrong = _excess(mid, powers[:, 0], products[:, :, 0]) + _excess(side, powers[:, 1], products[:, :, 1])
    counts = torch.from_numpy(measurements.kept_bins()[1])
    return ((wrong * counts).sum(dim=(2, 3)) + energies).clamp(min=1e-9)


def _excess(mask: Tensor, powers: Tensor, products: Tensor) -> Tensor:
    """Return by how much the error of a masked spectrum exceeds the stem's power."""
    return mask * (mask * powers[:, None] - 2 * products)


def _masks(table: Tensor, cues: Tensor) -> Tensor:
    """Return masks, ``(2, sounds, stems, spectra, bins)``: mid and side; ``other`` scores 0."""
    sounds, _, spectra, bins = cues.shape
    weights = torch.einsum("bk,pcsb->kcps", _hats(), table).reshape(bins, len(CUES), -1)
    rows = cues.permute(3, 0, 2, 1).reshape(bins, -1, len(CUES))
    scores = torch.bmm(rows, weights).reshape(bins, sounds, spectra, 2, len(STEMS) - 1)
    scores = torch.cat([scores, torch.zeros_like(scores[..., :1])], dim=-1)
    return torch.softmax(scores, dim=-1).permute(3, 1, 4, 2, 0)


def _hats() -> Tensor:
    """Return how much each break point counts at each kept bin, as in `bands_masks.spread_weights`."""
    frequencies = np.log(np.maximum(measurements.kept_frequencies(), 1.0))
    at = np.interp(frequencies, np.log(BREAK_POINTS), np.arange(len(BREAK_POINTS)))
    hats = np.maximum(0.0, 1.0 - np.abs(at - np.arange(len(BREAK_POINTS))[:, None]))
    return torch.from_numpy(hats.astype(np.float32))
