"""Dropout for a causal network in training, added from outside: the network at inference is unchanged.

With some activations missing at random, a network cannot overfit to a few of them (Srivastava et al. 2014).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from stream_sep.separators.causal.network import CausalNetwork


class Dropout:
    """Dropout of a network's inputs and activations, active in training mode.

    Args:
        network: it; it is given hooks, its weights stay as they are.
        dropout: share of the activations that are dropped, independently for each hop.
        input_dropout: share of each band's features and prior that is dropped for a whole crop.
        random: all chance, on the network's device.
    """

    def __init__(self, network: CausalNetwork, dropout: float, input_dropout: float, random: torch.Generator) -> None:
        self._dropout, self._input_dropout, self._random = dropout, input_dropout, random
        self._bands = network.plan.bands
        if input_dropout:
            network.register_forward_pre_hook(self._mask_input)
        if dropout:
            blocks: Iterable[Any] = network.blocks
            for block in blocks:
                for layer in (block.recall, block.narrow):
                    layer.register_forward_pre_hook(self._drop_input)
            network.blocks[0].register_forward_pre_hook(self._drop_input)
            network.hidden.register_forward_hook(self._drop_output)

    def _mask_input(self, network: Any, given: tuple[Any, ...]) -> tuple[Any, ...] | None:  # noqa: ANN401 - torch's hooks
        if not network.training:
            return None
        features, prior, *state = given
        return self._masked(features), self._masked(prior), *state

    def _masked(self, shown: Tensor) -> Tensor:
        batch, hops, rows, points = shown.shape
        kept = self._kept((batch, 1, rows, self._bands, 1), self._input_dropout, shown)
        return (shown.reshape(batch, hops, rows, self._bands, -1) * kept).reshape(batch, hops, rows, points)

    def _drop_input(self, layer: Any, given: tuple[Any, ...]) -> tuple[Any, ...] | None:  # noqa: ANN401 - as above
        x, *rest = given
        return (self._dropped(x), *rest) if layer.training else None

    def _drop_output(self, layer: Any, _given: Any, made: Tensor) -> Tensor | None:  # noqa: ANN401 - as above
        return self._dropped(made) if layer.training else None

    def _dropped(self, x: Tensor) -> Tensor:
        return x * self._kept(x.shape, self._dropout, x)

    def _kept(self, shape: tuple[int, ...], share: float, like: Tensor) -> Tensor:
        """Return 0 for dropped values, and the compensating gain for the others."""
        drawn = torch.rand(shape, device=like.device, generator=self._random)
        return (drawn >= share).to(like.dtype) / (1 - share)
