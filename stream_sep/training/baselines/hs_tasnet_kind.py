"""The kind ``hs-tasnet``: a baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError
from stream_sep.training.baselines.hs_tasnet import HsTasnet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.protocols import Separator
    from stream_sep.separators.source_groups import SourceGroups


class HsTasnetKind:
    """Builds and loads HS-TasNets; see `Kind`."""

    format = "stream_sep hs-tasnet 1"

    def build(self, table: Mapping[str, Any], groups: SourceGroups, inference_hop: int = 0) -> HsTasnet:
        """Return an HS-TasNet of random weights; see `Kind.build`."""
        if inference_hop:
            raise ConfigError(
                f"an HS-TasNet cannot be trained for hops of {inference_hop} frames; leave out inference_hop"
            )
        return HsTasnet.from_table(dict(table), groups.stems)

    def describe(self, model: Any) -> dict[str, Any]:  # noqa: ANN401 - an HsTasnet
        """Return its sizes."""
        return {
            "small": model.small,
            "hidden": model.spectral_in.out_features,
            "basis": model.wave_down.in_features,
        }

    def load_separator(self, **options: Any) -> Separator:  # noqa: ANN401 - those of `load_hs_tasnet`
        """Load weights as a separator; see `load_hs_tasnet`."""
        from stream_sep.training.baselines.hs_tasnet_separator import load_hs_tasnet  # noqa: PLC0415 - it imports this

        return load_hs_tasnet(**options)


KIND = HsTasnetKind()
