"""U-Nets from files of weights, as separators of the engine: in short windows live, in overlapping ones for files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stream_sep.errors import ConfigError
from stream_sep.separators.overlap_add import OverlapAddSeparator
from stream_sep.separators.rates import at_rate
from stream_sep.separators.source_groups import FOUR
from stream_sep.separators.torch_device import prepare_torch
from stream_sep.separators.weight_file import WeightStats, count_weights, read_weight_file, weights_needed
from stream_sep.separators.windowed import WindowedSeparator

if TYPE_CHECKING:
    from stream_sep.protocols import Separator
    from stream_sep.separators.unet.windows import UNetWindows

FORMAT = "stream_sep unet 1"
"""Written into every file of weights; another number is another design."""

_RATE = 44100


class UNetSeparator(WindowedSeparator):
    """Runs a U-Net once per hop over a window that ends at the newest frame; a `Separator`.

    Args:
        windows: the network.
        weights: how many weights it has.
        context_ms: past before the hop.
        hop_ms: how often it runs.
        lookahead_ms: future behind the kept part.
    """

    def __init__(
        self, windows: UNetWindows, weights: WeightStats, *, context_ms: float, hop_ms: float, lookahead_ms: float
    ) -> None:
        context, hop, lookahead = (round(ms * _RATE / 1000) for ms in (context_ms, hop_ms, lookahead_ms))
        fade = min(_RATE // 100, max(hop, 1))
        super().__init__(windows, context=context, hop=hop, lookahead=lookahead, fade=fade)
        self._windows, self.weights = windows, weights

    def for_files(self) -> Separator:
        """Return the same network for files: windows of 2 s that overlap by half, with no seam."""
        from stream_sep.separators.unet.windows import WINDOW  # noqa: PLC0415 - torch is heavy

        return OverlapAddSeparator(self._windows, WINDOW)


def load_unet(
    *,
    sample_rate: int = 44100,
    weights: str | Path | None = None,
    base: int = 8,
    threads: int = 1,
    device: str = "cpu",
    context_ms: float = 1250.0,
    hop_ms: float = 250.0,
    lookahead_ms: float = 250.0,
) -> Separator:
    """Load a U-Net.

    Args:
        sample_rate: frames per second of the stream; others than 44100 are resampled.
        weights: a ``.safetensors`` file of a training, or ``random``, for timing only.
        base: with random weights: channels of the first level.
        threads: CPU threads, of the whole process.
        device: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest that is here.
        context_ms: live: past that each window shows.
        hop_ms: live: how often it runs.
        lookahead_ms: live: future that each window shows.

    Raises:
        SeparatorError: there are no weights, or they cannot be used.
        ConfigError: an invalid value.
    """
    if weights is None:
        raise weights_needed("unet", "unet-cpu")
    if base < 1:
        raise ConfigError(f"a U-Net needs at least 1 channel, not {base}")
    device = prepare_torch(device, threads)
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    from stream_sep.separators.unet.network import UNet  # noqa: PLC0415 - as torch
    from stream_sep.separators.unet.windows import UNetWindows  # noqa: PLC0415 - as torch

    torch.set_flush_denormal(True)
    if weights == "random":
        network, stems = UNet(base, 2, 2 * len(FOUR.stems)), FOUR.stems
        loaded = WeightStats(count_weights(network), 4 * count_weights(network))
    else:
        file = read_weight_file(Path(weights), FORMAT)
        stems = file.groups.stems
        network = UNet(base=file.size("base"), inputs=2, outputs=2 * len(stems))
        loaded = file.fill(network)
    windows = UNetWindows(network, stems, device)
    sizes = {"context_ms": context_ms, "hop_ms": hop_ms, "lookahead_ms": lookahead_ms}
    return at_rate(lambda _rate: UNetSeparator(windows, loaded, **sizes), sample_rate, (_RATE,), name="unet")
