"""The loss of a batch: against the true stems, and against the output of teachers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from stream_sep.errors import ConfigError
from stream_sep.training.data.cache import RATE
from stream_sep.training.losses import StemLoss
from stream_sep.training.models import align_crops
from stream_sep.training.teacher_ensemble import TeacherEnsemble

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream_sep.training.config import TrainConfig
    from stream_sep.training.models import ModelState, TrainableSeparator


class Objective:
    """Computes the loss of batch after batch, and carries the state of the network and its teachers on.

    Args:
        config: the training.
        model: the network, a `TrainableSeparator`.
        device: the network's device.
        is_half: whether to compute in bfloat16.
        weights: how much each stem counts, ``(stems,)``; alike unless given.

    Attributes:
        context_frames: frames that the network and its teachers need before the first hop.

    Raises:
        ConfigError: the teachers do not fit each other, or the network.
        SeparatorError: a file of theirs cannot be used.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: Any,  # noqa: ANN401 - a module of any kind
        device: torch.device,
        *,
        is_half: bool,
        weights: Tensor | None = None,
    ) -> None:
        self._distillation_weight = config.teach.distillation_weight
        self._suppress_bleed = config.teach.suppress_bleed
        self._model: TrainableSeparator = model
        self._device, self._is_half = device, is_half
        self._loss = StemLoss(config.training.loss, config.training.spectral, weights).to(device)
        self._teachers: TeacherEnsemble | None = None
        if config.teachers:
            self._teachers = TeacherEnsemble.load(config.teachers, str(config.network["kind"])).to(device)
            if self._teachers.stems != tuple(model.stems):
                raise ConfigError(
                    f"the teachers separate into {', '.join(self._teachers.stems)}, "
                    f"the network into {', '.join(model.stems)}; name teachers of the same groups"
                )
        every = (model, self._teachers) if self._teachers is not None else (model,)
        self.context_frames = max(each.context_frames for each in every)
        settled = model.first_output_frame + int(config.training.burn_in_seconds * RATE)
        self._start = max(settled, *(each.first_output_frame for each in every))
        self._state: ModelState | None = None
        self._teacher_state: ModelState | None = None

    def loss(self, stems: Tensor, *, carry_state: bool, max_hz: Tensor | None = None) -> Any:  # noqa: ANN401 - a tensor, whose `backward` torch gives no types
        """Return the loss of a batch of stems, ``(batch, stems, 2, frames)``.

        Args:
            stems: the targets; their sum is the mix.
            carry_state: continue with the state after the previous batch, instead of the initial state.
            max_hz: ``(batch,)``, frequency up to which each mix counts; all of it unless given, or where infinite.
        """
        mix = stems.sum(dim=1)
        estimates, self._state = self._separate(self._model, mix, self._state if carry_state else None)
        aligned = [(estimates, self._model.first_output_frame), (stems, 0)]
        if self._teachers is not None:
            before = self._teacher_state if carry_state else None
            taught, self._teacher_state = self._separate(self._teachers, mix, before)
            aligned.append((taught, self._teachers.first_output_frame))
        estimates, stems, *targets = align_crops(aligned, self._start)
        loss = self._loss(estimates, stems, max_hz)
        if not targets:
            return loss
        taught = without_bleed(targets[0], stems) if self._suppress_bleed else targets[0]
        return torch.lerp(loss, self._loss(estimates, taught, max_hz), self._distillation_weight)

    def state_dict(self) -> dict[str, list[Tensor]]:
        """Return the states of network and teachers, for a checkpoint."""
        return {"memory": list(self._state or ()), "taught": list(self._teacher_state or ())}

    def load_state_dict(self, state: Mapping[str, Any], batch: int) -> None:
        """Load the state of a checkpoint, except parts for another batch size or other teachers.

        Args:
            state: from a checkpoint.
            batch: mixes per step.
        """
        self._state = _if_fitting(state["memory"], self._model, batch)
        self._teacher_state = _if_fitting(state.get("taught", ()), self._teachers, batch)

    def _separate(
        self, model: TrainableSeparator, mix: Tensor, state: ModelState | None
    ) -> tuple[Tensor, ModelState]:
        """Return stems and the detached next state, both in full precision."""
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._is_half):
            estimates, after = model.separate(mix, state or model.initial_state(len(mix)))
        return estimates.float(), tuple(_widened(part.detach()) for part in after)


def without_bleed(taught: Tensor, stems: Tensor) -> Tensor:
    """Return the stems of a teacher, except those that are silent in a mix: there its output is bleed.

    Args:
        taught: the teacher's stems, ``(batch, stems, 2, frames)``.
        stems: the true stems, ``(batch, stems, 2, frames)``.
    """
    is_present = stems.abs().amax(dim=(2, 3), keepdim=True) > 0
    return taught * is_present


def _if_fitting(state: Sequence[Tensor], model: TrainableSeparator | None, batch: int) -> ModelState | None:
    initial = model.initial_state(batch) if model is not None else ()
    fits = [part.shape for part in state] == [part.shape for part in initial]
    return tuple(state) if state and fits else None


def _widened(part: Tensor) -> Tensor:
    return part.float() if part.dtype == torch.bfloat16 else part
