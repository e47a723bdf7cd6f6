"""How the bins of a spectrum are grouped: into points that share a mask, and points into bands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.models.size import ZONES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.models.size import NetworkSize

_HIGHEST = 16
"""Bins a point above the zones."""


@dataclass(frozen=True)
class PointPlan:
    """Which bins belong together.

    Attributes:
        zones: bins a point and points, from the lowest frequency up; their last points may lie above the spectrum.
        bands: how many bands there are, all of as many points.
        point_of_bin: int64 ``(bins,)``, the point that each bin belongs to.
    """

    zones: tuple[tuple[int, int], ...]
    bands: int
    point_of_bin: NDArray[np.int64]

    @property
    def points(self) -> int:
        """How many points there are."""
        return sum(points for _, points in self.zones)

    @property
    def widths(self) -> NDArray[np.int64]:
        """Bins of each point, ``(points,)``; those of the last may lie above the spectrum."""
        return np.concatenate([np.full(points, bins) for bins, points in self.zones])

    @property
    def starts(self) -> NDArray[np.int64]:
        """The first bin of each point, and where the last one ends, ``(points + 1,)``."""
        return np.searchsorted(self.point_of_bin, np.arange(self.points + 1))

    @property
    def padded_bins(self) -> int:
        """Bins of all points, at least those of the spectrum."""
        return sum(bins * points for bins, points in self.zones)


def plan_points(size: NetworkSize) -> PointPlan:
    """Group the bins of a size as `ZONES` says, as far up as its window has bins.

    >>> from stream_sep.models.size import SIZES
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
    point_of_bin = np.repeat(np.arange(len(widths)), widths)[: size.bins]
    return PointPlan(tuple(zones), len(widths) // size.points, point_of_bin.astype(np.int64))
