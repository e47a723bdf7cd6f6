"""How the bins of a spectrum are grouped: into points that share a mask, and points into bands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.separators.causal.config import ZONES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.separators.causal.config import NetworkSize

RATE = 44100
"""Frames per second that networks are trained at."""

_HIGHEST = 16
"""Bins a point above the zones."""


@dataclass(frozen=True)
class PointPlan:
    """Which bins belong together.

    Attributes:
        zones: bins a point and points, from the lowest frequency up; their last points may lie above the spectrum.
        bands: how many bands there are, all of as many points.
        point_of_bin: int64 ``(bins,)``, the point that each bin belongs to.
        spans: int64 ``(points, 2)``, the first bin of each point, and the one after its last; of a point that lies
            wholly above the spectrum they are the same.
        widths: int64 ``(points,)``, bins of each point; at the rate of training, some may lie above the spectrum.
    """

    zones: tuple[tuple[int, int], ...]
    bands: int
    point_of_bin: NDArray[np.int64]
    spans: NDArray[np.int64]
    widths: NDArray[np.int64]

    @property
    def points(self) -> int:
        """How many points there are."""
        return sum(points for _, points in self.zones)

    @property
    def padded_bins(self) -> int:
        """Bins of all points, at least those of the spectrum."""
        return sum(bins * points for bins, points in self.zones)


def plan_points(size: NetworkSize, sample_rate: int = RATE) -> PointPlan:
    """Group the bins of a size as `ZONES` says, as far up as its window has bins.

    At another sample rate than the networks are trained at, points stand at the frequencies they have there: a bin
    may then be all there is of two points, and what lies above is of the last one.

    >>> from stream_sep.separators.causal.config import SIZES
    >>> plan = plan_points(SIZES["live"])
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
    point_of_bin = np.repeat(np.arange(len(widths)), widths)[: size.bins]
    there = np.rint(np.arange(size.bins) * (sample_rate / RATE)).astype(int)
    point_of_bin = point_of_bin[np.minimum(there, size.bins - 1)]
    spans = np.searchsorted(point_of_bin, [np.arange(len(widths)), np.arange(1, len(widths) + 1)]).T
    nearest = np.rint(middles * (RATE / sample_rate)).astype(int)
    alone = (spans[:, 0] == spans[:, 1]) & (nearest < point_of_bin.argmax())
    spans[alone] = np.stack([nearest, nearest + 1], axis=1)[alone]
    if sample_rate != RATE:
        widths = np.maximum(spans[:, 1] - spans[:, 0], 1)
    grouped = (each.astype(np.int64) for each in (point_of_bin, spans, widths))
    return PointPlan(tuple(zones), len(widths) // size.points, *grouped)
