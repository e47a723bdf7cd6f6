"""What `bands` hears: a few cues for every frequency bin of the newest spectrum, none of which knows the level.

The cues follow Fitzgerald (2010, harmonic and percussive medians; here the harmonic one sees the past only), Avendano
(2003, similarity of the channels as a sign of where a sound stands) and Driedger et al. (2014, what is neither).
Powers are float64: a mix at 1e-30 must be heard like one at 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stream_sep.compiled import compiled, inlined
from stream_sep.separators.bands_memory import TINY

if TYPE_CHECKING:
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    from stream_sep.separators.bands_memory import Layout, Memory

    Spectrum: TypeAlias = NDArray[np.complex64]
    Cues: TypeAlias = NDArray[np.float32]

CUES = (
    "constant",
    "mono",  # 1 where both channels carry one signal all the time: nothing stands anywhere
    "centre",  # log of mid over side
    "clear_centre",  # what of it is beyond the range of `centre`
    "panned",  # how far from the middle the bin stands
    "percussive",  # median over frequency against median over the past
    "onset",  # of the band: against its slow average
    "low_onset",  # of everything up to kick drums
    "high_onset",  # of everything from the snares' noise on
    "tonal",  # the bin against its band
    "sustained",  # slow average against long average
    "loud",  # the band against the whole, over seconds
    "struck",  # fading memory of `onset`
    "low_struck",
    "high_struck",
    "noisy",  # how even the band is
    "beside",  # what of `panned` is close to one channel alone
)
"""Names of the cues, in their order. Each is about -1 to 1, and 0 where nothing is known."""

_RANGE = 25.0
"""Nepers of power below the loudest recent spectrum at which a bin counts as silent: about 108 dB."""


@compiled
def measure_cues(mid: Spectrum, side: Spectrum, layout: Layout, memory: Memory, cues: Cues) -> None:
    """Measure the cues, ``(cues, bins)`` float32, of the spectra ``mid`` and ``side``, ``(bins,)`` complex."""
    floor = _take_powers(mid, side, layout, memory)
    _place(memory, cues)
    _find_onsets(layout, memory, floor, cues)
    _compare_medians(memory, cues)
    _compare_bands(layout, memory, cues)


@inlined
def _clip(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)


@inlined
def _take_powers(mid: Spectrum, side: Spectrum, layout: Layout, memory: Memory) -> float:
    totals = memory.totals
    mid_sum = side_sum = both_sum = energy = 0.0
    for k in range(len(mid)):
        a, b = complex(mid[k]), complex(side[k])
        p = a.real * a.real + a.imag * a.imag
        q = b.real * b.real + b.imag * b.imag
        r = a.real * b.real + a.imag * b.imag
        memory.powers[0, k] += layout.short * (p + TINY - memory.powers[0, k])
        memory.powers[1, k] += layout.short * (q + TINY - memory.powers[1, k])
        memory.powers[2, k] += layout.short * (r + TINY * 1e-6 - memory.powers[2, k])
        memory.logs[0, k] = math.log(p + q + TINY)
        mid_sum, side_sum, both_sum = mid_sum + k * p, side_sum + k * q, both_sum + k * r
        energy += p + q
    totals[0] += layout.long * (mid_sum + TINY - totals[0])
    totals[1] += layout.long * (side_sum + TINY * 1e-6 - totals[1])
    totals[2] += layout.long * (both_sum + TINY * 1e-6 - totals[2])
    totals[3] = max(totals[3] * layout.fall, energy + TINY)
    totals[4] += layout.long * (energy + TINY - totals[4])
    return math.log(totals[3]) - _RANGE


@inlined
def _place(memory: Memory, cues: Cues) -> None:
    totals, powers = memory.totals, memory.powers
    trace = totals[0] + totals[1]
    spread = 4 * max(totals[0] * totals[1] - totals[2] * totals[2], 0.0) / (trace * trace)
    width = spread / (spread + 0.01)  # 0 where both channels carry one signal: then nothing stands anywhere
    for k in range(cues.shape[1]):
        ratio = math.log(powers[0, k] / powers[1, k])
        cues[0, k] = 1.0
        cues[1, k] = 1.0 - width
        cues[2, k] = width * _clip(ratio, 3.0) / 3
        cues[3, k] = width * min(max(ratio - 2.0, 0.0), 5.0) / 5
        cues[4, k] = width * 2 * abs(powers[2, k]) / (powers[0, k] + powers[1, k])
        cues[16, k] = max(cues[4, k] - 0.8, 0.0) * 5


@inlined
def _find_onsets(layout: Layout, memory: Memory, floor: float, cues: Cues) -> None:
    now, slow, long = memory.logs
    sums = memory.sums
    for k in range(len(now)):
        now[k] = max(now[k], floor)
        sums[k + 1] = sums[k] + _clip(now[k] - max(slow[k], floor), 4.0)
        slow[k] = max(slow[k], floor) + layout.slow * (now[k] - max(slow[k], floor))
        long[k] = max(long[k], floor) + layout.long * (now[k] - max(long[k], floor))
    low = sums[layout.kick] / layout.kick
    high = (sums[layout.top] - sums[layout.hiss]) / max(layout.top - layout.hiss, 1)
    struck = memory.struck
    struck[-2] = max(struck[-2] * layout.ring, low / 2, 1e-9)
    struck[-1] = max(struck[-1] * layout.ring, high / 2, 1e-9)
    for k in range(len(now)):
        band = (sums[layout.high[k]] - sums[layout.low[k]]) / (layout.high[k] - layout.low[k])
        struck[k] = max(struck[k] * layout.ring, band / 2, 1e-9)
        cues[6, k], cues[7, k], cues[8, k] = band / 2, low / 2, high / 2
        cues[10, k] = _clip(slow[k] - long[k], 4.0) / 2
        cues[12, k], cues[13, k], cues[14, k] = struck[k], struck[-2], struck[-1]


@inlined
def _compare_medians(memory: Memory, cues: Cues) -> None:
    now = memory.logs[0]
    hops = memory.ring.shape[1]
    at = memory.at[0]
    for k in range(len(now)):
        _replace(memory.sorted[k], memory.ring[k, at], now[k])
        memory.ring[k, at] = now[k]
        cues[5, k] = -memory.sorted[k, hops // 2]
    memory.at[0] = (at + 1) % hops
    window = memory.window
    size = len(window)
    window[:] = now[0]
    for k in range(len(now) + len(window) // 2):
        _replace(window, now[max(k - size, 0)], now[min(k, len(now) - 1)])
        if k >= len(window) // 2:
            cues[5, k - len(window) // 2] = _clip(window[len(window) // 2] + cues[5, k - len(window) // 2], 4.0) / 4


@inlined
def _replace(ordered: NDArray[np.float64], old: float, new: float) -> None:
    # One value leaves an ordered list and one enters: shifting what lies between costs less than sorting anew.
    i = 0
    while ordered[i] != old:
        i += 1
    while i + 1 < len(ordered) and ordered[i + 1] < new:
        ordered[i] = ordered[i + 1]
        i += 1
    while i > 0 and ordered[i - 1] > new:
        ordered[i] = ordered[i - 1]
        i -= 1
    ordered[i] = new


@inlined
def _compare_bands(layout: Layout, memory: Memory, cues: Cues) -> None:
    now, sums = memory.logs[0], memory.sums
    average = math.log(memory.totals[4])
    for k in range(len(now)):
        sums[k + 1] = sums[k] + now[k]
    for k in range(len(now)):
        band = (sums[layout.high[k]] - sums[layout.low[k]]) / (layout.high[k] - layout.low[k])
        cues[9, k] = _clip(now[k] - band, 4.0) / 4
        cues[11, k] = _clip(band - average + 8.0, 12.0) / 4
    for k in range(len(now)):
        sums[k + 1] = sums[k] + abs(cues[9, k])
    for k in range(len(now)):
        cues[15, k] = 1 - 4 * (sums[layout.high[k]] - sums[layout.low[k]]) / (layout.high[k] - layout.low[k])
