"""The score of a network in training: whole songs of held-out artists, in decibels per stem."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from stream_sep.evaluation.sdr import usdr
from stream_sep.training.data.cache import RATE
from stream_sep.training.data.crop import crop

if TYPE_CHECKING:
    from torch import Tensor

    from stream_sep.training.data.store import StemDataset
    from stream_sep.training.models import TrainableSeparator

_MAX_FRAMES = 30 * RATE
_SILENT = 1e-7  # energy of a stem, up to which it is not scored


@torch.no_grad()
def validate(model: TrainableSeparator, dataset: StemDataset) -> dict[str, float]:
    """Return the mean uSDR of each stem over the songs of a data set, 30 s of each at most, and their ``mean``.

    Stems that are silent are not scored.

    Args:
        model: the model.
        dataset: songs with stems.
    """
    scores: dict[str, list[float]] = {stem: [] for stem in dataset.stems}
    for row in range(len(dataset.whole)):
        stems = whole_song(dataset, row)
        estimates = separate_whole(model, stems.sum(dim=0))
        for stem, truth, estimate in zip(dataset.stems, stems.cpu().numpy(), estimates.cpu().numpy(), strict=True):
            if np.square(truth, dtype=np.float64).sum() > _SILENT:
                scores[stem].append(usdr(truth, estimate))
    means = {stem: sum(found) / len(found) if found else math.nan for stem, found in scores.items()}
    known = [score for score in means.values() if not math.isnan(score)]
    return {**means, "mean": sum(known) / len(known) if known else math.nan}


def whole_song(dataset: StemDataset, row: int) -> Tensor:
    """Return the stems of a song on the device, ``(stems, 2, frames)``: the middle of a long one; zeros if silent.

    Args:
        dataset: songs with stems.
        row: index of the song.
    """
    length = int(dataset.whole_length[row])
    frames = min(length, _MAX_FRAMES)
    device = dataset.whole.device
    start, one = torch.tensor([(length - frames) // 2], device=device), torch.ones(1, device=device)
    parts = [
        crop(samples, dataset.whole[row, n : n + 1], start, one, frames)[0]
        for n, samples in enumerate(dataset.stems.values())
    ]
    return torch.stack(parts).to(dataset.device)


def separate_whole(model: TrainableSeparator, mix: Tensor) -> Tensor:
    """Return the stems ``(stems, 2, frames)`` of a mix ``(2, frames)``, streamed from its first frame on.

    Args:
        model: the model.
        mix: ``(2, frames)``.
    """
    frames = mix.shape[1]
    hops = -(-frames // model.hop) + 1
    after = model.context_frames + hops * model.hop - model.first_output_frame - frames
    padded = torch.nn.functional.pad(mix, (model.first_output_frame, after))
    stems, _ = model.separate(padded[None], model.initial_state(1))
    return stems[0, ..., :frames]
