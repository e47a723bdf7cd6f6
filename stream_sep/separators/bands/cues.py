"""The features of `bands`: a few cues for every frequency bin of the newest spectrum, all invariant to level.

The cues follow Fitzgerald (2010, harmonic and percussive medians; here the harmonic one sees the past only), Avendano
(2003, similarity of the channels as a sign of the position of a source) and Driedger et al. (2014, the residual).
Powers are float64: a mix at 1e-30 must give the same cues as one at 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stream_sep.lowlevel.numba_intrinsics import njit_always_inline, njit_cached, njit_fastmath
from stream_sep.lowlevel.vector_math import logarithm
from stream_sep.separators.bands.medians import copy_row, median_beside, median_of_past
from stream_sep.separators.bands.state import TINY

if TYPE_CHECKING:
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    from stream_sep.separators.bands.state import BandsConfig, BandsState

    Spectrum: TypeAlias = NDArray[np.complex64]
    Cues: TypeAlias = NDArray[np.float32]
    Cue: TypeAlias = NDArray[np.float32]
    Row: TypeAlias = NDArray[np.float64]

CUES = (
    "constant",
    "mono",  # 1 where both channels carry one signal all the time: no source has a position
    "centre",  # log of mid over side
    "clear_centre",  # its part beyond the range of `centre`
    "panned",  # distance of the bin from the centre
    "percussive",  # median over frequency against median over the past
    "onset",  # of the band: against its slow average
    "low_onset",  # of everything up to kick drums
    "high_onset",  # of everything from the snares' noise on
    "tonal",  # the bin against its band
    "sustained",  # slow average against long average
    "loud",  # the band against the whole, over seconds
    "struck",  # decaying maximum of `onset`
    "low_struck",
    "high_struck",
    "noisy",  # how even the band is
    "beside",  # the part of `panned` that is close to one channel
)
"""Names of the cues, in their order. Each is about -1 to 1, and 0 where nothing is known."""

RANGE = 25.0
"""Nepers of power below the loudest recent spectrum at which a bin counts as silent: about 108 dB."""


@njit_cached
def measure_cues(mid: Spectrum, side: Spectrum, layout: BandsConfig, state: BandsState, cues: Cues) -> None:
    """Measure the cues, ``(cues, bins)`` float32, of the spectra ``mid`` and ``side``, ``(bins,)`` complex.

    Args:
        mid: complex64 ``(bins,)``.
        side: complex64 ``(bins,)``.
        layout: constants of the sample rate.
        state: the state, updated in place.
        cues: float32 ``(cues, bins)``, which is written.
    """
    floor = _take_powers(mid, side, layout, state)
    _place(state, cues)
    _find_onsets(layout, state, floor, cues)
    _compare_medians(state, cues)
    _compare_bands(layout, state, cues)


@njit_always_inline
def _clip(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)


@njit_always_inline
def _take_powers(mid: Spectrum, side: Spectrum, layout: BandsConfig, state: BandsState) -> float:
    totals, powers = state.totals, state.powers
    p, q, r = state.rows[0], state.rows[1], state.rows[2]
    _multiply(mid, mid, p)
    _multiply(side, side, q)
    _multiply(mid, side, r)
    _follow(p, TINY, layout.short, powers[0])
    _follow(q, TINY, layout.short, powers[1])
    _follow(r, TINY * 1e-6, layout.short, powers[2])
    totals[0] += layout.long * (_moment(p) + TINY - totals[0])
    totals[1] += layout.long * (_moment(q) + TINY * 1e-6 - totals[1])
    totals[2] += layout.long * (_moment(r) + TINY * 1e-6 - totals[2])
    energy = _sum(p) + _sum(q)
    totals[3] = max(totals[3] * layout.fall, energy + TINY)
    totals[4] += layout.long * (energy + TINY - totals[4])
    floor = math.log(totals[3]) - RANGE
    _measure_levels(p, q, floor, state.logs[0])
    return floor


@njit_always_inline
def _place(state: BandsState, cues: Cues) -> None:
    totals, powers = state.totals, state.powers
    trace = totals[0] + totals[1]
    spread = 4 * max(totals[0] * totals[1] - totals[2] * totals[2], 0.0) / (trace * trace)
    width = spread / (spread + 0.01)  # 0 where both channels carry one signal: then no source has a position
    cues[0], cues[1] = 1.0, 1.0 - width
    _compare_sides(powers[0], powers[1], width, cues[2], cues[3])
    _find_places(powers[0], powers[1], powers[2], width, cues[4], cues[16])


@njit_always_inline
def _find_onsets(layout: BandsConfig, state: BandsState, floor: float, cues: Cues) -> None:
    now, slow, long = state.logs[0], state.logs[1], state.logs[2]
    rise, band = state.rows[0], state.rows[1]
    sums, struck = state.sums, state.struck
    _rise(now, slow, floor, rise)
    _follow_above(now, floor, layout.slow, slow)
    _follow_above(now, floor, layout.long, long)
    _add_up(rise, sums)
    _average(sums, layout.low, layout.high, layout.share, band)
    low = sums[layout.kick] / layout.kick
    high = (sums[layout.top] - sums[layout.hiss]) / max(layout.top - layout.hiss, 1)
    struck[-2] = max(struck[-2] * layout.ring, low / 2, 1e-9)
    struck[-1] = max(struck[-1] * layout.ring, high / 2, 1e-9)
    _strike(band, layout.ring, struck, cues[6], cues[12])
    cues[7], cues[8], cues[13], cues[14] = low / 2, high / 2, struck[-2], struck[-1]
    _compare(slow, long, 4.0, 0.5, cues[10])


@njit_always_inline
def _compare_medians(state: BandsState, cues: Cues) -> None:
    now, past, beside, scratch = state.levels[0], state.levels[1], state.levels[2], state.levels[3]
    copy_row(state.logs[0], now)
    median_of_past(now, state.at[0], state.ring, state.ordered, scratch, past)
    state.at[0] = (state.at[0] + 1) % len(state.ring)
    median_beside(now, state.padding, beside)
    _compare(beside, past, 4.0, 0.25, cues[5])


@njit_always_inline
def _compare_bands(layout: BandsConfig, state: BandsState, cues: Cues) -> None:
    now, sums = state.logs[0], state.sums
    band, uneven, average = state.rows[0], state.rows[1], state.rows[2]
    average[:] = math.log(state.totals[4]) - 8.0
    _add_up(now, sums)
    _average(sums, layout.low, layout.high, layout.share, band)
    _compare(now, band, 4.0, 0.25, cues[9])
    _compare(band, average, 12.0, 0.25, cues[11])
    _be_positive(cues[9], uneven)
    _add_up(uneven, sums)
    _average(sums, layout.low, layout.high, layout.share, band)
    _be_noisy(band, cues[15])


# Loops over all bins. Each sees few rows, so that a compiler can prove that they do not overlap, and vectorize.


@njit_fastmath
def _multiply(one: Spectrum, other: Spectrum, product: Row) -> None:
    for k in range(len(product)):
        a, b = complex(one[k]), complex(other[k])
        product[k] = a.real * b.real + a.imag * b.imag


@njit_fastmath
def _follow(row: Row, tiny: float, share: float, average: Row) -> None:
    for k in range(len(row)):
        average[k] += share * (row[k] + tiny - average[k])


@njit_fastmath
def _follow_above(row: Row, floor: float, share: float, average: Row) -> None:
    for k in range(len(row)):
        before = max(average[k], floor)
        average[k] = before + share * (row[k] - before)


@njit_fastmath
def _moment(row: Row) -> float:
    total = 0.0
    for k in range(len(row)):
        total += k * row[k]
    return total


@njit_fastmath
def _sum(row: Row) -> float:
    total = 0.0
    for k in range(len(row)):
        total += row[k]
    return total


@njit_fastmath
def _measure_levels(p: Row, q: Row, floor: float, levels: Row) -> None:
    for k in range(len(levels)):
        levels[k] = max(logarithm(p[k] + q[k] + TINY), floor)


@njit_fastmath
def _compare_sides(mid: Row, side: Row, width: float, centre: Cue, clear: Cue) -> None:
    for k in range(len(mid)):
        ratio = logarithm(mid[k] / side[k])
        centre[k] = width * _clip(ratio, 3.0) / 3
        clear[k] = width * min(max(ratio - 2.0, 0.0), 5.0) / 5


@njit_fastmath
def _find_places(  # noqa: PLR0917 - compiled code has no objects
    mid: Row, side: Row, both: Row, width: float, panned: Cue, beside: Cue
) -> None:
    for k in range(len(mid)):
        place = width * 2 * abs(both[k]) / (mid[k] + side[k])
        panned[k] = place
        beside[k] = max(place - 0.8, 0.0) * 5


@njit_fastmath
def _rise(now: Row, slow: Row, floor: float, rise: Row) -> None:
    for k in range(len(now)):
        rise[k] = _clip(now[k] - max(slow[k], floor), 4.0)


@njit_always_inline
def _add_up(row: Row, sums: Row) -> None:
    for k in range(len(row)):
        sums[k + 1] = sums[k] + row[k]


@njit_fastmath
def _average(sums: Row, low: NDArray[np.int64], high: NDArray[np.int64], share: Row, band: Row) -> None:
    for k in range(len(band)):
        band[k] = (sums[high[k]] - sums[low[k]]) * share[k]


@njit_fastmath
def _strike(band: Row, ring: float, struck: Row, onset: Cue, fading: Cue) -> None:
    for k in range(len(band)):
        onset[k] = band[k] / 2
        struck[k] = max(struck[k] * ring, band[k] / 2, 1e-09)
        fading[k] = struck[k]


@njit_fastmath
def _compare(one: Row, other: Row, limit: float, scale: float, cue: Cue) -> None:
    for k in range(len(cue)):
        cue[k] = _clip(one[k] - other[k], limit) * scale


@njit_fastmath
def _be_positive(cue: Cue, row: Row) -> None:
    for k in range(len(row)):
        row[k] = abs(cue[k])


@njit_fastmath
def _be_noisy(uneven: Row, cue: Cue) -> None:
    for k in range(len(cue)):
        cue[k] = 1 - 4 * uneven[k]
