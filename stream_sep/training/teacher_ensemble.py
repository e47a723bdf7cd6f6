"""An ensemble of trained networks as teacher: the mean of several outputs has less error than each of them.

Trained on few songs, networks overfit each in their own way; their agreement generalizes. A network trained on
their mean costs as much as one (Hinton et al. 2015, knowledge distillation).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from stream_sep.errors import ConfigError
from stream_sep.separators.causal.network import CausalNetwork
from stream_sep.training.causal import CausalTrainingModel
from stream_sep.training.kinds import load_model
from stream_sep.training.models import align_crops

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stream_sep.separators.causal.config import NetworkConfig
    from stream_sep.training.models import ModelState


class TeacherEnsemble(nn.Module):
    """Networks of any kinds, each with its own state, whose stems are averaged; it is never trained itself.

    Args:
        models: at least one `TrainableSeparator`; all have hops of one length and the same stems. Causal networks
            with the same front end share its cost.

    Raises:
        ConfigError: there is none, or their hops or stems differ.
    """

    def __init__(self, models: Sequence[Any]) -> None:
        super().__init__()
        hops = {model.hop for model in models}
        if len(hops) != 1:
            raise ConfigError(f"all teachers must have the same hop, not {sorted(hops)} frames")
        if len({tuple(model.stems) for model in models}) != 1:
            raise ConfigError("all teachers must have the same stems; leave out those of other groups")
        self._groups = nn.ModuleList(_grouped(models))
        self.hop, self.stems = hops.pop(), tuple(models[0].stems)
        self.context_frames = max(each.context_frames for each in self._each())
        self.first_output_frame = max(each.first_output_frame for each in self._each())
        self.requires_grad_(requires_grad=False)
        self.eval()

    @classmethod
    def load(cls, paths: Sequence[Path], trusted: str = "") -> TeacherEnsemble:
        """Read teachers from ``.safetensors`` files.

        Args:
            paths: the files.
            trusted: a kind of one's own that they may be of; see `load_model`.

        Raises:
            ConfigError: their hops or stems differ.
            SeparatorError: a file is missing, damaged, or of no known kind.
        """
        return cls([load_model(path, trusted)[1] for path in paths])

    @property
    def network(self) -> nn.Module:
        """All of it."""
        return self

    def initial_state(self, batch: int) -> ModelState:
        """Return the state before the first frame: that of each group in turn."""
        return tuple(part for each in self._each() for part in each.initial_state(batch))

    def separate(self, mix: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """Return the mean of all networks' stems, and the next state; see `TrainableSeparator.separate`."""
        members = sum(each.members for each in self._each())
        weighted: list[tuple[Tensor, int]] = []
        after: list[Tensor] = []
        for each in self._each():
            own, state = state[: each.parts], state[each.parts :]
            stems, kept = each.separate(mix, own)
            weighted.append((stems * (each.members / members), each.first_output_frame))
            after.extend(kept)
        return torch.stack(align_crops(weighted, self.first_output_frame)).sum(dim=0), tuple(after)

    def _each(self) -> list[Any]:
        return list(self._groups)


def _grouped(models: Sequence[Any]) -> list[nn.Module]:
    """Group causal networks with one front end; every other model is a group by itself."""
    front_ends: dict[NetworkConfig, list[CausalNetwork]] = {}
    alone: list[nn.Module] = []
    for model in models:
        if isinstance(model.network, CausalNetwork):
            front_ends.setdefault(_front_end(model.network.size), []).append(model.network)
        else:
            model.members, model.parts = 1, len(model.initial_state(1))
            alone.append(model)
    return [*map(_ArchitectureGroup, front_ends.values()), *alone]


class _ArchitectureGroup(CausalTrainingModel):
    """Causal networks with the same hops, windows and mask points, so that their masks can be averaged."""

    def __init__(self, networks: Sequence[CausalNetwork]) -> None:
        super().__init__(networks[0].size, networks[0])
        self._networks = nn.ModuleList(networks)
        self.members = len(networks)
        self.parts = len(self.initial_state(1))

    def _network_state(self, batch: int) -> ModelState:
        return tuple(part for network in self._each() for part in network.initial_state(batch))

    def _each(self) -> list[CausalNetwork]:
        return cast("list[CausalNetwork]", list(self._networks))

    def _mask(self, features: Tensor, prior: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        masks: list[Tensor] = []
        after: list[Tensor] = []
        for network in self._each():
            parts = len(network.initial_state(1))
            own, state = state[:parts], state[parts:]
            made, kept = self._masks_by(network, features, prior, own)
            masks.append(made)
            after.extend(kept)
        return torch.stack(masks).mean(dim=0), tuple(after)


def _front_end(size: NetworkConfig) -> NetworkConfig:
    return dataclasses.replace(size, width=1, blocks=1, mixer=1, conv_channels=0)
