"""The logarithm for compiled loops: `math.log` calls a library, this is computed many at a time."""

from __future__ import annotations

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_fastmath

_LOG_2, _ROOT_2 = float(np.log(2)), float(np.sqrt(2))
_EXPONENT, _MANTISSA, _ONE = 52, 2**52 - 1, 1023 << 52  # of the bits of a float64
_BIAS = np.int32(1023)


@njit_fastmath
def logarithm(x: float) -> float:
    """Return the natural logarithm of a positive float64, right to a billionth; of less than 2e-308, about -709.

    The exponent in its bits, and the series of Gregory of the rest, which is between the roots of a half and of two.
    """
    bits = np.float64(x).view(np.int64)
    rest = np.int64((bits & _MANTISSA) | _ONE).view(np.float64)
    whole = np.float64(np.int32(bits >> _EXPONENT) - _BIAS)
    above = rest > _ROOT_2
    rest = 0.5 * rest if above else rest
    whole = whole + 1.0 if above else whole
    slope = (rest - 1.0) / (rest + 1.0)
    square = slope * slope
    series = 2.0 / 9.0
    series = series * square + 2.0 / 7.0
    series = series * square + 2.0 / 5.0
    series = series * square + 2.0 / 3.0
    series = series * square + 2.0
    return float(whole * _LOG_2 + slope * series)
