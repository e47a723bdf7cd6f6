"""The baseline as a separator of the engine, to be scored and timed like ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.separators.rates import at_rate
from stream_sep.separators.weight_file import WeightStats, count_weights, read_weight_file, weights_needed
from stream_sep.training.baselines.hs_tasnet import HsTasnet
from stream_sep.training.baselines.hs_tasnet_kind import KIND

if TYPE_CHECKING:
    from torch import Tensor

    from stream_sep.protocols import Block, Separator, Stems

_HOP, _RATE = 512, 44100


class HsTasnetSeparator:
    """Runs an HS-TasNet hop by hop in torch; a `Separator`, 44.1 kHz, 512 frames late.

    The remainder of the mix goes to the last stem.

    Args:
        network: the network.
        threads: CPU threads, of the whole process.
    """

    _state: tuple[Tensor, ...]
    _tail: Stems  # (stems, channels, hop): the second half of the last window

    def __init__(self, network: HsTasnet, threads: int = 1) -> None:
        import torch  # noqa: PLC0415 - heavy, and only here when a model is

        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        self._torch, self._network = torch, network.eval()
        self.stems, self.sample_rate, self.channels = network.stems, _RATE, 2
        self.hop = self.latency = _HOP
        self._past = np.zeros((2, 2 * _HOP), np.float32)
        count = count_weights(network)
        self.weights = WeightStats(count, count * np.dtype(np.float32).itemsize)
        self.reset()

    def process(self, block: Block) -> Stems:
        """Separate the next hop; shapes as in `Separator.process`."""
        self._past[:, :_HOP] = self._past[:, _HOP:]
        self._past[:, _HOP:] = block
        with self._torch.inference_mode():
            frames, self._state = self._network.windows(self._torch.tensor(self._past)[None, None], self._state)
        window = frames[0, 0].numpy()
        stems: Stems = self._tail + window[..., :_HOP]
        self._tail = window[..., _HOP:].copy()
        stems[-1] = self._past[:, :_HOP] - stems[:-1].sum(axis=0)
        return stems

    def reset(self) -> None:
        """Clear the input history and the network's state."""
        self._past[:] = 0.0
        self._tail = np.zeros((len(self.stems), 2, _HOP), np.float32)
        self._state = self._network.initial_state(1)


def load_hs_tasnet(
    *, sample_rate: int = 44100, weights: str | Path | None = None, small: bool = True, threads: int = 1
) -> Separator:
    """Load the baseline.

    Args:
        sample_rate: frames per second of the stream; others than 44100 are resampled.
        weights: a ``.safetensors`` file of a training, or ``random``, which takes the same time.
        small: with random weights: HS-TasNet-Small.
        threads: CPU threads, of the whole process.

    Raises:
        SeparatorError: there are no weights, or they cannot be used.
        ConfigError: a sample rate that makes no sense.
    """
    if weights is None:
        raise weights_needed("hs-tasnet", "hs-tasnet-small")
    if weights == "random":
        network = HsTasnet(small=small)
    else:
        file = read_weight_file(Path(weights), KIND.format)
        network = KIND.build(file.sizes, file.groups)
        file.fill(network)
    return at_rate(lambda _rate: HsTasnetSeparator(network, threads), sample_rate, (_RATE,), name="hs-tasnet")
