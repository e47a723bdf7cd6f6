"""Functions for compiled loops: those of `math` call a library, these are computed many at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_fastmath

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOG2_E = np.float32(np.log2(np.e))
_LIMIT = np.float32(126.0)  # powers of two from minus so many to so many are numbers of float32

_ONE, _HALF, _ROOT_HALF = np.float32(1.0), np.float32(0.5), np.float32(0.70710678)
_LOG_2, _ROOT_2 = float(np.log(2)), float(np.sqrt(2))
_EXPONENT, _MANTISSA, _ONE_BITS = 52, 2**52 - 1, 1023 << 52  # of the bits of a float64
_BIAS = np.int32(1023)


@njit_fastmath
def exponential(x: np.float32) -> np.float32:
    """Return e to the power of ``x``, right to a few millionths of it; of less than -87 or more than 87, as of these.

    A power of two times the Taylor series of the rest.
    """
    power = min(max(x * _LOG2_E, -_LIMIT), _LIMIT)
    whole = np.floor(power + _HALF)
    rest = power - whole
    series = np.float32(1.5403530e-4)
    series = series * rest + np.float32(1.3333558e-3)
    series = series * rest + np.float32(9.6181291e-3)
    series = series * rest + np.float32(5.5504109e-2)
    series = series * rest + np.float32(2.4022651e-1)
    series = series * rest + np.float32(6.9314718e-1)
    series = series * rest + _ONE
    return np.float32(series * _power_of_two(whole))


@njit_fastmath
def _power_of_two(whole: np.float32) -> np.float32:
    """Return 2 to a whole power of -126 to 127, which is the exponent in its bits."""
    return np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@njit_fastmath
def logarithm(x: float) -> float:
    """Return the natural logarithm of a positive float64, right to a billionth; of less than 2e-308, about -709.

    The exponent in its bits, and the series of Gregory of the rest, which is between the roots of a half and of two.
    """
    bits = np.float64(x).view(np.int64)
    rest = np.int64((bits & _MANTISSA) | _ONE_BITS).view(np.float64)
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


@njit_fastmath
def gelu(row: NDArray[np.float32]) -> None:
    """Apply GELU in place, to 1e-6 (erf after Abramowitz and Stegun 1964, 7.1.26)."""
    for k in range(len(row)):
        x = abs(row[k]) * _ROOT_HALF
        t = _ONE / (_ONE + np.float32(0.3275911) * x)
        series = np.float32(1.061405429) * t - np.float32(1.453152027)
        series = series * t + np.float32(1.421413741)
        series = series * t - np.float32(0.284496736)
        series = series * t + np.float32(0.254829592)
        beyond = series * t * exponential(-x * x)
        row[k] = _HALF * (row[k] + abs(row[k]) * (_ONE - beyond))
