"""The effects that need no file: what Pedalboard calls them, what can be turned on each, and how far."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeAlias

from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Setting: TypeAlias = float | bool | str
"""What a parameter of an effect holds."""

PLUGIN_FILES = (".vst3", ".component")
"""How the files and folders end that hold effects of other makers."""


@dataclass(frozen=True)
class Knob:
    """A parameter of an effect.

    Attributes:
        low: least value.
        high: greatest value.
        moves: whether it glides by itself; one that does not is changed by a crossfade between two effects.
        words: the values it takes instead of numbers.
        switch: whether it is on or off.
        file: whether it is the path of a file.
    """

    low: float = 0.0
    high: float = 1.0
    moves: bool = False
    words: tuple[str, ...] = ()
    switch: bool = False
    file: bool = False

    def coerce(self, value: object) -> Setting:
        """Return ``value`` as Pedalboard takes it.

        Raises:
            ConfigError: the end of a sentence that says what is taken.

        >>> Knob(0, 10).coerce(3)
        3.0
        """
        if self.words or self.file:
            if isinstance(value, str) and (self.file or value in self.words):
                return value
            raise ConfigError(f"is none of {', '.join(self.words)}" if self.words else "is not the path of a file")
        if isinstance(value, bool) == self.switch and isinstance(value, bool | int | float):
            if self.switch:
                return bool(value)
            if self.low <= value <= self.high:
                return float(value)
        raise ConfigError("is not true or false" if self.switch else f"is not in {self.low:g}..{self.high:g}")


_CUTOFF, _Q = Knob(10, 20000), Knob(0.05, 100)
_DB, _LEVEL = Knob(-60, 60), Knob(-100, 0)
_ATTACK, _RELEASE = Knob(0.01, 5000), Knob(0.01, 5000, moves=True)
_PART, _GLIDES = Knob(), Knob(moves=True)
_FILTER = {"cutoff_frequency_hz": _CUTOFF, "gain_db": _DB, "q": _Q}

EFFECTS: Mapping[str, Mapping[str, Knob]] = {
    "Bitcrush": {"bit_depth": Knob(0, 32)},
    "BrickwallLimiter": {
        "ceiling_db": Knob(-60, 0),
        "release_ms": _RELEASE,
        "lookahead_ms": Knob(0.1, 100),
        "true_peak": Knob(switch=True),
    },
    "Chorus": {
        "rate_hz": Knob(0, 100, moves=True),
        "depth": _GLIDES,
        "centre_delay_ms": Knob(1, 100),
        "feedback": Knob(0, 0.95),
        "mix": _GLIDES,
    },
    "Clipping": {"threshold_db": _LEVEL},
    "Compressor": {
        "threshold_db": _LEVEL,
        "ratio": Knob(1, 100),
        "attack_ms": _ATTACK,
        "release_ms": _RELEASE,
    },
    "Convolution": {"impulse_response_filename": Knob(file=True), "mix": _PART},
    "Delay": {"delay_seconds": Knob(0, 30), "feedback": _PART, "mix": _PART},
    "Distortion": {"drive_db": _DB},
    "Gain": {"gain_db": _DB},
    "HighShelfFilter": _FILTER,
    "HighpassFilter": {"cutoff_frequency_hz": _CUTOFF},
    "Invert": {},
    "LadderFilter": {
        "mode": Knob(words=("LPF12", "HPF12", "BPF12", "LPF24", "HPF24", "BPF24")),
        "cutoff_hz": Knob(10, 20000, moves=True),
        "resonance": _GLIDES,
        "drive": Knob(1, 100),
    },
    "Limiter": {"threshold_db": _LEVEL, "release_ms": _RELEASE},
    "LowShelfFilter": _FILTER,
    "LowpassFilter": {"cutoff_frequency_hz": _CUTOFF},
    "MP3Compressor": {"vbr_quality": Knob(0.1, 9.9)},
    "NoiseGate": {
        "threshold_db": _LEVEL,
        "ratio": Knob(1, 100),
        "attack_ms": _ATTACK,
        "release_ms": _RELEASE,
    },
    "PeakFilter": _FILTER,
    "Phaser": {
        "rate_hz": Knob(0, 100, moves=True),
        "depth": _GLIDES,
        "centre_frequency_hz": Knob(10, 20000),
        "feedback": Knob(0, 0.95),
        "mix": _GLIDES,
    },
    "Resample": {"target_sample_rate": Knob(1000, 192000)},
    "Reverb": {
        "room_size": _GLIDES,
        "damping": _GLIDES,
        "wet_level": _GLIDES,
        "dry_level": _GLIDES,
        "width": _GLIDES,
        "freeze_mode": _PART,
    },
}
"""Name of an effect -> its parameters; which of them glide was measured, and is again by the tests."""

LATE_ON_PURPOSE = frozenset({"Chorus", "Convolution", "Delay", "Phaser", "Reverb"})
"""Effects whose delay is what one hears of them: nothing to make up for."""

UNFIT: Mapping[str, str] = {
    name: f"Pedalboard's {name} gives silence when it streams" for name in ("GSMFullRateCompressor", "PitchShift")
}
"""Effects that cannot play live, and why."""


def is_file(plugin: str) -> bool:
    """Return whether ``plugin`` is the path of an effect rather than the name of one.

    >>> is_file("/usr/lib/vst3/ZaMaximX2.vst3"), is_file("Reverb")
    (True, False)
    """
    return PurePath(plugin).suffix.lower() in PLUGIN_FILES or "/" in plugin or "\\" in plugin


def knob(plugin: str, parameter: str, knobs: Mapping[str, Knob] | None = None) -> Knob:
    """Return what is known of a parameter.

    Args:
        plugin: the effect's name, or its file.
        parameter: the parameter's name.
        knobs: the effect's parameters, where it came from a file.

    Raises:
        ConfigError: no such parameter.

    >>> knob("Reverb", "room_size").high
    1.0
    """
    known = EFFECTS[plugin] if knobs is None else knobs
    if parameter not in known:
        raise ConfigError(f"has no parameter {parameter!r}; {nearest(parameter, known)}")
    return known[parameter]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the hint for a name that is not ``known``.

    >>> nearest("reverb", ["Reverb", "Delay"])
    "did you mean 'Reverb'?"
    """
    names = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), names, n=1)
    if close:
        return f"did you mean {names[close[0]]!r}?"
    return f"one of: {', '.join(sorted(names.values()))}" if names else "it has none at all"
