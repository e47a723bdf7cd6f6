"""The grouping of FFT bins: bins into mask bins that share a mask, mask bins into bands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.separators.causal.config import ZONES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.separators.causal.config import NetworkConfig

RATE = 44100
"""Frames per second that networks are trained at."""

_HIGHEST = 16
"""FFT bins per mask bin above the zones."""


@dataclass(frozen=True)
class BandLayout:
    """The layout of mask bins and bands.

    Attributes:
        zones: FFT bins per mask bin and number of mask bins, from the lowest frequency up; the last may lie above
            the spectrum.
        bands: number of bands, each of as many mask bins.
        mask_bin_of: int64 ``(bins,)``, the point that each bin belongs to.
        spans: int64 ``(mask_bins, 2)``, the first FFT bin of each mask bin and the one after its last; equal for a
            mask bin that lies wholly above the spectrum.
        widths: int64 ``(mask_bins,)``, FFT bins of each mask bin; at the training rate, some may lie above the
            spectrum.
    """

    zones: tuple[tuple[int, int], ...]
    bands: int
    mask_bin_of: NDArray[np.int64]
    spans: NDArray[np.int64]
    widths: NDArray[np.int64]

    @property
    def points(self) -> int:
        """Number of mask bins."""
        return sum(points for _, points in self.zones)

    @property
    def padded_bins(self) -> int:
        """FFT bins of all mask bins, at least those of the spectrum."""
        return sum(bins * points for bins, points in self.zones)


def plan_band_layout(size: NetworkConfig, sample_rate: int = RATE) -> BandLayout:
    """Group the FFT bins of a network by `ZONES`, as far up as its window has bins.

    At other sample rates than the training rate, mask bins keep their frequencies: one FFT bin may then belong to
    two mask bins, and everything above belongs to the last.

    Args:
        size: the network's configuration.
        sample_rate: frames per second of the stream.

    >>> from stream_sep.separators.causal.config import SIZES
    >>> plan = plan_band_layout(SIZES["live"])
    >>> plan.bands, plan.points, plan.padded_bins
    (39, 468, 2088)
    """
    zones: list[tuple[int, int]] = []
    left = size.bins
    for bins, points in ZONES:
        add = min(points, -(-left // bins)) // size.points * size.points
        if add:
            zones.append((bins, add))
            left -= bins * add
    if left > 0:
        zones.append((_HIGHEST, math.ceil(left / _HIGHEST / size.points) * size.points))
    widths = np.concatenate([np.full(points, bins) for bins, points in zones])
    ends = np.cumsum(widths)
    middles = (ends - widths + ends - 1) / 2
    mask_bin_of = np.repeat(np.arange(len(widths)), widths)[: size.bins]
    there = np.rint(np.arange(size.bins) * (sample_rate / RATE)).astype(int)
    mask_bin_of = mask_bin_of[np.minimum(there, size.bins - 1)]
    spans = np.searchsorted(mask_bin_of, [np.arange(len(widths)), np.arange(1, len(widths) + 1)]).T
    nearest = np.rint(middles * (RATE / sample_rate)).astype(int)
    alone = (spans[:, 0] == spans[:, 1]) & (nearest < mask_bin_of.argmax())
    spans[alone] = np.stack([nearest, nearest + 1], axis=1)[alone]
    if sample_rate != RATE:
        widths = np.maximum(spans[:, 1] - spans[:, 0], 1)
    grouped = (each.astype(np.int64) for each in (mask_bin_of, spans, widths))
    return BandLayout(tuple(zones), len(widths) // size.points, *grouped)
