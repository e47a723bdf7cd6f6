"""What a network in training gets wrong in a batch: against the true stems, and against what its teachers say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from stream_sep.training.data.cache import RATE
from stream_sep.training.losses import StemLoss
from stream_sep.training.models import shared_part
from stream_sep.training.teacher_ensemble import Teachers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream_sep.training.config import TrainConfig
    from stream_sep.training.models import Memory, Trainee


class Lesson:
    """Hears batch after batch, and keeps what the network and its teachers remember of the last one.

    Args:
        config: the training.
        trainee: the network.
        device: where it is.
        is_half: whether to compute in bfloat16.

    Attributes:
        past: frames that the network and its teachers must have heard before the first hop, beside those of the hops.

    Raises:
        ConfigError: the teachers do not fit each other.
        SeparatorError: a file of theirs cannot be used.
    """

    def __init__(self, config: TrainConfig, trainee: Any, device: torch.device, *, is_half: bool) -> None:  # noqa: ANN401 - any of the two networks
        self._share = config.teach.share
        self._trainee: Trainee = trainee
        self._device, self._is_half = device, is_half
        self._loss = StemLoss(config.training.loss, config.training.spectral).to(device)
        self._teachers: Teachers | None = None
        if config.teachers:
            self._teachers = Teachers.load(config.teachers).to(device)
        every = (trainee, self._teachers) if self._teachers is not None else (trainee,)
        self.past = max(each.past for each in every)
        settled = trainee.start + int(config.training.settle_seconds * RATE)
        self._start = max(settled, *(each.start for each in every))
        self._memory: Memory | None = None
        self._taught: Memory | None = None

    def loss(self, stems: Tensor, *, goes_on: bool) -> Any:  # noqa: ANN401 - a tensor, whose `backward` torch gives no types
        """Return the loss of a batch of stems, ``(batch, 4, 2, frames)``.

        Args:
            stems: what is to be found in their sum.
            goes_on: with the memory of the batch before; or as if nothing had been heard.
        """
        mix = stems.sum(dim=1)
        estimates, self._memory = self._separate(self._trainee, mix, self._memory if goes_on else None)
        heard = [(estimates, self._trainee.start), (stems, 0)]
        if self._teachers is not None:
            said, self._taught = self._separate(self._teachers, mix, self._taught if goes_on else None)
            heard.append((said, self._teachers.start))
        estimates, stems, *taught = shared_part(heard, self._start)
        loss = self._loss(estimates, stems)
        return torch.lerp(loss, self._loss(estimates, taught[0]), self._share) if taught else loss

    def memory(self) -> dict[str, list[Tensor]]:
        """Return what is remembered, for a checkpoint."""
        return {"memory": list(self._memory or ()), "taught": list(self._taught or ())}

    def remember(self, state: Mapping[str, Any], batch: int) -> None:
        """Go on with what a checkpoint holds, but for what was of another batch size, or of other teachers."""
        self._memory = _if_fitting(state["memory"], self._trainee, batch)
        self._taught = _if_fitting(state.get("taught", ()), self._teachers, batch)

    def _separate(self, trainee: Trainee, mix: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """Return stems, and a memory to go on with that holds on to no gradient, both in full precision."""
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._is_half):
            estimates, after = trainee.separate(mix, memory or trainee.fresh_state(len(mix)))
        return estimates.float(), tuple(_widened(part.detach()) for part in after)


def _if_fitting(memory: Sequence[Tensor], trainee: Trainee | None, batch: int) -> Memory | None:
    fresh = trainee.fresh_state(batch) if trainee is not None else ()
    fits = [part.shape for part in memory] == [part.shape for part in fresh]
    return tuple(memory) if memory and fits else None


def _widened(part: Tensor) -> Tensor:
    return part.float() if part.dtype == torch.bfloat16 else part
