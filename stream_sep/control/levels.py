"""Decibels, gains and fader positions, and nothing else.

The fader law is that of the Behringer X32: four straight segments from -inf to +10 dB with 0 dB at three quarters
of the travel, the scale printed on most hardware faders.
"""

import math

SILENCE_DB = -90.0
"""At this level and below a fader is closed: gain exactly 0."""

LOUDEST_DB = 10.0
"""The top of every fader."""

_SEGMENTS = ((0.5, 40.0, -30.0), (0.25, 80.0, -50.0), (0.0625, 160.0, -70.0), (0.0, 480.0, -90.0))


def db_to_gain(gain_db: float) -> float:
    """Turn decibels into a linear factor; `SILENCE_DB` and below is exactly 0, and 0 dB exactly 1.

    >>> db_to_gain(0.0), db_to_gain(-90.0), round(db_to_gain(-6.0), 3)
    (1.0, 0.0, 0.501)
    """
    return 0.0 if gain_db <= SILENCE_DB else math.pow(10.0, gain_db / 20.0)


def gain_to_db(gain: float) -> float:
    """Turn a linear factor into decibels, `SILENCE_DB` at the least.

    >>> gain_to_db(1.0), gain_to_db(0.0)
    (0.0, -90.0)
    """
    return max(SILENCE_DB, 20.0 * math.log10(gain)) if gain > 0 else SILENCE_DB


def position_to_db(position: float) -> float:
    """Turn fader travel, 0 to 1, into decibels by the X32 law.

    >>> position_to_db(0.75), position_to_db(1.0), position_to_db(0.0)
    (0.0, 10.0, -90.0)
    """
    travel = min(max(position, 0.0), 1.0)
    slope, offset = next((slope, offset) for start, slope, offset in _SEGMENTS if travel >= start)
    return travel * slope + offset


def db_to_position(gain_db: float) -> float:
    """Turn decibels into fader travel, 0 to 1, by the X32 law.

    >>> db_to_position(0.0), db_to_position(-30.0)
    (0.75, 0.25)
    """
    level = min(max(gain_db, SILENCE_DB), LOUDEST_DB)
    return next((level - offset) / slope for start, slope, offset in _SEGMENTS if level >= start * slope + offset)
