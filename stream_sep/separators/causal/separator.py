"""A causal network as a separator of the engine: spectra of the past in, masked sound out, hop by hop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.protocols import STEMS, Block, Stems
from stream_sep.separators.causal.band_layout import RATE, plan_points
from stream_sep.separators.causal.band_prior import HINTS, HintMeter
from stream_sep.separators.causal.bundled import shipped_weights
from stream_sep.separators.causal.masks import MASKED, apply_corrections
from stream_sep.separators.causal.runtimes import open_runtime
from stream_sep.separators.causal.staggered_inference import Asking
from stream_sep.separators.causal.windows import analysis_and_synthesis
from stream_sep.separators.mid_side_stft import MidSideFrames
from stream_sep.separators.rates import at_rate
from stream_sep.separators.weight_file import weights_needed

if TYPE_CHECKING:
    from stream_sep.protocols import Separator
    from stream_sep.separators.causal.config import NetworkSize
    from stream_sep.separators.causal.runtimes import StepRuntime

RATES = (RATE, 48000)
"""Sample rates that the networks are trained for; other streams are brought to one of them."""

LIMITS_MS = {"instant": 6.0, "live": 23.0, "near": 105.0}
"""Name of a model -> the algorithmic latency it promises at most."""


class CausalSeparator:
    """Splits stereo with a causal network, whose masks fade in and out with a short window; a `Separator`.

    ``other`` is what the rest leaves of the delayed mix. Hops may be shorter than those the network was trained for:
    it is still asked as often as it was trained to be, over several hops, and what it says holds until it answers
    again, while the guess that it corrects is a new one in every hop.

    Args:
        runtime: computes the network.
        sample_rate: frames per second; at another rate than that of training the network hears the same pitches, of
            hops that last a little longer or shorter.
        hop: frames per step; the network's own unless given, else that over a whole number.
    """

    compute_share = 0.25  # of the length of a hop; measured at half of that or less

    def __init__(self, runtime: StepRuntime, *, sample_rate: int = 44100, hop: int | None = None) -> None:
        size = runtime.size if hop is None else runtime.size.played_at(hop)
        self.stems = STEMS
        self.sample_rate = sample_rate
        self.channels = 2
        self.hop = size.hop
        self.latency = size.latency
        self.weights = runtime.weights
        self._asking = Asking(runtime, runtime.size.hop // size.hop, sample_rate)
        windows = analysis_and_synthesis(size.window, size.hop, size.fade)
        self._frames = MidSideFrames(size.hop, size.latency, *windows)
        self._point_of_bin = plan_points(size, sample_rate).point_of_bin
        self._meter = HintMeter(size, sample_rate)
        self._scratch = self._meter.scratch()
        self._hints = np.zeros((size.lookahead + 1, HINTS, self._meter.points), np.float32)  # as the spectra
        self._spectra = np.zeros((size.lookahead + 1, 2, size.bins), np.complex64)  # of the last hops, oldest first
        self._masks = np.zeros((MASKED, self._meter.points), np.float32)
        self._parts = np.zeros((MASKED, 2, size.bins), np.complex64)
        self.reset()

    def process(self, block: Block) -> Stems:
        """Separate the next hop; shapes as in `Separator.process`."""
        for held in (self._spectra, self._hints):
            held[:-1] = held[1:]
        self._spectra[-1] = self._frames.take(block)
        self._meter.measure(self._spectra[-1:], self._heard, self._hints[-1:], self._scratch)
        corrections = self._asking.hear(self._spectra[-1:], self._hints[:1])
        apply_corrections(corrections, self._hints[0], self._point_of_bin, self._spectra[0], self._masks, self._parts)
        return self._frames.give(self._parts)

    def reset(self) -> None:
        """Forget the past and what the network remembers of it."""
        self._asking.reset()
        self._heard = self._meter.fresh_memory()
        self._frames.reset()
        self._spectra[:], self._hints[:] = 0.0, 0.0


def load_instant(*, sample_rate: int = 44100, weights: str | Path | None = None, threads: int = 1) -> Separator:
    """Load a network that is heard within 6 ms, one as that of `live` in shorter hops; see `load_causal`."""
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
        sample_rate: frames per second of the stream, to 192000; twice and four times `RATES` cost a
            millisecond more, others are resampled and cost 40.
        weights: an ``.onnx`` file for playing, or ``.safetensors`` of a training; those that ship unless given. Where
            they are of a later network, it is played in shorter hops.
        threads: CPU threads for weights of a training; those for playing need one.

    Raises:
        SeparatorError: there are no weights, they cannot be used, or a package is missing.
        ConfigError: the weights are of a network that looks ahead for longer than the name promises, or a value
            makes no sense.
    """
    weights = shipped_weights(name) if weights is None else Path(weights)
    runtime = open_runtime(weights, threads)
    hop = hop_within(runtime.size, LIMITS_MS[name])
    if hop is None:
        late = 1000 * runtime.size.algorithmic / RATES[0]
        raise ConfigError(
            f"{weights} is a network of {late:.1f} ms, but {name!r} promises at most {LIMITS_MS[name]:g} ms; "
            f"load it as {_fitting(late)}"
        )
    return at_rate(lambda rate: CausalSeparator(runtime, sample_rate=rate, hop=hop), sample_rate, RATES, name=name)


def load_at_own_hop(*, sample_rate: int = 44100, weights: str | Path | None = None, threads: int = 1) -> Separator:
    """Load a causal network in its own hops, whatever their latency.

    Args:
        sample_rate: as for `load_causal`.
        weights: an ``.onnx`` or ``.safetensors`` file.
        threads: as for `load_causal`.

    Raises:
        SeparatorError: there are no weights, or they cannot be used.
        ConfigError: a value makes no sense.
    """
    if weights is None:
        raise weights_needed("causal", "live")
    runtime = open_runtime(Path(weights), threads)
    return at_rate(lambda rate: CausalSeparator(runtime, sample_rate=rate), sample_rate, RATES, name="causal")


def hop_within(size: NetworkSize, limit_ms: float) -> int | None:
    """Return the longest hop with which a network is heard in time: its own, or that halved up to three times.

    >>> from stream_sep.separators.causal.config import SIZES
    >>> hop_within(SIZES["live"], LIMITS_MS["live"]), hop_within(SIZES["live"], LIMITS_MS["instant"])
    (512, 128)
    """
    hops = (size.hop >> halvings for halvings in range(4) if size.hop >> halvings << halvings == size.hop)
    for hop in hops:
        if 1000 * size.played_at(hop).algorithmic / RATES[0] <= limit_ms:
            return hop
        if size.lookahead:
            break
    return None


def _fitting(late: float) -> str:
    names = [repr(name) for name, limit in LIMITS_MS.items() if late <= limit]
    return names[0] if names else "a CausalSeparator of your own"
