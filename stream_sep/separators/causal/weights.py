"""Weights files: safetensors for training, ONNX for playing; without code, each with a checksum."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.extras import install_hint
from stream_sep.lowlevel.atomic_file import atomic_write
from stream_sep.separators.causal.config import NetworkConfig, config_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.separators.causal.network import CausalNetwork

KIND = "stream_sep causal network 3"
"""Written into every weights file; another number is another architecture."""


_HEADER_SIZE = 8  # safetensors: the length of the header, the header, the tensors
_LONGEST_HEADER = 1 << 20


class WeightStats(NamedTuple):
    """The number of parameters and the size of their file."""

    number: int
    file_bytes: int


def save_weights(network: CausalNetwork, path: Path, about: Mapping[str, str] | None = None) -> None:
    """Write a network's weights atomically.

    Args:
        network: the network.
        path: a ``.safetensors`` file.
        about: further metadata, such as how it was trained.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    notes = {**(about or {}), "kind": KIND, "size": json.dumps(asdict(network.size))}
    atomic_write(path, with_digest(tensors, notes))


def with_digest(tensors: dict[str, Any], notes: Mapping[str, str]) -> bytes:
    """Return a safetensors file whose metadata holds the SHA-256 of its tensors.

    Args:
        tensors: by name.
        notes: further metadata.
    """
    from safetensors.torch import save  # noqa: PLC0415 - heavy, and only here when a model is

    digest = hashlib.sha256(_split(save(tensors, dict(notes)))[1]).hexdigest()
    return bytes(save(tensors, {**notes, "sha256": digest}))


def load_weights(path: Path) -> CausalNetwork:
    """Read a network from a ``.safetensors`` file.

    Raises:
        SeparatorError: the file is missing, damaged or of another kind, or torch is not installed.
    """
    notes, data = read_metadata(path)
    try:
        from safetensors import SafetensorError  # noqa: PLC0415 - heavy, and only here when a model is
        from safetensors.torch import load  # noqa: PLC0415 - as above

        from stream_sep.separators.causal.network import CausalNetwork  # noqa: PLC0415 - as above
    except ImportError as error:
        raise SeparatorError(
            f"{path} needs torch and safetensors to be read ({error}); {install_hint('train')}"
        ) from error
    network = CausalNetwork(size_of(notes, path))
    try:
        network.load_state_dict(load(data))
    except (SafetensorError, RuntimeError) as error:
        raise SeparatorError(f"{path} does not hold the weights its size needs; export or copy it again") from error
    return network.eval()


def count_weights(network: Any) -> int:  # noqa: ANN401 - torch is heavy, and only here when a model is
    """Return the number of parameters of a torch module."""
    return sum(each.numel() for each in network.parameters())


def read_metadata(path: Path) -> tuple[dict[str, str], bytes]:
    """Return the metadata of a ``.safetensors`` file, and the whole file, after checking its checksum.

    Raises:
        SeparatorError: the file is missing, damaged or of another kind.
    """
    data = read_bytes(path)
    try:
        header, tensors = _split(data)
        notes = dict(json.loads(header)["__metadata__"])
    except (ValueError, KeyError, TypeError) as error:
        raise SeparatorError(f"{path} is not a safetensors file with metadata; copy or train it again") from error
    if notes.get("sha256") != hashlib.sha256(tensors).hexdigest():
        raise SeparatorError(f"{path} is damaged: the checksum does not match; copy it again")
    return notes, data


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
            f"{path} holds no {KIND!r} but {notes.get('kind')!r}; train or export it with this version"
        )
    try:
        return config_from(json.loads(notes["size"]))
    except (KeyError, ValueError, ConfigError) as error:
        raise SeparatorError(f"{path} describes a network that cannot be built: {error}") from error


def read_bytes(path: Path) -> bytes:
    """Return a whole file.

    Raises:
        SeparatorError: it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SeparatorError(f"the weights {path} cannot be read ({error.strerror}); is the path right?") from error


def _split(data: bytes) -> tuple[bytes, bytes]:
    length = int.from_bytes(data[:_HEADER_SIZE], "little")
    if length > min(_LONGEST_HEADER, len(data)):
        raise ValueError(length)
    return data[_HEADER_SIZE : _HEADER_SIZE + length], data[_HEADER_SIZE + length :]
