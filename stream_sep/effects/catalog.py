"""Pedalboard's own effects: their names, parameters and ranges."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeAlias

from stream_sep.errors import ConfigError
from stream_sep.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

Setting: TypeAlias = float | bool | str
"""The value of an effect's parameter."""

PLUGIN_FILES = (".vst3", ".component")
"""Suffixes of plug-in files and bundles."""


@dataclass(frozen=True)
class ParameterSpec:
    """A parameter of an effect.

    Attributes:
        low: least value.
        high: greatest value.
        automatable: whether the effect smooths it; others are changed by a crossfade between two instances.
        choices: the allowed values of an enumeration, in place of a range.
        is_toggle: whether it is on or off.
        is_file_path: whether it is the path of a file.
    """

    low: float = 0.0
    high: float = 1.0
    automatable: bool = False
    choices: tuple[str, ...] = ()
    is_toggle: bool = False
    is_file_path: bool = False

    def coerce(self, value: object) -> Setting:
        """Return ``value`` as Pedalboard takes it.

        Raises:
            ConfigError: not allowed; the message begins with a verb and names the allowed values.

        >>> ParameterSpec(0, 10).coerce(3)
        3.0
        """
        if self.choices or self.is_file_path:
            if isinstance(value, str) and (self.is_file_path or value in self.choices):
                return value
            raise ConfigError(
                f"is none of {', '.join(self.choices)}" if self.choices else "is not the path of a file"
            )
        if isinstance(value, bool) == self.is_toggle and isinstance(value, bool | int | float):
            if self.is_toggle:
                return bool(value)
            if self.low <= value <= self.high:
                return float(value)
        raise ConfigError("is not true or false" if self.is_toggle else f"is not in {self.low:g}..{self.high:g}")


_CUTOFF, _Q = ParameterSpec(10, 20000), ParameterSpec(0.05, 100)
_DB, _LEVEL = ParameterSpec(-60, 60), ParameterSpec(-100, 0)
_ATTACK, _RELEASE = ParameterSpec(0.01, 5000), ParameterSpec(0.01, 5000, automatable=True)
_PART, _GLIDES = ParameterSpec(), ParameterSpec(automatable=True)
_FILTER = {"cutoff_frequency_hz": _CUTOFF, "gain_db": _DB, "q": _Q}

EFFECTS: Mapping[str, Mapping[str, ParameterSpec]] = {
    "Bitcrush": {"bit_depth": ParameterSpec(0, 32)},
    "BrickwallLimiter": {
        "ceiling_db": ParameterSpec(-60, 0),
        "release_ms": _RELEASE,
        "lookahead_ms": ParameterSpec(0.1, 100),
        "true_peak": ParameterSpec(is_toggle=True),
    },
    "Chorus": {
        "rate_hz": ParameterSpec(0, 100, automatable=True),
        "depth": _GLIDES,
        "centre_delay_ms": ParameterSpec(1, 100),
        "feedback": ParameterSpec(0, 0.95),
        "mix": _GLIDES,
    },
    "Clipping": {"threshold_db": _LEVEL},
    "Compressor": {
        "threshold_db": _LEVEL,
        "ratio": ParameterSpec(1, 100),
        "attack_ms": _ATTACK,
        "release_ms": _RELEASE,
    },
    "Convolution": {"impulse_response_filename": ParameterSpec(is_file_path=True), "mix": _PART},
    "Delay": {"delay_seconds": ParameterSpec(0, 30), "feedback": _PART, "mix": _PART},
    "Distortion": {"drive_db": _DB},
    "Gain": {"gain_db": _DB},
    "HighShelfFilter": _FILTER,
    "HighpassFilter": {"cutoff_frequency_hz": _CUTOFF},
    "Invert": {},
    "LadderFilter": {
        "mode": ParameterSpec(choices=("LPF12", "HPF12", "BPF12", "LPF24", "HPF24", "BPF24")),
        "cutoff_hz": ParameterSpec(10, 20000, automatable=True),
        "resonance": _GLIDES,
        "drive": ParameterSpec(1, 100),
    },
    "Limiter": {"threshold_db": _LEVEL, "release_ms": _RELEASE},
    "LowShelfFilter": _FILTER,
    "LowpassFilter": {"cutoff_frequency_hz": _CUTOFF},
    "MP3Compressor": {"vbr_quality": ParameterSpec(0.1, 9.9)},
    "NoiseGate": {
        "threshold_db": _LEVEL,
        "ratio": ParameterSpec(1, 100),
        "attack_ms": _ATTACK,
        "release_ms": _RELEASE,
    },
    "PeakFilter": _FILTER,
    "Phaser": {
        "rate_hz": ParameterSpec(0, 100, automatable=True),
        "depth": _GLIDES,
        "centre_frequency_hz": ParameterSpec(10, 20000),
        "feedback": ParameterSpec(0, 0.95),
        "mix": _GLIDES,
    },
    "Resample": {"target_sample_rate": ParameterSpec(1000, 192000)},
    "Reverb": {
        "room_size": _GLIDES,
        "damping": _GLIDES,
        "wet_level": _GLIDES,
        "dry_level": _GLIDES,
        "width": _GLIDES,
        "freeze_mode": _PART,
    },
}
"""Name of an effect -> its parameters; which of them are smoothed is measured by the tests."""

DELAY_EFFECTS = frozenset({"Chorus", "Convolution", "Delay", "Phaser", "Reverb"})
"""Effects whose delay is the effect itself: nothing to compensate."""

UNSUPPORTED: Mapping[str, str] = {
    name: f"Pedalboard's {name} gives silence when it streams" for name in ("GSMFullRateCompressor", "PitchShift")
}
"""Effects that cannot play live, and why."""


def is_file(plugin: str) -> bool:
    """Return whether ``plugin`` is the path of an effect rather than the name of one.

    >>> is_file("/usr/lib/vst3/ZaMaximX2.vst3"), is_file("Reverb")
    (True, False)
    """
    return PurePath(plugin).suffix.lower() in PLUGIN_FILES or "/" in plugin or "\\" in plugin


def parameter_spec(
    plugin: str, parameter: str, parameter_specs: Mapping[str, ParameterSpec] | None = None
) -> ParameterSpec:
    """Return the range and type of a parameter.

    Args:
        plugin: the effect's name, or its file.
        parameter: the parameter's name.
        parameter_specs: the effect's parameters, where it came from a file.

    Raises:
        ConfigError: no such parameter.

    >>> parameter_spec("Reverb", "room_size").high
    1.0
    """
    specs = EFFECTS[plugin] if parameter_specs is None else parameter_specs
    if parameter not in specs:
        raise ConfigError(f"has no parameter {parameter!r}; {did_you_mean(parameter, specs)}")
    return specs[parameter]
