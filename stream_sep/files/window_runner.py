"""Runs one window through one network, on the device and in the precision that were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream_sep.protocols import Block, Stems


class WindowRunner:
    """Calls networks.

    Args:
        device: where torch computes.
        precision: as in `Recipe`.
    """

    def __init__(self, device: str, precision: str) -> None:
        self._device = device
        self._precision = precision

    def __call__(self, network: Any, window: Block) -> Stems:  # noqa: ANN401 - torch modules are untyped here
        """Return all sources, ``(sources, channels, frames)``, of a window, ``(channels, frames)``."""
        import torch  # noqa: PLC0415 - heavy, and only here when a model is

        with torch.inference_mode():
            network.to(self._device)
            mix = torch.from_numpy(window)[None].to(self._device)
            stems: Stems = network(mix)[0].float().cpu().numpy()
        return stems
