"""Conversions between decibels, gains and fader positions.

The fader law is that of the Behringer X32: four straight segments from -inf to +10 dB with 0 dB at three quarters
of the travel, the scale printed on most hardware faders.
"""

import math

from stream_sep.errors import ParameterError

SILENCE_DB = -90.0
"""At this level and below, a fader is closed: the gain is exactly 0."""

LOUDEST_DB = 10.0
"""The top of every fader."""

_SEGMENTS = ((0.5, 40.0, -30.0), (0.25, 80.0, -50.0), (0.0625, 160.0, -70.0), (0.0, 480.0, -90.0))


_MAX_GAIN = 3.4028234663852886e38  # of a float32 sample


def db_to_gain(gain_db: float) -> float:
    """Convert decibels to a linear gain; `SILENCE_DB` and below is exactly 0, and 0 dB exactly 1.

    Args:
        gain_db: a level in dB; -inf is silence.

    Returns:
        A finite gain, 0 or more.

    Raises:
        ParameterError: NaN, or more than a float32 sample can hold.

    >>> db_to_gain(0.0), db_to_gain(-90.0), round(db_to_gain(-6.0), 3)
    (1.0, 0.0, 0.501)
    """
    if gain_db <= SILENCE_DB:
        return 0.0
    if not gain_db <= _MAX_DB:
        raise ParameterError(f"invalid level {gain_db} dB")
    return math.pow(10.0, gain_db / 20.0)


def gain_to_db(gain: float) -> float:
    """Convert a linear gain to decibels, `SILENCE_DB` at least.

    Args:
        gain: a gain, or a peak; NaN counts as silence.

    Returns:
        A finite level in dB.

    >>> gain_to_db(1.0), gain_to_db(0.0)
    (0.0, -90.0)
    """
    return max(SILENCE_DB, 20.0 * math.log10(min(gain, _MAX_GAIN))) if gain > 0 else SILENCE_DB


_MAX_DB = gain_to_db(_MAX_GAIN)


def position_to_db(position: float) -> float:
    """Convert a fader position to decibels by the X32 law.

    Args:
        position: 0 to 1; clamped to that range.

    Returns:
        `SILENCE_DB` to `LOUDEST_DB`.

    Raises:
        ParameterError: NaN.

    >>> position_to_db(0.75), position_to_db(1.0), position_to_db(0.0)
    (0.0, 10.0, -90.0)
    """
    travel = min(max(_number(position), 0.0), 1.0)
    slope, offset = next((slope, offset) for start, slope, offset in _SEGMENTS if travel >= start)
    return travel * slope + offset


def db_to_position(gain_db: float) -> float:
    """Convert decibels to a fader position by the X32 law.

    Args:
        gain_db: a level; clamped to the fader's range.

    Returns:
        0 to 1.

    Raises:
        ParameterError: NaN.

    >>> db_to_position(0.0), db_to_position(-30.0)
    (0.75, 0.25)
    """
    level = min(max(_number(gain_db), SILENCE_DB), LOUDEST_DB)
    return next((level - offset) / slope for start, slope, offset in _SEGMENTS if level >= start * slope + offset)


def _number(value: float) -> float:
    if math.isnan(value):
        raise ParameterError("invalid fader position NaN")
    return value
