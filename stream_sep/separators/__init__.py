"""The separators, by name; nothing heavy is imported before one is asked for."""

from __future__ import annotations

import difflib
import importlib
import inspect
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError, SeparatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream_sep.protocols import Separator

DEFAULT = "causal-22ms"
"""The separator used when none is named: its weights come with the package."""

FACTORIES = {
    "bands": "stream_sep.separators.bands.separator:BandsSeparator",
    "chained": "stream_sep.effects.chained_separator:load_chained",
    "causal-22ms": "stream_sep.separators.causal.separator:load_live",
    "causal-6ms": "stream_sep.separators.causal.separator:load_instant",
    "demucs": "stream_sep.separators.demucs.separator:load_demucs",
    "passthrough": "stream_sep.separators.passthrough:PassthroughSeparator",
}
"""Name of a separator -> where its class (or factory) lives."""

TRAINED = {
    "causal-100ms": "stream_sep.separators.causal.separator:load_near",
}
"""Separators of our own that need a file of weights, as none ship."""

ALIASES = {"instant": "causal-6ms", "live": "causal-22ms", "near": "causal-100ms"}
"""Older name -> name; the older ones go on working, and files of weights and kept stems are still called by them."""


def canonical_name(name: str) -> str:
    """Return the name of a separator that is given by its name or an older one.

    >>> canonical_name("live"), canonical_name("bands")
    ('causal-22ms', 'bands')
    """
    return ALIASES.get(name, name)


def older_name(name: str) -> str:
    """Return the name that files know a separator by.

    >>> older_name("causal-22ms"), older_name("bands")
    ('live', 'bands')
    """
    return next((old for old, new in ALIASES.items() if new == name), name)


def check_separator(name: str, options: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Refuse a name that no separator has, or options that it does not take, without loading it.

    Raises:
        SeparatorError: nothing has that name.
        ConfigError: an option it does not have.
    """
    name = canonical_name(name)
    if name == "demucs" or ":" in name:  # whose modules are heavy, or anything
        _location(name)
    else:
        _check_options(name, _factory(name), options)


def load_separator(name: str = DEFAULT, sample_rate: int = 44100, **options: Any) -> Separator:  # noqa: ANN401 - each separator checks its own options
    """Build the separator called ``name`` for a stream of ``sample_rate`` frames per second.

    Args:
        name: one of the keys of `FACTORIES` or `TRAINED`, or one of your own as ``package.module:factory``.
        sample_rate: frames per second of the mix it will be given.
        options: passed to the separator, such as ``hop=512`` for ``passthrough``.

    Raises:
        SeparatorError: nothing has that name, or it cannot be loaded here.
        ConfigError: an option it does not have, or a value it refuses.

    >>> load_separator("passthrough", 48000, hop=128).hop
    128
    """
    name = canonical_name(name)
    factory = _factory(name)
    _check_options(name, factory, options)
    try:
        separator: Separator = factory(sample_rate=sample_rate, **options)
    except TypeError as error:
        raise ConfigError(f"separator {name!r} does not accept the options {options}: {error}") from error
    return separator


def _check_options(name: str, factory: Callable[..., Separator], options: Mapping[str, Any]) -> None:
    parameters = inspect.signature(factory).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [option for option in parameters if option != "sample_rate"]
    for option in options:
        if option not in known:
            takes = f"it has {', '.join(known)}" if known else "it has none"
            raise ConfigError(f"separator {name!r} has no option {option!r}; {takes}")


def _factory(name: str) -> Callable[..., Separator]:
    module, _, attribute = _location(name).partition(":")
    try:
        factory: Callable[..., Separator] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        if name in FACTORIES or name in TRAINED:
            raise
        raise SeparatorError(f"separator {name!r} cannot be imported as package.module:factory: {error}") from error
    return factory


def _location(name: str) -> str:
    if name in FACTORIES or name in TRAINED or ":" in name:
        return FACTORIES.get(name, TRAINED.get(name, name))
    near = difflib.get_close_matches(name, [*FACTORIES, *TRAINED, *ALIASES], n=1)
    hint = f"did you mean {canonical_name(near[0])!r}?" if near else f"choose from {', '.join(sorted(FACTORIES))}"
    raise SeparatorError(f"unknown model {name!r}; {hint}")
