"""The kind ``frame-transformer``: causal attention over frames, any groups of sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError
from stream_sep.separators.frame_transformer.config import config_from
from stream_sep.separators.frame_transformer.loader import FORMAT, load_frame_transformer
from stream_sep.separators.frame_transformer.network import FrameTransformer
from stream_sep.training.causal import CausalTrainingModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.separators.source_groups import SourceGroups


class FrameTransformerKind:
    """Builds and loads frame transformers; see `Kind`."""

    format = FORMAT
    load_separator = staticmethod(load_frame_transformer)

    def build(self, table: Mapping[str, Any], groups: SourceGroups, inference_hop: int = 0) -> CausalTrainingModel:
        """Return a frame transformer of random weights; see `Kind.build`."""
        config = config_from(table)
        if inference_hop not in (0, config.hop):
            raise ConfigError(
                f"a frame transformer plays in its own hops of {config.hop} frames, not of {inference_hop}; "
                "leave out inference_hop, and choose hop and fade in [network]"
            )
        network = FrameTransformer(config, len(groups.stems))
        return CausalTrainingModel(config.front_end, network, groups=groups, prior=config.hints)

    def describe(self, model: Any) -> dict[str, Any]:  # noqa: ANN401 - a CausalTrainingModel
        """Return its sizes."""
        table: dict[str, Any] = model.network.config.to_dict()
        return table


KIND = FrameTransformerKind()
