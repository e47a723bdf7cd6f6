"""A causal network as a separator of the engine: spectra of the past in, masked sound out, hop by hop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.models.points import plan_points
from stream_sep.models.runtimes import open_runtime
from stream_sep.models.shipped import shipped_weights
from stream_sep.models.windows import analysis_and_synthesis
from stream_sep.protocols import STEMS, Block, Stems
from stream_sep.separators.mid_side import MidSideFrames
from stream_sep.separators.resampled import ResampledSeparator

if TYPE_CHECKING:
    from stream_sep.models.runtimes import StepRuntime, StepState
    from stream_sep.protocols import Separator

RATES = (44100, 48000)
"""Sample rates that the networks are trained for; other streams are resampled to one of them."""

LIMITS_MS = {"instant": 6.0, "live": 23.0, "near": 105.0}
"""Name of a model -> the algorithmic latency it promises at most."""

_MASKED = len(STEMS) - 1
_HIGHEST_RATE = 192000


class CausalSeparator:
    """Splits stereo with a causal network, whose masks fade in and out with a short window; a `Separator`.

    ``other`` is what the rest leaves of the delayed mix.

    Args:
        runtime: computes the network.
        sample_rate: frames per second; the same frames are heard as other pitches at another rate, nothing else.
    """

    _state: StepState

    def __init__(self, runtime: StepRuntime, *, sample_rate: int = 44100) -> None:
        size = runtime.size
        self.stems = STEMS
        self.sample_rate = sample_rate
        self.channels = 2
        self.hop = size.hop
        self.latency = size.latency
        self._runtime = runtime
        windows = analysis_and_synthesis(size.window, size.hop, size.fade)
        self._frames = MidSideFrames(size.hop, size.latency, *windows)
        self._point_of_bin = plan_points(size).point_of_bin
        self._given = np.zeros((1, 1, 4, size.bins), np.float32)
        self._spectra = np.zeros((size.lookahead + 1, 2, size.bins), np.complex64)  # of the last hops, oldest first
        self._masks = np.zeros((_MASKED, 2, plan_points(size).points), np.complex64)
        self.reset()

    def process(self, block: Block) -> Stems:
        """Separate the next hop; shapes as in `Separator.process`."""
        self._spectra[:-1] = self._spectra[1:]
        newest = self._spectra[-1] = self._frames.take(block)
        self._given[0, 0, 0::2], self._given[0, 0, 1::2] = newest.real, newest.imag
        masks, self._state = self._runtime.step(self._given, self._state)
        self._masks.real, self._masks.imag = masks[0, 0, :, :, 0], masks[0, 0, :, :, 1]
        return self._frames.give(np.take(self._masks, self._point_of_bin, axis=2) * self._spectra[0])

    def reset(self) -> None:
        """Forget the past and what the network remembers of it."""
        self._state = self._runtime.fresh_state()
        self._frames.reset()
        self._spectra[:] = 0.0


def load_instant(*, sample_rate: int = 44100, weights: str | Path | None = None, threads: int = 1) -> Separator:
    """Load a network that is heard within 6 ms; see `load_causal`."""
    return load_causal("instant", sample_rate=sample_rate, weights=weights, threads=threads)


def load_live(*, sample_rate: int = 44100, weights: str | Path | None = None, threads: int = 1) -> Separator:
    """Load a network that is heard within 23 ms; see `load_causal`."""
    return load_causal("live", sample_rate=sample_rate, weights=weights, threads=threads)


def load_near(*, sample_rate: int = 44100, weights: str | Path | None = None, threads: int = 1) -> Separator:
    """Load a network that looks ahead for about 100 ms; see `load_causal`."""
    return load_causal("near", sample_rate=sample_rate, weights=weights, threads=threads)


def load_causal(
    name: str, *, sample_rate: int = 44100, weights: str | Path | None = None, threads: int = 1
) -> Separator:
    """Load a causal network as a separator.

    Args:
        name: one of `LIMITS_MS`.
        sample_rate: frames per second of the stream, to 192000; those not in `RATES` are reached by resampling.
        weights: an ``.onnx`` file for playing, or ``.safetensors`` of a training; those that ship unless given.
        threads: CPU threads for the network.

    Raises:
        SeparatorError: there are no weights, they cannot be used, or a package is missing.
        ConfigError: the weights are of a network that is later than the name promises, or a value makes no sense.
    """
    if not 1 <= sample_rate <= _HIGHEST_RATE:
        raise ConfigError(f"{name}: a sample rate of {sample_rate} Hz is not from 1 to {_HIGHEST_RATE}; try 44100")
    inner_rate = next((rate for rate in RATES if sample_rate % rate == 0), RATES[0])
    weights = shipped_weights(name) if weights is None else Path(weights)
    runtime = open_runtime(weights, threads)
    late = 1000 * runtime.size.algorithmic / RATES[0]
    if late > LIMITS_MS[name]:
        raise ConfigError(
            f"{weights} is a network of {late:.1f} ms, but {name!r} promises at most {LIMITS_MS[name]:g} ms; "
            f"load it as {_fitting(late)}"
        )
    separator = CausalSeparator(runtime, sample_rate=inner_rate)
    return separator if sample_rate == inner_rate else ResampledSeparator(separator, sample_rate)


def _fitting(late: float) -> str:
    names = [repr(name) for name, limit in LIMITS_MS.items() if late <= limit]
    return names[0] if names else "a CausalSeparator of your own"
