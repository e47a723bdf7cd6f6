"""The score of a network in training: whole songs of artists it never heard, in decibels a stem."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stream_sep.protocols import STEMS
from stream_sep.training.data.cache import RATE
from stream_sep.training.data.store import cut

if TYPE_CHECKING:
    from stream_sep.training.data.store import Library
    from stream_sep.training.models import Trainee

_LONGEST = 30 * RATE
_EPSILON = 1e-7


@torch.no_grad()
def validate(trainee: Trainee, library: Library) -> dict[str, float]:
    """Return the mean uSDR of each stem over the songs of a library, 30 s of each at most, and their ``mean``.

    Stems that are silent are not scored.
    """
    scores: dict[str, list[float]] = {stem: [] for stem in STEMS}
    for row in range(len(library.whole)):
        stems = whole_song(library, row)
        estimates = separate_whole(trainee, stems.sum(dim=0))
        error = (estimates - stems).double().square().sum(dim=(1, 2))
        truth = stems.double().square().sum(dim=(1, 2))
        decibels = 10 * torch.log10((truth + _EPSILON) / (error + _EPSILON))
        for stem, loud, score in zip(STEMS, truth.tolist(), decibels.tolist(), strict=True):
            if loud > _EPSILON:
                scores[stem].append(score)
    means = {stem: sum(found) / len(found) if found else float("nan") for stem, found in scores.items()}
    known = [score for score in means.values() if score == score]  # noqa: PLR0124 - only what is no number differs from itself
    return {**means, "mean": sum(known) / len(known) if known else float("nan")}


def whole_song(library: Library, row: int) -> Tensor:
    """Return the stems of a song, ``(4, 2, frames)``: its middle, where it is long."""
    stores = [library.stems[stem] for stem in STEMS]
    length = int(stores[0].length[library.whole[row, 0]])
    frames = min(length, _LONGEST)
    start = torch.tensor([(length - frames) // 2], device=library.whole.device)
    one = torch.ones(1, device=library.whole.device)
    parts = [cut(store, library.whole[row, n : n + 1], start, one, frames)[0] for n, store in enumerate(stores)]
    return torch.stack(parts)


def separate_whole(trainee: Trainee, mix: Tensor) -> Tensor:
    """Return the stems ``(4, 2, frames)`` of a mix ``(2, frames)``, streamed from its first frame on."""
    frames = mix.shape[1]
    hops = -(-frames // trainee.hop) + 1
    after = trainee.past + hops * trainee.hop - trainee.start - frames
    padded = torch.nn.functional.pad(mix, (trainee.start, after))
    stems, _ = trainee.separate(padded[None], trainee.fresh_state(1))
    return stems[0, ..., :frames]
