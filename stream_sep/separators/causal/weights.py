"""Weights files of causal networks: their kind and size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.extras import install_hint
from stream_sep.separators.causal.config import NetworkConfig, config_from
from stream_sep.separators.weight_file import dequantized

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stream_sep.separators.causal.network import CausalNetwork

KIND = "stream_sep causal network 3"
"""Written into every weights file; another number is another architecture."""


def load_weights(path: Path) -> CausalNetwork:
    """Read a network from a ``.safetensors`` file.

    Raises:
        SeparatorError: the file is missing, damaged or of another kind, or torch is not installed.
    """
    try:
        import torch  # noqa: PLC0415 - heavy, and only here when a model is

        from stream_sep.separators.causal.network import CausalNetwork  # noqa: PLC0415 - as above
        from stream_sep.separators.causal.stored_tensors import read_network  # noqa: PLC0415 - it loads Numba
    except ImportError as error:
        raise SeparatorError(f"{path} needs torch to be read ({error}); {install_hint('train')}") from error
    stored = read_network(path)
    network = CausalNetwork(stored.size)
    network.load_state_dict({name: torch.tensor(each) for name, each in dequantized(stored.tensors).items()})
    return network.eval()


def size_of(notes: Mapping[str, Any], path: Path) -> NetworkConfig:
    """Return the network configuration in a file's metadata.

    Args:
        notes: the metadata.
        path: the file, for errors.

    Raises:
        SeparatorError: it is of another kind.
    """
    if notes.get("kind") != KIND:
        raise SeparatorError(
            f"{path} contains {notes.get('kind')!r}, not {KIND!r}; update stream_sep, or train it with this version"
        )
    try:
        return config_from(json.loads(notes["size"]))
    except (KeyError, TypeError, ValueError, RecursionError, ConfigError) as error:
        raise SeparatorError(f"{path} describes a network that cannot be built: {error}") from error
