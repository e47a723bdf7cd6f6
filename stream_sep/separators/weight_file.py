"""Weights files of any kind of network: safetensors, float32 or partly int8; without code, each with a checksum."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.extras import install_hint
from stream_sep.separators.source_groups import FOUR, SourceGroups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SCALES = ".scales"
"""Added to the name of an int8 tensor, ``(bands, inputs, outputs)``: that of its scales, ``(bands, inputs)``."""

_HEADER_SIZE = 8  # safetensors: the length of the header, the header, the tensors
_LONGEST_HEADER = 1 << 20
_DTYPES: Mapping[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "I8": np.dtype("i1")}


class WeightStats(NamedTuple):
    """The number of parameters and the size of their file."""

    number: int
    file_bytes: int


@dataclass(frozen=True)
class WeightFile:
    """A ``.safetensors`` file that was read and whose checksum is right.

    Attributes:
        path: its path.
        format: its format, such as ``stream_sep unet 1``.
        sizes: the table from which its network is built.
        groups: the source groups of its stems.
        metadata: all that is written in it.
        data: the whole file.
    """

    path: Path
    format: str
    sizes: Mapping[str, Any]
    groups: SourceGroups
    metadata: Mapping[str, str]
    data: bytes

    def size(self, key: str) -> int:
        """Return a whole number of the sizes.

        Raises:
            SeparatorError: there is none of that name, or it is less than 1.
        """
        found = self.sizes.get(key) if isinstance(self.sizes, dict) else None
        if type(found) is not int or found < 1:
            raise SeparatorError(
                f"the metadata of {self.path} have no size {key!r} ({found!r}); train or copy it again"
            )
        return found

    def fill(self, module: Any) -> WeightStats:  # noqa: ANN401 - torch is heavy, and only here when a model is
        """Load the tensors into a torch module, and return how many they are.

        Raises:
            SeparatorError: they do not fit; the message names the first that does not.
        """
        from safetensors import SafetensorError  # noqa: PLC0415 - heavy, and only here when a model is
        from safetensors.torch import load  # noqa: PLC0415 - as above

        try:
            module.load_state_dict(dequantized(load(self.data)))
        except (SafetensorError, RuntimeError, ValueError) as error:
            why = " ".join(str(error).split())
            raise SeparatorError(f"the weights in {self.path} do not fit its sizes ({why}); copy it again") from error
        module.eval()
        return WeightStats(count_weights(module), len(self.data))


def read_weight_file(path: Path, expected: str = "") -> WeightFile:
    """Read a file of weights.

    Args:
        path: a ``.safetensors`` file that a training or an import wrote.
        expected: the format that it must have; any unless given.

    Raises:
        SeparatorError: it is missing, damaged, of another format, or torch is not installed.
    """
    metadata, data = read_metadata(path)
    found = metadata.get("kind", "")
    if expected and found != expected:
        raise SeparatorError(
            f"{path} holds {found!r}, not {expected!r}; name another file, or the model that reads it"
        )
    try:
        import safetensors  # noqa: F401, PLC0415 - heavy, and only here when a model is
        import torch  # noqa: F401, PLC0415 - as above
    except ImportError as error:
        raise SeparatorError(
            f"{path} needs torch and safetensors to be read ({error}); {install_hint('train')}"
        ) from error
    try:
        sizes = json.loads(metadata["size"])
        groups = SourceGroups.from_table(json.loads(metadata["groups"])) if "groups" in metadata else FOUR
    except (KeyError, ValueError, AttributeError, ConfigError) as error:
        raise SeparatorError(
            f"the metadata of {path} describe no network ({error}); train or copy it again"
        ) from error
    return WeightFile(path, found, sizes, groups, metadata, data)


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


def with_digest(tensors: dict[str, Any], notes: Mapping[str, str]) -> bytes:
    """Return a safetensors file whose metadata holds the SHA-256 of its tensors.

    Args:
        tensors: by name.
        notes: further metadata.
    """
    from safetensors.torch import save  # noqa: PLC0415 - heavy, and only here when a model is

    digest = hashlib.sha256(_split(save(tensors, dict(notes)))[1]).hexdigest()
    return bytes(save(tensors, {**notes, "sha256": digest}))


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


def weights_needed(model: str, preset: str) -> SeparatorError:
    """Return the error of a model for which no weights were named.

    Args:
        model: its name.
        preset: the training preset that makes some.
    """
    return SeparatorError(
        f"no weights ship with {model!r}; train some with 'stream-sep train {preset}', and "
        "name the file with --option weights=FILE or as --model FILE.safetensors"
    )
