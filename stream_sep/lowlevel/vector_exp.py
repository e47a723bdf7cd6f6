"""The exponential function for compiled loops: `math.exp` calls a library, this is computed many at a time."""

from __future__ import annotations

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_fastmath

LOG2_E = np.float32(np.log2(np.e))
LIMIT = np.float32(126.0)
"""Powers of two from minus so many to so many are numbers of float32."""

_ONE, _HALF = np.float32(1.0), np.float32(0.5)


@njit_fastmath
def exponential(x: np.float32) -> np.float32:
    """Return e to the power of ``x``, right to a few millionths of it; of less than -87 or more than 87, as of these.

    A power of two times the Taylor series of the rest.
    """
    power = min(max(x * LOG2_E, -LIMIT), LIMIT)
    whole = np.floor(power + _HALF)
    rest = power - whole
    series = np.float32(1.5403530e-4)
    series = series * rest + np.float32(1.3333558e-3)
    series = series * rest + np.float32(9.6181291e-3)
    series = series * rest + np.float32(5.5504109e-2)
    series = series * rest + np.float32(2.4022651e-1)
    series = series * rest + np.float32(6.9314718e-1)
    series = series * rest + _ONE
    return np.float32(series * power_of_two(whole))


@njit_fastmath
def power_of_two(whole: np.float32) -> np.float32:
    """Return 2 to a whole power of -126 to 127, which is the exponent in its bits."""
    return np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
