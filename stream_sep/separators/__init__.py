"""The separators, by name; nothing heavy is imported before one is asked for."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError, SeparatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.protocols import Separator

DEFAULT = "live"
"""The separator used when none is named: its weights come with the package."""

FACTORIES = {
    "bands": "stream_sep.separators.bands.separator:BandsSeparator",
    "chained": "stream_sep.effects.chained_separator:load_chained",
    "demucs": "stream_sep.separators.demucs.separator:load_demucs",
    "instant": "stream_sep.separators.causal.separator:load_instant",
    "live": "stream_sep.separators.causal.separator:load_live",
    "passthrough": "stream_sep.separators.passthrough:PassthroughSeparator",
}
"""Name of a separator -> where its class (or factory) lives."""

TRAINED = {
    "near": "stream_sep.separators.causal.separator:load_near",
}
"""Separators of our own that need a file of weights, as none ship."""


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
    factory = _factory(name)
    try:
        separator: Separator = factory(sample_rate=sample_rate, **options)
    except TypeError as error:
        raise ConfigError(f"separator {name!r} does not take these options: {options} ({error})") from error
    return separator


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
    near = difflib.get_close_matches(name, FACTORIES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"one of: {', '.join(sorted(FACTORIES))}"
    raise SeparatorError(f"no separator is called {name!r}; {hint}")
