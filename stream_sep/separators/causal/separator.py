"""A causal network as a separator: STFT, masks, inverse STFT, hop by hop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.protocols import STEMS, Block, Stems
from stream_sep.separators.causal.band_layout import RATE, plan_band_layout
from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS, BandPrior
from stream_sep.separators.causal.bundled import bundled_weights
from stream_sep.separators.causal.compiled.runtime import CompiledRuntime
from stream_sep.separators.causal.masks import MASKED, apply_mask_residuals
from stream_sep.separators.causal.staggered_inference import StaggeredInference
from stream_sep.separators.causal.windows import lookback_windows
from stream_sep.separators.mid_side_stft import MidSideStft
from stream_sep.separators.rates import at_rate
from stream_sep.separators.weight_file import weights_needed

if TYPE_CHECKING:
    from stream_sep.protocols import Separator
    from stream_sep.separators.causal.config import NetworkConfig
    from stream_sep.separators.causal.runtimes import StepRuntime

RATES = (RATE, 48000)
"""Sample rates the networks run at; other streams are resampled to one of them."""

MAX_LATENCY_MS = {"instant": 6.0, "live": 23.0, "near": 105.0}
"""Name of a model -> its largest algorithmic latency."""


class CausalSeparator:
    """Separates stereo with a causal network; a `Separator`.

    ``other`` is the residual of the delayed mix. Hops may be shorter than those the network was trained for: it
    still runs at its training rate, spread over several hops, and its output is held in between, while the prior is
    computed in every hop.

    Args:
        runtime: computes the network.
        sample_rate: frames per second; at other rates than the training rate, mask bins keep their frequencies and
            hops last a little longer or shorter.
        hop: frames per step; the network's own by default, or that divided by a whole number.
    """

    compute_share = 0.25  # of the length of a hop; measured at half of that or less

    def __init__(self, runtime: StepRuntime, *, sample_rate: int = 44100, hop: int | None = None) -> None:
        size = runtime.size if hop is None else runtime.size.with_hop(hop)
        self.stems = STEMS
        self.sample_rate = sample_rate
        self.channels = 2
        self.hop = size.hop
        self.latency = size.latency
        self.weights = runtime.weights
        self._inference = StaggeredInference(runtime, runtime.size.hop // size.hop, sample_rate)
        windows = lookback_windows(size.window, size.hop, size.fade)
        self._frames = MidSideStft(size.hop, size.latency, *windows)
        self._point_of_bin = plan_band_layout(size, sample_rate).mask_bin_of
        self._prior_of = BandPrior(size, sample_rate)
        self._workspace = self._prior_of.workspace()
        self._prior = np.zeros(
            (size.lookahead + 1, PRIOR_CHANNELS, self._prior_of.points), np.float32
        )  # as the spectra
        self._spectra = np.zeros((size.lookahead + 1, 2, size.bins), np.complex64)  # of the last hops, oldest first
        self._masks = np.zeros((MASKED, self._prior_of.points), np.float32)
        self._parts = np.zeros((MASKED, 2, size.bins), np.complex64)
        self.reset()

    def process(self, block: Block) -> Stems:
        """Separate the next hop; shapes as in `Separator.process`."""
        for held in (self._spectra, self._prior):
            held[:-1] = held[1:]
        self._spectra[-1] = self._frames.analyze(block)
        self._prior_of.compute(self._spectra[-1:], self._prior_state, self._prior[-1:], self._workspace)
        outputs = self._inference.step(self._spectra[-1:], self._prior[:1])
        apply_mask_residuals(outputs, self._prior[0], self._point_of_bin, self._spectra[0], self._masks, self._parts)
        return self._frames.synthesize(self._parts)

    def reset(self) -> None:
        """Clear the state."""
        self._inference.reset()
        self._prior_state = self._prior_of.initial_state()
        self._frames.reset()
        self._spectra[:], self._prior[:] = 0.0, 0.0


def load_instant(*, sample_rate: int = 44100, weights: str | Path | None = None) -> Separator:
    """Load a network within 6 ms, at a quarter of the hop of `live`; see `load_causal`."""
    return load_causal("instant", sample_rate=sample_rate, weights=weights)


def load_live(*, sample_rate: int = 44100, weights: str | Path | None = None) -> Separator:
    """Load a network within 23 ms; see `load_causal`."""
    return load_causal("live", sample_rate=sample_rate, weights=weights)


def load_near(*, sample_rate: int = 44100, weights: str | Path | None = None) -> Separator:
    """Load a network with about 100 ms of look-ahead; see `load_causal`."""
    return load_causal("near", sample_rate=sample_rate, weights=weights)


def load_causal(name: str, *, sample_rate: int = 44100, weights: str | Path | None = None) -> Separator:
    """Load a causal network as a separator.

    Args:
        name: one of `MAX_LATENCY_MS`.
        sample_rate: frames per second of the stream, to 192000; twice and four times `RATES` cost a
            millisecond more, others are resampled and cost 40.
        weights: a ``.safetensors`` file; those that ship unless given. Where they are of a later network, it is
            played in shorter hops.

    Raises:
        SeparatorError: there are no weights, they cannot be used, or a package is missing.
        ConfigError: the weights are of a network that looks ahead for longer than the name's limit, or a value
            is invalid.
    """
    weights = bundled_weights(name) if weights is None else Path(weights)
    runtime = CompiledRuntime(weights)
    hop = longest_hop_within(runtime.size, MAX_LATENCY_MS[name])
    if hop is None:
        late = 1000 * runtime.size.algorithmic_latency / RATES[0]
        raise ConfigError(
            f"{weights} is a network of {late:.1f} ms, but {name!r} promises at most {MAX_LATENCY_MS[name]:g} ms; "
            f"load it as {_fitting(late)}"
        )
    return at_rate(lambda rate: CausalSeparator(runtime, sample_rate=rate, hop=hop), sample_rate, RATES, name=name)


def load_at_own_hop(*, sample_rate: int = 44100, weights: str | Path | None = None) -> Separator:
    """Load a causal network in its own hops, whatever their latency.

    Args:
        sample_rate: as for `load_causal`.
        weights: a ``.safetensors`` file.

    Raises:
        SeparatorError: there are no weights, or they cannot be used.
        ConfigError: an invalid value.
    """
    if weights is None:
        raise weights_needed("causal", "live")
    runtime = CompiledRuntime(Path(weights))
    return at_rate(lambda rate: CausalSeparator(runtime, sample_rate=rate), sample_rate, RATES, name="causal")


def longest_hop_within(size: NetworkConfig, limit_ms: float) -> int | None:
    """Return the longest hop within a latency limit: the network's own, or that halved up to three times.

    Args:
        size: the network's configuration.
        limit_ms: largest algorithmic latency.

    >>> from stream_sep.separators.causal.config import SIZES
    >>> [longest_hop_within(SIZES["live"], MAX_LATENCY_MS[name]) for name in ("live", "instant")]
    [512, 128]
    """
    hops = (size.hop >> halvings for halvings in range(4) if size.hop >> halvings << halvings == size.hop)
    for hop in hops:
        if 1000 * size.with_hop(hop).algorithmic_latency / RATES[0] <= limit_ms:
            return hop
        if size.lookahead:
            break
    return None


def _fitting(late: float) -> str:
    names = [repr(name) for name, limit in MAX_LATENCY_MS.items() if late <= limit]
    return names[0] if names else "a CausalSeparator of your own"
