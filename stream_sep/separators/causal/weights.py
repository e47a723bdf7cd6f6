"""Weights files: safetensors, in float32 from training or partly in int8; without code, each with a checksum."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.extras import install_hint
from stream_sep.lowlevel.atomic_file import atomic_write
from stream_sep.separators.causal.config import NetworkConfig, config_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from stream_sep.separators.causal.network import CausalNetwork

KIND = "stream_sep causal network 3"
"""Written into every weights file; another number is another architecture."""

SCALES = ".scales"
"""Added to the name of an int8 tensor, ``(bands, inputs, outputs)``: that of its scales, ``(bands, inputs)``."""

_HEADER_SIZE = 8  # safetensors: the length of the header, the header, the tensors
_LONGEST_HEADER = 1 << 20
_DTYPES: Mapping[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "I8": np.dtype("i1")}


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


def dequantized(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return tensors with those of int8 multiplied by their scales.

    Args:
        tensors: by name, of NumPy or PyTorch.

    Raises:
        ValueError: scales are not of the shape that their values need.
    """
    found = dict(tensors)
    for name in tensors:
        scales = found.pop(name + SCALES, None)
        if scales is None:
            continue
        if scales.shape != found[name].shape[:2]:  # else the product may take any amount of memory
            raise ValueError(f"{name} has {tuple(found[name].shape)} values and {tuple(scales.shape)} scales")
        found[name] = found[name] * scales[..., None]
    return found


def count_weights(network: Any) -> int:  # noqa: ANN401 - torch is heavy, and only here when a model is
    """Return the number of parameters of a torch module."""
    return sum(each.numel() for each in network.parameters())


def read_metadata(path: Path) -> tuple[dict[str, str], bytes]:
    """Return the metadata of a ``.safetensors`` file, and the whole file, after checking its checksum.

    Raises:
        SeparatorError: the file is missing, damaged or of another kind.
    """
    if path.suffix == ".onnx":
        raise SeparatorError(f"{path} is for other programs; name the .safetensors file that it was exported from")
    data = _read_bytes(path)
    try:
        header, tensors = _split(data)
        notes = {key: str(value) for key, value in json.loads(header)["__metadata__"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SeparatorError(f"{path} is not a safetensors file with metadata; copy or train it again") from error
    if notes.get("sha256") != hashlib.sha256(tensors).hexdigest():
        raise SeparatorError(f"{path} is damaged: the checksum does not match; copy it again")
    return notes, data


def read_tensors(data: bytes) -> dict[str, NDArray[Any]]:
    """Return the tensors of a ``.safetensors`` file, by name, as read-only views of its bytes.

    Args:
        data: the whole file, as of `read_metadata`.

    Raises:
        KeyError, TypeError, ValueError: another type than float32 and int8, or more bytes than there are.
    """
    header, body = _split(data)
    entries = json.loads(header)
    del entries["__metadata__"]
    return {name: _view(memoryview(body), **entry) for name, entry in entries.items()}


def _view(body: memoryview, dtype: str, shape: list[int], data_offsets: list[int]) -> NDArray[Any]:
    start, end = data_offsets
    if min(shape, default=0) < 0:  # NumPy would choose it
        raise ValueError(shape)
    return np.frombuffer(body[start:end], _DTYPES[dtype]).reshape(shape)


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


def _read_bytes(path: Path) -> bytes:
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
