"""The `bands` separator: four stems without a network, within 25 ms or 6 ms."""

from __future__ import annotations

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.protocols import STEMS, Block, Stems
from stream_sep.separators.bands.cues import CUES, measure_cues
from stream_sep.separators.bands.masks import apply_masks, find_masks, spread_weights
from stream_sep.separators.bands.state import initial_bands_state, make_config
from stream_sep.separators.mid_side_stft import MidSideStft

LATENCY_MS = 25.0
"""Largest length of the synthesis window, which sets the latency."""

MAX_ANALYSIS_SECONDS = 0.1
"""Largest length of the analysis window in seconds: resolves bass notes, costs compute but no latency."""

_MIN_RATE, _MAX_RATE = 8000, 192000
_MIN_MS, _MAX_MS = 3.0, 50.0


class BandsSeparator:
    """Separates stereo by panning, onsets and harmonicity; a `Separator`.

    `cues` measures a long spectrum, `masks` turns the cues into soft masks for mid and side, and a short synthesis
    window follows. The two windows differ (Mauler and Martin 2007; Wang et al. 2021): the long one resolves
    neighbouring notes, and only the short one adds latency. ``other`` is the residual of the delayed mix.

    Args:
        sample_rate: frames per second, 8000 to 192000. Windows keep their length in seconds, within a factor of 2.
        latency_ms: largest algorithmic latency, 3 to 50 ms. Longer is better; 6 costs 0.3 dB against 25.

    Raises:
        ConfigError: a value out of its range.

    >>> bands = BandsSeparator(sample_rate=96000)
    >>> bands.hop, bands.latency
    (512, 1536)
    >>> instant = BandsSeparator(latency_ms=6)
    >>> instant.hop, instant.latency
    (128, 128)
    """

    compute_share = 0.25  # of the length of a hop; measured at half of that or less

    def __init__(self, *, sample_rate: int = 44100, latency_ms: float = LATENCY_MS) -> None:
        if not _MIN_RATE <= sample_rate <= _MAX_RATE:
            raise ConfigError(
                f"bands: a sample rate of {sample_rate} Hz is not from {_MIN_RATE} to {_MAX_RATE}; "
                f"open the sound device at 44100 or 48000"
            )
        if not (isinstance(latency_ms, (int, float)) and _MIN_MS <= latency_ms <= _MAX_MS):
            raise ConfigError(f"bands: latency_ms={latency_ms!r} is not from {_MIN_MS:g} to {_MAX_MS:g}; try 6 or 25")
        synthesis = _power_of_two(latency_ms / 1000 * sample_rate)
        window = analysis_frames(sample_rate)
        self.stems = STEMS
        self.sample_rate = sample_rate
        self.channels = 2
        overlap = 4 if synthesis >= window // 4 else 2
        self.hop = synthesis // overlap
        self.latency = synthesis - self.hop
        self._frames = MidSideStft(self.hop, self.latency, *asymmetric_windows(window, synthesis, overlap))
        self._layout = make_config(sample_rate, window, self.hop)
        self._median_hops = median_hops(window, self.hop)
        self._weights = spread_weights(sample_rate, window)
        self._parts = np.zeros((len(STEMS) - 1, 2, window // 2 + 1), np.complex64)
        self._cues = np.zeros((len(CUES), window // 2 + 1), np.float32)
        self._masks = np.zeros((2, len(STEMS) - 1, window // 2 + 1), np.float32)
        self.reset()

    def process(self, block: Block) -> Stems:
        """Separate the next hop; shapes as in `Separator.process`."""
        spectra = self._frames.analyze(block)
        measure_cues(spectra[0], spectra[1], self._layout, self._state, self._cues)
        find_masks(self._cues, self._weights, self._masks)
        apply_masks(self._masks, self._state.powers, spectra, self._parts)
        return self._frames.synthesize(self._parts)

    def reset(self) -> None:
        """Clear the past spectra, their averages and the overlap-add tails."""
        self._state = initial_bands_state(self._cues.shape[1], self._median_hops)
        self._frames.reset()


def analysis_frames(sample_rate: int) -> int:
    """Return the length of the analysis window, whatever the latency: at least twice that of the synthesis window.

    >>> analysis_frames(44100)
    4096
    """
    return _power_of_two(MAX_ANALYSIS_SECONDS * sample_rate)


def median_hops(window: int, hop: int) -> int:
    """Return the hops of the harmonic median: from the first to the last frame of an analysis window.

    Args:
        window: frames of the analysis window.
        hop: frames per hop.

    >>> median_hops(4096, 256)
    17
    """
    return window // hop + 1


def asymmetric_windows(length: int, synthesis: int, overlap: int = 4) -> tuple[Block, Block]:
    """Return an analysis window of ``length`` frames and the synthesis window for its last ``synthesis`` frames.

    The first rises slowly over the past and falls within half a synthesis window; their product is a Hann window,
    of which ``overlap``, 2 or more, add up to 1 when evenly spread (Mauler and Martin 2007).

    Args:
        length: frames of the analysis window.
        synthesis: frames of the synthesis window.
        overlap: how many synthesis windows overlap, 2 or more.

    >>> analysis, synthesis = asymmetric_windows(32, 8)
    >>> (analysis[-8:] * synthesis).reshape(4, 2).sum(axis=0).round(6).tolist()
    [1.0, 1.0]
    """
    rise = length - synthesis // 2
    rising = np.sin(np.pi / 2 * (np.arange(rise) + 0.5) / rise)
    falling = np.cos(np.pi * (np.arange(synthesis // 2) + 0.5) / synthesis)
    analysis = np.concatenate([rising, falling])
    hann = np.sin(np.pi * (np.arange(synthesis) + 0.5) / synthesis) ** 2
    return analysis.astype(np.float32), (hann / analysis[-synthesis:] * (2 / overlap)).astype(np.float32)


def _power_of_two(frames: float) -> int:
    return 1 << int(np.log2(frames))
