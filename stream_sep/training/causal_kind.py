"""The kind ``causal``: the network that ships, trained for the four stems."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError
from stream_sep.separators.causal.config import config_from
from stream_sep.separators.causal.separator import load_at_own_hop
from stream_sep.separators.causal.weights import KIND as FORMAT
from stream_sep.separators.source_groups import FOUR
from stream_sep.training.causal import CausalTrainingModel
from stream_sep.training.dropout import Dropout

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from stream_sep.separators.source_groups import SourceGroups


class CausalKind:
    """Builds and loads causal networks; see `Kind`."""

    format = FORMAT
    load_separator = staticmethod(load_at_own_hop)

    def build(self, table: Mapping[str, Any], groups: SourceGroups, inference_hop: int = 0) -> CausalTrainingModel:
        """Return a causal network of random weights; see `Kind.build`."""
        if groups != FOUR:
            raise ConfigError(
                f"a causal network separates vocals, drums, bass and other, not {', '.join(groups.stems)}; "
                'use kind = "frame-transformer" or "unet", or leave out groups'
            )
        return CausalTrainingModel(config_from(table), inference_hop=inference_hop)

    def describe(self, model: Any) -> dict[str, Any]:  # noqa: ANN401 - a CausalTrainingModel
        """Return its sizes."""
        return asdict(model.network.size)

    def add_dropout(self, model: Any, dropout: float, input_dropout: float, random: torch.Generator) -> None:  # noqa: ANN401 - as above
        """Add dropout of inputs and activations, active in training mode; see `Dropout`.

        Args:
            model: the model.
            dropout: share of hidden values left out.
            input_dropout: share of inputs left out for a whole mix.
            random: source of randomness.
        """
        Dropout(model.network, dropout, input_dropout, random)


KIND = CausalKind()
