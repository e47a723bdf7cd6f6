"""The scale of a level meter (IEC 60268-18), and the characters that draw it."""

from __future__ import annotations

_SEGMENTS = (
    # from dB, percent a dB, percent at that dB; IEC 60268-18
    (-20.0, 2.5, 50.0),
    (-30.0, 2.0, 30.0),
    (-40.0, 1.5, 15.0),
    (-50.0, 0.75, 7.5),
    (-60.0, 0.5, 2.5),
    (-70.0, 0.25, 0.0),
)
_TOP_PERCENT = 115.0  # +6 dBFS
_BLOCKS = " ▁▂▃▄▅▆▇█"


def meter_position(level_db: float) -> float:
    """Return the meter position of a level in dBFS, 0 to 1; the top is +6 dBFS, the bottom -70.

    >>> meter_position(6.0), meter_position(-70.0), round(meter_position(0.0), 2)
    (1.0, 0.0, 0.87)
    """
    level = min(level_db, 6.0)
    percent = next((base + slope * (level - start) for start, slope, base in _SEGMENTS if level >= start), 0.0)
    return percent / _TOP_PERCENT


def block(position: float, row: int, rows: int) -> str:
    """Return the character in a row, counted from the top, of a bar that fills ``position``, 0 to 1, of its rows.

    >>> [block(0.625, row, 2) for row in (0, 1)]
    ['▂', '█']
    """
    filled = position * rows - (rows - 1 - row)
    return _BLOCKS[round(8 * min(max(filled, 0.0), 1.0))]


def colour(position: float) -> str:
    """Return the colour of a meter at a height: green, yellow from -12 dBFS on, red from -1.

    >>> colour(meter_position(-20)), colour(meter_position(-6)), colour(meter_position(0))
    ('green', 'yellow', 'red')
    """
    return "red" if position >= meter_position(-1.0) else "yellow" if position >= meter_position(-12.0) else "green"
