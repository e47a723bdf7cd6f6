"""Learning rates over a training."""

from __future__ import annotations

import math

from stream_sep.errors import ConfigError

SCHEDULES = ("cosine", "warmup-poly")
"""``cosine`` follows the share of the training that is done; ``warmup-poly`` counts steps."""

_FLOOR = 1e-7  # the rate at the end of warmup-poly, and after it


def cosine(progress: float, warmup: float) -> float:
    """Return the share of the highest learning rate: a linear rise, then half a cosine down to nothing.

    Args:
        progress: share of the training that is done.
        warmup: share of the training in which the rate rises.

    >>> cosine(0.1, 0.1), round(cosine(0.55, 0.1), 3), round(cosine(1.0, 0.1), 3)
    (1.0, 0.5, 0.0)
    """
    if progress < warmup:
        return (progress + 1e-3) / warmup
    return 0.5 + 0.5 * math.cos(math.pi * (progress - warmup) / (1 - warmup))


def warmup_poly(step: int, peak: float, warmup_steps: int, decay_steps: int, power: float = 1.0) -> float:
    """Return a learning rate that rises over some steps and falls by a power of those that are left.

    Args:
        step: number of steps so far.
        peak: the highest rate.
        warmup_steps: steps of the rise.
        decay_steps: steps of the fall after it.
        power: 1 falls along a line.

    >>> f"{warmup_poly(0, 1e-3, 32000, 128000):.3g}, {warmup_poly(96000, 1e-3, 32000, 128000):.3g}"
    '3.12e-08, 0.0005'
    """
    if step < warmup_steps:
        return (step + 1) * peak / (warmup_steps + 1)
    left = max(0.0, 1 - (step - warmup_steps) / decay_steps)
    return float((peak - _FLOOR) * left**power + _FLOOR)


def check_schedule(name: str, decay_steps: int) -> None:
    """Check the name and the steps of a schedule.

    Args:
        name: the schedule's name.
        decay_steps: steps of the decay.

    Raises:
        ConfigError: an unknown name, or a fall of no steps.
    """
    if name not in SCHEDULES:
        raise ConfigError(f"unknown schedule {name!r}; choose one of: {', '.join(SCHEDULES)}")
    if name == "warmup-poly" and decay_steps < 1:
        raise ConfigError("the schedule warmup-poly needs decay_steps of at least 1")
