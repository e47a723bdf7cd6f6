"""The separators, by name or by file of weights; nothing heavy is imported before one is loaded."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.import_path import import_object
from stream_sep.separators.checks import check_members, model_name, whole_rate
from stream_sep.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream_sep.protocols import Separator

ALIASES = {"instant": "causal-6ms", "live": "causal-22ms", "near": "causal-100ms"}
"""Short name, that of its latency class -> name; files of weights and cached stems use the short ones."""

SHORT_DEFAULT = "live"
"""Short name of the separator used when none is named, which commands show: its weights come with the package."""

DEFAULT = ALIASES[SHORT_DEFAULT]
"""The same by its name."""

DEFAULT_FOR_SONGS = "studio"
"""The same for songs, where latency does not matter."""

REGISTRY = {
    "bands": "stream_sep.separators.bands.separator:BandsSeparator",
    "chained": "stream_sep.effects.chained_separator:load_chained",
    "causal-100ms": "stream_sep.separators.causal.separator:load_near",
    "causal-22ms": "stream_sep.separators.causal.separator:load_live",
    "causal-6ms": "stream_sep.separators.causal.separator:load_instant",
    "demucs": "stream_sep.separators.demucs.separator:load_demucs",
    "passthrough": "stream_sep.separators.passthrough:PassthroughSeparator",
    "studio": "stream_sep.separators.causal.studio:load_studio",
}
"""Name of a separator -> where its class (or factory) lives."""

NEEDS_WEIGHTS = {
    "causal": "stream_sep.separators.causal.separator:load_at_own_hop",
    "checkpoint": "stream_sep.separators.checkpoints.loader:load_checkpoint",
    "frame-transformer": "stream_sep.separators.frame_transformer.loader:load_frame_transformer",
    "hs-tasnet": "stream_sep.training.baselines.hs_tasnet_separator:load_hs_tasnet",
    "imported": "stream_sep.separators.imported.loader:load_imported",
    "unet": "stream_sep.separators.unet.loader:load_unet",
}
"""Separators that need a file of weights, as none ship."""

FORMATS = {
    "stream_sep causal network 3": "causal",
    "stream_sep frame transformer 1": "frame-transformer",
    "stream_sep frame transformer of 2022 1": "imported",
    "stream_sep hs-tasnet 1": "hs-tasnet",
    "stream_sep unet 1": "unet",
    "stream_sep vocal-remover 1": "imported",
}
"""Kind in a file of weights -> the separator that runs it."""

_HEAVY = ("demucs", "hs-tasnet")
_CHECKPOINT_SUFFIXES = (".ckpt", ".pth", ".pt", ".th")
_WEIGHT_SUFFIXES = (".safetensors", ".onnx", *_CHECKPOINT_SUFFIXES)


def canonical_name(name: str) -> str:
    """Return the name of a separator that is given by its name or a short one.

    >>> canonical_name("live"), canonical_name("bands")
    ('causal-22ms', 'bands')
    """
    return ALIASES.get(name, name)


def short_name(name: str) -> str:
    """Return the short name of a separator, which files use, or its only one.

    >>> short_name("causal-22ms"), short_name("bands")
    ('live', 'bands')
    """
    return next((short for short, full in ALIASES.items() if full == name), name)


def check_separator(name: str, options: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Check that a separator exists and has these options, without loading it.

    Args:
        name: as for `load_separator`.
        options: as for `load_separator`.

    Raises:
        SeparatorError: nothing has that name.
        ConfigError: an option it does not have.
    """
    name, options = _resolve(name, options)
    if name in _HEAVY or ":" in name:  # whose modules load torch, or anything
        _location(name)
    else:
        _check_options(name, _factory(name), options)


def load_separator(name: str | Path = DEFAULT, sample_rate: int = 44100, **options: Any) -> Separator:  # noqa: ANN401 - each separator checks its own options
    """Build the separator called ``name`` for a stream of ``sample_rate`` frames per second.

    Args:
        name: one of the keys of `REGISTRY` or `NEEDS_WEIGHTS`; a file of weights, ``FILE.safetensors``; or one of
            your own as ``package.module:factory``, or ``package.module:KIND``.
        sample_rate: frames per second of the mix it will be given.
        options: passed to the separator, such as ``hop=512`` for ``passthrough``.

    Raises:
        SeparatorError: nothing has that name, or it cannot be loaded here.
        ConfigError: an option it does not have, or a value it refuses.

    >>> load_separator("passthrough", 48000, hop=128).hop
    128
    """
    name, given = _resolve(model_name(name), options)
    factory, sample_rate = _factory(name), whole_rate(sample_rate)
    _check_options(name, factory, given)
    try:
        separator: Separator = factory(sample_rate=sample_rate, **given)
    except TypeError as error:
        raise ConfigError(f"separator {name!r} does not accept the options {given}: {error}") from error
    check_members(separator)
    return separator


