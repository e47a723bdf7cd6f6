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
from stream_sep.lab.trainee import CausalTrainee
from stream_sep.models.weights import load_weights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stream_sep.lab.trainee import Memory
    from stream_sep.models.network import CausalNetwork
    from stream_sep.models.size import NetworkSize


class Teachers(CausalTrainee):
    """Networks of which each has its own memory, and whose masks are averaged.

    Args:
        networks: at least one; they may differ in what does not show in their masks: width, blocks and mixer.

    Raises:
        ConfigError: they hear other hops, windows or points than the first one does.
    """

    def __init__(self, networks: Sequence[CausalNetwork]) -> None:
        super().__init__(networks[0].size, networks[0])
        for network in networks[1:]:
            if not self.hears_like(network):
                raise ConfigError(f"teachers must hear alike; {network.size} is not like {networks[0].size}")
        self._networks = nn.ModuleList(networks)
        self.requires_grad_(requires_grad=False)
        self.eval()

    @classmethod
    def load(cls, paths: Sequence[Path]) -> Teachers:
        """Read teachers from ``.safetensors`` files.

        Raises:
            ConfigError: they do not hear alike.
            SeparatorError: a file is missing, damaged, or no network of ours.
        """
        return cls([load_weights(path) for path in paths])

    def hears_like(self, network: CausalNetwork) -> bool:
        """Return whether a network answers the same hops, at the same points."""
        return _heard(network.size) == _heard(self.network.size)

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
