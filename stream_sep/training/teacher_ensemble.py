"""Trained networks that answer together, for another to learn from: the mean of several errs less than each of them.

Trained on few songs, networks know different things by heart; what they agree on holds for other songs too. Another
that learns to answer as their mean does, alone, costs what one costs (Hinton et al. 2015).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from stream_sep.errors import ConfigError
from stream_sep.separators.causal.weights import load_weights
from stream_sep.training.models import CausalTrainee, shared_part

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stream_sep.separators.causal.config import NetworkSize
    from stream_sep.separators.causal.network import CausalNetwork
    from stream_sep.training.models import Memory


class Teachers(nn.Module):
    """Networks of which each has its own memory, and whose stems are averaged; a trainee that is not trained.

    Args:
        networks: at least one; all answer in hops of one length. Those that hear alike are measured once for all.

    Raises:
        ConfigError: there is none, or their hops differ.
    """

    def __init__(self, networks: Sequence[CausalNetwork]) -> None:
        super().__init__()
        alike: dict[NetworkSize, list[CausalNetwork]] = {}
        for network in networks:
            alike.setdefault(_heard(network.size), []).append(network)
        hops = {size.hop for size in alike}
        if len(hops) != 1:
            raise ConfigError(f"teachers answer in hops of one length, not of {sorted(hops)} frames")
        self._classes = nn.ModuleList(_Class(each) for each in alike.values())
        self.hop = hops.pop()
        self.past = max(each.past for each in self._each())
        self.start = max(each.start for each in self._each())
        self.requires_grad_(requires_grad=False)
        self.eval()

    @classmethod
    def load(cls, paths: Sequence[Path]) -> Teachers:
        """Read teachers from ``.safetensors`` files.

        Raises:
            ConfigError: their hops differ.
            SeparatorError: a file is missing, damaged, or no network of ours.
        """
        return cls([load_weights(path) for path in paths])

    def fresh_state(self, batch: int) -> Memory:
        """Return the state before the first frame: that of each class in turn."""
        return tuple(part for each in self._each() for part in each.fresh_state(batch))

    def separate(self, mix: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """Return the mean of all networks' stems, and the state to go on with; see `Trainee.separate`."""
        said: list[tuple[Tensor, int]] = []
        after: list[Tensor] = []
        for each in self._each():
            own, state = state[: each.parts], state[each.parts :]
            stems, kept = each.separate(mix, own)
            said.append((stems * (each.members / self._members), each.start))
            after.extend(kept)
        return torch.stack(shared_part(said, self.start)).sum(dim=0), tuple(after)

    @property
    def _members(self) -> int:
        return sum(each.members for each in self._each())

    def _each(self) -> list[_Class]:
        return cast("list[_Class]", list(self._classes))


class _Class(CausalTrainee):
    """Networks that hear alike, in the same hops, windows and points, so that the mean of their masks will do."""

    def __init__(self, networks: Sequence[CausalNetwork]) -> None:
        super().__init__(networks[0].size, networks[0])
        self._networks = nn.ModuleList(networks)
        self.members = len(networks)
        self.parts = len(self.fresh_state(1))

    def fresh_state(self, batch: int) -> Memory:
        """Return the state before the first frame: what the meters remember, and each network."""
        measured = super().fresh_state(batch)[:2]
        return *measured, *(part for network in self._each() for part in network.fresh_state(batch))

    def _each(self) -> list[CausalNetwork]:
        return cast("list[CausalNetwork]", list(self._networks))

    def _mask(self, features: Tensor, hints: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        masks: list[Tensor] = []
        after: list[Tensor] = []
        for network in self._each():
            own, state = state[: network.size.blocks], state[network.size.blocks :]
            made, kept = self._masks_by(network, features, hints, own)
            masks.append(made)
            after.extend(kept)
        return torch.stack(masks).mean(dim=0), tuple(after)


def _heard(size: NetworkSize) -> NetworkSize:
    return dataclasses.replace(size, width=1, blocks=1, mixer=1)