def option_names(name: str, options: Mapping[str, Any] = MappingProxyType({})) -> frozenset[str]:
    """Return the names of a separator's options, without those that it hands on to another.

    Args:
        name: as for `load_separator`.
        options: as for `load_separator`.

    Raises:
        SeparatorError: nothing has that name, or it cannot be imported here.

    >>> sorted(option_names("passthrough"))
    ['carrier', 'channels', 'hop', 'latency', 'stems']
    """
    parameters = inspect.signature(_factory(_resolve(name, options)[0])).parameters.values()
    return frozenset(each.name for each in parameters if each.kind is not each.VAR_KEYWORD) - {"sample_rate"}


def _check_options(name: str, factory: Callable[..., Separator], options: Mapping[str, Any]) -> None:
    parameters = inspect.signature(factory).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [option for option in parameters if option != "sample_rate"]
    for option in options:
        if option not in known:
            takes = f"it has {', '.join(known)}" if known else "it has none"
            raise ConfigError(f"separator {name!r} has no option {option!r}; {takes}")


def is_known(name: str) -> bool:
    """Return whether `load_separator` would look for that name, rather than leave it to Demucs.

    >>> is_known("live"), is_known("near"), is_known("song.safetensors"), is_known("htdemucs")
    (True, True, True, False)
    """
    known = canonical_name(name)
    return known in REGISTRY or known in NEEDS_WEIGHTS or is_weight_file(name) or _is_own(name)


def is_weight_file(name: str) -> bool:
    """Return whether a model is named by its weight file."""
    return name.endswith(_WEIGHT_SUFFIXES) and not name.startswith("hf://")


def config_file_of(name: str, options: Mapping[str, Any] = MappingProxyType({})) -> Path | None:
    """Return the YAML config that a published checkpoint is loaded with; None for other models.

    Args:
        name: as for `load_separator`.
        options: as for `load_separator`.
    """
    named = is_weight_file(name)
    if name != "checkpoint" and not (named and ("config" in options or _has_config(Path(name)))):
        return None
    weights = name if named else options.get("weights")
    found = options.get("config") or (Path(str(weights)).with_suffix(".yaml") if weights else None)
    return None if found is None else Path(str(found))


def _resolve(name: str, options: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the separator's name and its options, a weight file among them."""
    if not is_weight_file(name):
        return canonical_name(name), options
    if "weights" in options:
        raise ConfigError(f"{name} and weights={options['weights']} are both files of weights; name one")
    found = "checkpoint" if "config" in options else _name_for(Path(name))
    return found, {**options, "weights": name}


def _name_for(path: Path) -> str:
    """Return the separator that plays a file of weights."""
    if _has_config(path):
        return "checkpoint"
    from stream_sep.separators.weight_file import read_metadata  # noqa: PLC0415 - loads numpy

    kind = read_metadata(path)[0].get("kind", "")
    if kind not in FORMATS:
        raise SeparatorError(
            f"{path} holds {kind!r}, which no separator here plays; if the kind is your own, use "
            f"--model package.module:KIND --option weights={path}"
        )
    return FORMATS[kind]


def _has_config(path: Path) -> bool:
    return path.suffix in _CHECKPOINT_SUFFIXES or path.with_suffix(".yaml").is_file()


def _factory(name: str) -> Callable[..., Separator]:
    location = _location(name)
    try:
        found: Any = import_object(location)
    except (ImportError, AttributeError, ValueError) as error:
        if name in REGISTRY or name in NEEDS_WEIGHTS:
            raise
        raise SeparatorError(f"separator {name!r} cannot be imported as package.module:factory: {error}") from error
    factory: Callable[..., Separator] = getattr(found, "load_separator", found)  # a kind of network has one
    return factory


def _location(name: str) -> str:
    known = {**REGISTRY, **NEEDS_WEIGHTS}
    if name in known or _is_own(name):
        return known.get(name, name)
    if Path(name).is_file():
        raise SeparatorError(f"{name} is not a weights file; name one that ends in {', '.join(_WEIGHT_SUFFIXES)}")
    hint = did_you_mean(name, [*known, *ALIASES], "")
    names = ", ".join(sorted(map(short_name, known)))
    raise SeparatorError(
        f"unknown model {name!r}; {hint}{' ' if hint else ''}choose from {names}, or name a file, FILE.safetensors"
    )


def _is_own(name: str) -> bool:
    return ":" in name and not name.startswith("hf://")
