"""The state of `bands`, and its constants for one sample rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stream_sep.separators.bands.medians import new_padding

if TYPE_CHECKING:
    from numpy.typing import NDArray

TINY = 1e-100
"""Power added to everything: keeps logarithms finite and averages out of denormal numbers, far below any sound."""


class BandsConfig(NamedTuple):
    """Constants of the measurement, for one sample rate.

    Shape:
        low, high: ``(bins,)``, the band around each bin over which onsets and levels are averaged.
        share: ``(bins,)``, of each bin in its band.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    share: NDArray[np.float64]
    kick: int  # bins below belong to `low_onset`
    hiss: int  # bins above belong to `high_onset`
    top: int
    short: float  # share of the newest spectrum in the averages of the channels' similarity
    slow: float  # in the averages that onsets are measured against
    long: float  # in the averages over seconds
    ring: float  # decay of an onset per hop
    fall: float  # decay of the peak spectrum per hop


class BandsState(NamedTuple):
    """State carried from hop to hop; `initial_bands_state` makes the first."""

    powers: NDArray[np.float64]  # (3, bins): mid, side and their product, averaged
    logs: NDArray[np.float64]  # (3, bins): log power now, its slow and its long average
    ring: NDArray[np.float32]  # (hops, bins): the past of the log power
    ordered: NDArray[np.float32]  # (hops, bins): the same, every bin from the least to the greatest
    at: NDArray[np.int64]  # (1,): the oldest in the ring
    sums: NDArray[np.float64]  # (bins + 1,): scratch
    totals: NDArray[np.float64]  # (5,): long mid, side, product; loudest and average spectrum
    struck: NDArray[np.float64]  # (bins + 2,): decaying onsets; the last two of low and of high ones
    rows: NDArray[np.float64]  # (3, bins): scratch
    levels: NDArray[np.float32]  # (4, bins): scratch of the medians
    padding: NDArray[np.float32]  # scratch of the percussive one


def make_config(sample_rate: int, window: int, hop: int) -> BandsConfig:
    """Return the constants for spectra of ``window`` frames, every ``hop`` frames.

    Args:
        sample_rate: frames per second.
        window: frames of the analysis window.
        hop: frames per hop.
    """
    bins = np.arange(window // 2 + 1)
    width = sample_rate / window

    def share(seconds: float) -> float:
        return 1 - math.exp(-hop / (seconds * sample_rate))

    low, high = np.maximum(bins - 2, 0) * 8 // 9, np.minimum((bins + 3) * 9 // 8, len(bins))
    return BandsConfig(
        low=low,
        high=high,
        share=1.0 / (high - low),
        kick=max(2, round(150 / width)),
        hiss=min(round(2500 / width), len(bins) - 2),
        top=min(round(12000 / width), len(bins)),
        short=share(0.02),
        slow=share(0.12),
        long=share(1.5),
        ring=math.exp(-hop / (0.08 * sample_rate)),
        fall=math.exp(-hop / (4.0 * sample_rate)),
    )


def initial_bands_state(bins: int, hops: int) -> BandsState:
    """Return the state after silence, for medians over ``hops`` hops.

    Args:
        bins: FFT bins.
        hops: hops of the harmonic median.
    """
    silence = math.log(TINY)
    return BandsState(
        powers=np.full((3, bins), TINY),
        logs=np.full((3, bins), silence),
        ring=np.full((hops, bins), silence, np.float32),
        ordered=np.full((hops, bins), silence, np.float32),
        at=np.zeros(1, np.int64),
        sums=np.zeros(bins + 1),
        totals=np.full(5, TINY),
        struck=np.zeros(bins + 2),
        rows=np.zeros((3, bins)),
        levels=np.zeros((4, bins), np.float32),
        padding=new_padding(bins),
    )
