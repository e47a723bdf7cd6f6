"""Arguments of several commands: parsing, and validation before any device is opened."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, cast

from stream_sep.control.parameters import parameters_for
from stream_sep.control.presets.library import list_presets
from stream_sep.control.presets.schema import check_value
from stream_sep.control.state import ControlState
from stream_sep.engine.config import ON_FAILURE, SAMPLE_RATES, EngineConfig, for_latency_class
from stream_sep.errors import ConfigError, ParameterError
from stream_sep.protocols import MAIN, STEMS
from stream_sep.separators import ALIASES, NEEDS_WEIGHTS, REGISTRY, canonical_name, check_separator
from stream_sep.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.control.parameters import Parameter, Value

_SWITCH = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
_FIXED_STEMS = ("bands", "causal-6ms", "causal-22ms", "causal-100ms", "studio")


def choose_model(model: str, latency_class: str, options: Mapping[str, Any]) -> EngineConfig:
    """Return the settings of a model by name, or of a latency class.

    Args:
        model: a separator; empty for that of the class.
        latency_class: empty for ``live``; must be empty with a model.
        options: of the separator.

    Raises:
        SeparatorError: an unknown model.
        ConfigError: both a model and a class, an unknown class, or an option that the separator does not have.
    """
    if model and latency_class:
        raise ConfigError(f"--model {model} and --latency-class {latency_class} exclude each other; give one of them")
    config = EngineConfig(model=canonical_name(model)) if model else for_latency_class(latency_class or "live")
    config = EngineConfig(model=config.model, options={**config.options, **options})
    check_separator(str(config.model), config.options)
    return config


def complete_model(incomplete: str) -> list[str]:
    """Return the models with that prefix, for the shell's completion.

    >>> complete_model("li"), complete_model("causal-2")
    (['live'], ['causal-22ms'])
    """
    known = {**REGISTRY, **NEEDS_WEIGHTS, **ALIASES}
    return [name for name in sorted(known) if name.startswith(incomplete) and name != "chained"]


def complete_preset(incomplete: str) -> list[str]:
    """Return the presets with that prefix, for the shell's completion.

    >>> complete_preset("kara")
    ['karaoke']
    """
    return [name for name in list_presets() if name.startswith(incomplete)]


def stems_of(model: str) -> tuple[str, ...] | None:
    """Return the stems of a model, if they are known without loading it.

    >>> stems_of("live")
    ('vocals', 'drums', 'bass', 'other')
    """
    return STEMS if canonical_name(model) in _FIXED_STEMS else None


def check_sample_rate(sample_rate: int) -> None:
    """Check that the engine supports a sample rate.

    Raises:
        ConfigError: it is none of `SAMPLE_RATES`.
    """
    if sample_rate not in SAMPLE_RATES:
        raise ConfigError(
            f"unsupported sample rate {sample_rate} Hz; choose from {', '.join(map(str, SAMPLE_RATES))}"
        )


def parse_options(pairs: list[str]) -> dict[str, Any]:
    """Return a separator's options from ``NAME=VALUE`` texts; numbers become numbers.

    >>> parse_options(["hop=128", "model=tiny"])
    {'hop': 128, 'model': 'tiny'}
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"invalid --option {pair!r}; use NAME=VALUE")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


def parse_outputs(text: str, stems: tuple[str, ...] | None = None) -> dict[str, int]:
    """Return bus -> first channel from ``main=1,vocals=3``.

    Raises:
        ConfigError: not of that form, or a bus that is neither main nor one of ``stems``, if they are known.

    >>> parse_outputs("main=1,vocals=3")
    {'main': 1, 'vocals': 3}
    """
    pairs = {}
    for part in text.split(","):
        bus, _, first = part.strip().partition("=")
        if not first.isdecimal() or int(first) < 1:
            raise ConfigError(f"invalid channel map {part!r}; use NAME=CHANNEL, from 1, as in main=1,vocals=3")
        if stems is not None and bus not in (MAIN, *stems):
            raise ConfigError(f"--outputs {text}: no stem is called {bus!r}; {did_you_mean(bus, (MAIN, *stems))}")
        pairs[bus] = int(first)
    return pairs


def parse_controls(assignments: list[str], stems: tuple[str, ...] | None) -> dict[str, Value]:
    """Return path -> value from texts such as ``vocals=-60`` or ``stem/drums/mute=on``.

    Args:
        assignments: the texts.
        stems: of the separator; None if they are not known yet, and any name counts as a stem.

    Raises:
        ConfigError: not of that form.
        ParameterError: no such control, or a value out of its range.

    >>> parse_controls(["vocals=-60", "bypass=on"], ("vocals", "other"))
    {'stem/vocals/gain_db': -60.0, 'bypass': True}
    """
    return dict(_parse_control(text, stems) for text in assignments)


def _parse_control(text: str, stems: tuple[str, ...] | None) -> tuple[str, Value]:
    name, equals, word = text.partition("=")
    if not equals:
        raise ConfigError(f"invalid --set {text!r}; use CONTROL=VALUE, as in vocals=-60")
    if name.startswith("transport/") or "/chain/" in name:  # only the engine has these
        return name, _number(text, name, word)
    own = ControlState(parameters_for(stems or ()))
    if stems is None and name not in own.parameters:
        stem = name.split("/")[1] if name.startswith("stem/") and name.count("/") else name
        own = ControlState(parameters_for((*STEMS, stem)))
        stems = (*STEMS, stem)
    path = f"stem/{name}/gain_db" if name in (stems or ()) else name
    if path not in own.parameters:
        every = dict.fromkeys((*(stems or ()), *own.parameters))
        choices = tuple(control for control in every if ("/" in control) == ("/" in name))
        raise ParameterError(f"--set {text}: no stem or control is called {name!r}; {did_you_mean(name, choices)}")
    return path, _value(text, word, own.parameters[path])


def _value(text: str, word: str, parameter: Parameter) -> Value:
    if parameter.readonly:
        raise ParameterError(f"--set {text}: {parameter.path} is read-only")
    value: Value
    if isinstance(parameter.default, bool):
        if word.lower() not in _SWITCH:
            raise ConfigError(f"--set {text}: {parameter.path} takes on or off, not {word!r}")
        value = _SWITCH[word.lower()]
    else:
        value = _number(text, parameter.path, word)
    if wrong := check_value(parameter, value):
        raise ParameterError(f"--set {text}: {parameter.path} {wrong}")
    return value


def _number(text: str, path: str, word: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise ConfigError(f"--set {text}: {path} takes a number, not {word!r}") from error


def parse_device(text: str) -> int | str | None:
    """Return the number of a device, part of its name, or None for the default one."""
    return int(text) if text.isdecimal() else (text or None)


def parse_on_failure(text: str) -> Literal["dry", "mute", "fade"]:
    """Return what to play while the separator is down.

    Raises:
        ConfigError: none of the three.

    >>> parse_on_failure("mute")
    'mute'
    """
    if text not in ON_FAILURE:
        raise ConfigError(f"unknown --on-failure {text!r}; choose {', '.join(ON_FAILURE)}")
    return cast("Literal['dry', 'mute', 'fade']", text)
