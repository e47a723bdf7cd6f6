"""The kind ``unet``: masks from windows of a mix, for any groups of sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from stream_sep.errors import ConfigError
from stream_sep.separators.unet.loader import FORMAT, load_unet
from stream_sep.separators.unet.network import UNet
from stream_sep.separators.unet.windows import HOP, WINDOW, separate_song, separate_window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.separators.source_groups import SourceGroups
    from stream_sep.training.models import ModelState

_MAX_WINDOW = 2 * WINDOW  # frames that are still one window in training


class UNetTrainingModel(nn.Module):
    """A U-Net in training: a crop is a window; of longer sound, overlapping windows are joined, as in playback.

    Args:
        network: the network.
        stems: names of its groups.
    """

    def __init__(self, network: UNet, stems: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.stems = network, stems
        self.hop, self.context_frames, self.first_output_frame = HOP, 0, 0

    def initial_state(self, batch: int) -> ModelState:
        """Return no state: windows are independent."""
        del batch
        return ()

    def separate(self, mix: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """Return stems of all hops but the last; see `TrainableSeparator.separate`."""
        one = self.training and mix.shape[-1] <= _MAX_WINDOW
        stems = separate_window(self.network, mix) if one else separate_song(self.network, mix)
        return stems[..., : mix.shape[-1] - self.hop], state


class UNetKind:
    """Builds and loads U-Nets; see `Kind`."""

    format = FORMAT
    load_separator = staticmethod(load_unet)

    def build(self, table: Mapping[str, Any], groups: SourceGroups, inference_hop: int = 0) -> UNetTrainingModel:
        """Return a U-Net of random weights; see `Kind.build`."""
        if inference_hop:
            raise ConfigError(
                f"a U-Net plays in windows, not in hops of {inference_hop} frames; leave out inference_hop"
            )
        if unknown := sorted(set(table) - {"base"}):
            raise ConfigError(f"a U-Net has no setting {unknown[0]!r}; it has: base")
        base = table.get("base", 8)
        if type(base) is not int or base < 1:
            raise ConfigError(f"the U-Net's base must be a whole number from 1 up, not {base!r}")
        return UNetTrainingModel(UNet(base, 2, 2 * len(groups.stems)), groups.stems)

    def describe(self, model: Any) -> dict[str, Any]:  # noqa: ANN401 - a UNetTrainingModel
        """Return its sizes."""
        return {"base": model.network.base}


KIND = UNetKind()
