"""The kinds of networks that can be trained: how each is built, saved, loaded and trained, by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.import_path import import_object
from stream_sep.lowlevel.atomic_file import atomic_write
from stream_sep.separators import FORMATS
from stream_sep.separators.source_groups import FOUR, SourceGroups
from stream_sep.separators.weight_file import read_weight_file, with_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from stream_sep.protocols import Separator
    from stream_sep.training.models import TrainableSeparator

KINDS: Mapping[str, str] = {
    "causal": "stream_sep.training.causal_kind:KIND",
    "frame-transformer": "stream_sep.training.frame_transformer:KIND",
    "hs-tasnet": "stream_sep.training.baselines.hs_tasnet_kind:KIND",
    "unet": "stream_sep.training.unet:KIND",
}
"""Name of a kind -> its module. Your own kinds are named ``package.module:KIND``."""


@runtime_checkable
class Kind(Protocol):
    """A network architecture; stateless.

    Attributes:
        format: written into every file of weights, such as ``stream_sep unet 1``; another number is another design.
    """

    format: str

    def build(self, table: Mapping[str, Any], groups: SourceGroups, inference_hop: int = 0) -> TrainableSeparator:
        """Return a network of random weights.

        Args:
            table: the config's table ``[network]`` without its ``kind``.
            groups: the source groups of its stems.
            inference_hop: frames of the hops in which it will be played; 0 for its own.

        Raises:
            ConfigError: an unknown key, an invalid value, or groups that it cannot separate into.
        """
        ...

    def describe(self, model: TrainableSeparator) -> dict[str, Any]:
        """Return a table, for JSON, from which `build` makes a network of the same sizes."""
        ...

    @property
    def load_separator(self) -> Callable[..., Separator]:
        """Function that loads a file of weights of this kind as a separator of the engine.

        Its parameters are keywords: ``sample_rate``, ``weights``, and the separator's own options.
        """
        ...


def load_kind(name: str) -> Kind:
    """Return a kind by its name in a config.

    Args:
        name: one of `KINDS`, or ``package.module:KIND`` for one of your own.

    Raises:
        ConfigError: there is none of that name, or it is no kind.

    >>> load_kind("hs-tasnet").format
    'stream_sep hs-tasnet 1'
    """
    if name not in KINDS and ":" not in name:
        raise ConfigError(
            f"unknown kind of network {name!r}; choose one of: {', '.join(KINDS)}, or package.module:KIND"
        )
    try:
        kind = import_object(KINDS.get(name, name))
    except (ImportError, AttributeError, ValueError) as error:
        if name in KINDS:
            raise
        raise ConfigError(f"the kind {name!r} cannot be imported: {error}") from error
    if not isinstance(kind, Kind):
        raise ConfigError(f"{name} is not a kind of network: it needs format, build, describe and load_separator")
    return kind


def build_model(kind: str, table: Mapping[str, Any], inference_hop: int = 0, groups: SourceGroups = FOUR) -> Any:  # noqa: ANN401 - a module of any kind
    """Build a network of random weights; see `Kind.build`.

    Raises:
        ConfigError: unknown kind, or a value is invalid.
    """
    return load_kind(kind).build(table, groups, inference_hop)


def save_weights(
    kind: str, model: TrainableSeparator, path: Path, about: Mapping[str, str], groups: SourceGroups = FOUR
) -> None:
    """Write a network's weights to a ``.safetensors`` file, whole or not at all.

    Args:
        kind: its name in the config.
        model: the network.
        path: the file.
        about: metadata to keep with it, such as how it was trained.
        groups: the source groups of its stems.
    """
    found = load_kind(kind)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()}
    sizes = json.dumps(found.describe(model))
    metadata = {**about, "kind": found.format, "network": kind, "size": sizes, "groups": groups.to_json()}
    atomic_write(path, with_digest(tensors, metadata))


def load_model(path: Path, trusted: str = "") -> tuple[str, Any, SourceGroups]:
    """Read a network of any kind from a ``.safetensors`` file.

    Args:
        path: the file. It may name an external kind, which is code: only `KINDS` are imported.
        trusted: your own kind, which may be imported too.

    Returns:
        The name of its kind, the `TrainableSeparator`, and its source groups.

    Raises:
        SeparatorError: the file is missing, damaged, or of no known kind.
    """
    file = read_weight_file(path)
    name = file.metadata.get("network") or FORMATS.get(file.format, "")
    kind = load_kind(name) if name in KINDS or (name and name == trusted) else None
    if kind is None or kind.format != file.format:
        raise SeparatorError(
            f"{path} holds {file.format!r}, which no kind of network here reads; one of: {', '.join(KINDS)}"
        )
    try:
        model = kind.build(file.sizes, file.groups)
    except (TypeError, ConfigError) as error:
        raise SeparatorError(f"the metadata of {path} describe no network that can be built: {error}") from error
    file.fill(model.network)
    cast("Any", model).eval()
    return name, model, file.groups
