"""From controls to gains: the faders, mutes, solos and pans of all stems as one snapshot for the audio thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.control.levels import db_to_gain
from stream_sep.control.parameters import KARAOKE_STEM
from stream_sep.control.transition import DEFAULT_TRANSITION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from stream_sep.control.parameters import Value
    from stream_sep.control.transition import Transition


def balance(pan: float) -> tuple[float, float]:
    """Return the left and right gain of a stereo balance: the far side is attenuated, the centre is exactly unity.

    >>> balance(0.0), balance(1.0), balance(-0.5)
    ((1.0, 1.0), (0.0, 1.0), (1.0, 0.5))
    """
    return min(1.0, 1.0 - pan), min(1.0, 1.0 + pan)


def stem_gain(values: Mapping[str, Value], stem: str, *, any_solo: bool) -> float:
    """Return the linear gain of a stem's fader: 0 when it is muted, or when only others are soloed.

    Args:
        values: `ControlState.snapshot`.
        stem: its name.
        any_solo: whether any stem is soloed.

    Returns:
        A gain, 0 or more.
    """
    silent = values[f"stem/{stem}/mute"] or (any_solo and not values[f"stem/{stem}/solo"])
    return 0.0 if silent else db_to_gain(float(values[f"stem/{stem}/gain_db"]))


def compile_mix(
    values: Mapping[str, Value],
    stems: tuple[str, ...],
    sample_rate: int,
    transition: Transition = DEFAULT_TRANSITION,
) -> NDArray[np.float64]:
    """Return the snapshot for `AudioState.publish`, with two channels.

    Args:
        values: `ControlState.snapshot`.
        stems: names of the stems, in the separator's order.
        sample_rate: frames per second, for the length of the ramp.
        transition: how the gains move there.

    Returns:
        float64: left and right gain of the master and of each stem, then bypass, limiter, length of the ramp and
            first frame.
    """
    any_solo = any(values[f"stem/{stem}/solo"] for stem in stems)
    master = 0.0 if values["master/mute"] else db_to_gain(float(values["master/gain_db"]))
    gains = [master, master]
    for stem in stems:
        gain = stem_gain(values, stem, any_solo=any_solo)
        gain *= 1.0 - float(values["karaoke"]) if stem == KARAOKE_STEM else 1.0
        gains += [gain * side for side in balance(float(values[f"stem/{stem}/pan"]))]
    ramp_ms = float(values["ramp_ms"]) if transition.fade_ms is None else transition.fade_ms
    ramp = round(ramp_ms * sample_rate / 1000)
    switches = float(values["bypass"]), float(values["master/limiter"])
    return np.array([*gains, *switches, ramp, transition.begin_frame], np.float64)
