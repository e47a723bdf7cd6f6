"""Frame transformers from files of weights, as separators of the engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stream_sep.errors import ConfigError
from stream_sep.separators.frame_transformer.config import MAX_WINDOW_SECONDS, FrameTransformerConfig, config_from
from stream_sep.separators.frame_transformer.ring_step import RingStep
from stream_sep.separators.frame_transformer.separator import FrameTransformerSeparator, WholeWindows
from stream_sep.separators.rates import at_rate
from stream_sep.separators.source_groups import FOUR, SourceGroups
from stream_sep.separators.torch_device import prepare_torch
from stream_sep.separators.weight_file import WeightStats, count_weights, read_weight_file, weights_needed
from stream_sep.separators.windowed import WindowedSeparator

if TYPE_CHECKING:
    from torch import Tensor

    from stream_sep.protocols import Block, Separator
    from stream_sep.separators.frame_transformer.network import FrameTransformer

FORMAT = "stream_sep frame transformer 1"
"""Written into every file of weights; another number is another design."""

RATES = (44100, 48000)


class PlayingStep:
    """Runs a frame transformer; a `NetworkStep`: single hops in rings, several at once with torch.

    Args:
        network: it.
        groups: the source groups of its stems.
        weights: how many weights it has.
        device: where torch computes; the rings are on the CPU.
    """

    def __init__(
        self, network: FrameTransformer, groups: SourceGroups, weights: WeightStats, device: str = "cpu"
    ) -> None:
        import torch  # noqa: PLC0415 - heavy, and only here when a model is

        torch.set_flush_denormal(True)
        self.config, self.groups, self.weights = network.config, groups, weights
        tensors = {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
        self._ring = RingStep(network.config, tensors) if network.config.form == "causal" else None
        self._torch, self._device, self._network = torch, device, network.to(device).eval()
        self.reset()

    def reset(self) -> None:
        """Go back to the state before the first hop."""
        self._state = self._network.initial_state(1)
        self._is_in_ring = self._ring is not None
        if self._ring is not None:
            self._ring.reset()

    def __call__(self, features: Block, prior: Block) -> Block:
        """Return corrections, ``(hops, 2, outputs, points)``; see `NetworkStep`."""
        if self._ring is not None and len(features) == 1:
            if not self._is_in_ring:
                self._ring.load([tensor[0].cpu().numpy() for tensor in self._state])
                self._is_in_ring = True
            return self._ring(features[0], prior[0])[None]
        if self._ring is not None and self._is_in_ring:
            self._state = tuple(self._to_device(array) for array in self._ring.state())
            self._is_in_ring = False
        with self._torch.inference_mode():
            corrections, self._state = self._network(self._to_device(features), self._to_device(prior), self._state)
            made: Block = corrections[0].cpu().numpy()
        return made

    def _to_device(self, array: Block) -> Tensor:
        return self._torch.from_numpy(array)[None].to(self._device)


def load_frame_transformer(
    *,
    sample_rate: int = 44100,
    weights: str | Path | None = None,
    size: str = "s",
    threads: int = 1,
    device: str = "cpu",
    window_seconds: float | None = None,
) -> Separator:
    """Load a frame transformer.

    Args:
        sample_rate: frames per second of the stream, to 192000; twice and four times 44100 and 48000 cost a
            millisecond more, others are resampled and cost 40.
        weights: a ``.safetensors`` file of a training, or ``random``, for timing only.
        size: with random weights: one of the sizes of a frame transformer.
        threads: CPU threads, of the whole process.
        device: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest that is here; for files, and for a network of
            the form ``whole``: single hops of a stream are faster on the CPU.
        window_seconds: of a network of the form ``whole``: length of its window; that of its training unless given.
            Half of a window is kept, a quarter on each side is context.

    Raises:
        SeparatorError: there are no weights, or they cannot be used.
        ConfigError: an invalid value.
    """
    if weights is None:
        raise weights_needed("frame-transformer", "frame-transformer-cpu")
    step = _load_step(weights, size, prepare_torch(device, threads))
    if step.config.form == "whole":
        seconds = step.config.window_seconds if window_seconds is None else window_seconds
        return at_rate(lambda rate: _windowed(step, rate, seconds), sample_rate, RATES, name="frame-transformer")
    return at_rate(
        lambda rate: FrameTransformerSeparator(step, sample_rate=rate), sample_rate, RATES, name="frame-transformer"
    )


def _load_step(weights: str | Path, size: str, device: str) -> PlayingStep:
    if weights == "random":
        network = _build(config_from({"size": size}), FOUR)
        count = count_weights(network)
        return PlayingStep(network, FOUR, WeightStats(count, 4 * count), device)
    file = read_weight_file(Path(weights), FORMAT)
    network = _build(config_from(file.sizes), file.groups)
    return PlayingStep(network, file.groups, file.fill(network), device)


def _build(config: FrameTransformerConfig, groups: SourceGroups) -> FrameTransformer:
    from stream_sep.separators.frame_transformer.network import FrameTransformer  # noqa: PLC0415 - torch is heavy

    return FrameTransformer(config, len(groups.stems))


def _windowed(step: PlayingStep, rate: int, seconds: float) -> WindowedSeparator:
    if not 0 < seconds < MAX_WINDOW_SECONDS:
        raise ConfigError(f"a window of {seconds:g} s is not possible; try 8")
    separator = FrameTransformerSeparator(step, sample_rate=rate)
    quarter = max(int(seconds * rate / 4), separator.hop)
    fade = rate // 100
    return WindowedSeparator(
        WholeWindows(separator), context=quarter, hop=2 * quarter, lookahead=quarter - fade, fade=fade
    )
