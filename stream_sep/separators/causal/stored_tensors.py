"""The tensors in a causal network's weights file: names, shapes and types, checked before use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stream_sep.errors import SeparatorError
from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS
from stream_sep.separators.causal.config import CONV_DILATIONS, CONV_KERNEL
from stream_sep.separators.causal.features import FEATURES
from stream_sep.separators.causal.masks import OUTPUT_CHANNELS
from stream_sep.separators.causal.weights import size_of
from stream_sep.separators.weight_file import SCALES, WeightStats, read_metadata, read_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.separators.causal.config import NetworkConfig

QUANTIZED = ("encoder", "decoder")
"""Tensors that may be int8 values with scales: those per band, which are most of all weights."""


class StoredNetwork(NamedTuple):
    """A network as read from its file.

    Attributes:
        size: its configuration.
        metadata: all that is written in the file.
        tensors: read-only, by their names in `CausalNetwork`, float32 or those `QUANTIZED`.
        stats: number of parameters, and file size.
    """

    size: NetworkConfig
    metadata: dict[str, str]
    tensors: dict[str, NDArray[Any]]
    stats: WeightStats


def read_network(path: Path) -> StoredNetwork:
    """Read the weights of a causal network.

    Args:
        path: a ``.safetensors`` file.

    Raises:
        SeparatorError: the file is missing, damaged, of another kind, or its tensors are not those its size needs.
    """
    metadata, data = read_metadata(path)
    size = size_of(metadata, path)
    try:
        tensors = read_tensors(data)
        _check(tensors, _shapes(size))
    except (KeyError, TypeError, ValueError) as error:
        raise SeparatorError(
            f"{path} does not hold the weights its size needs ({error}); export or copy it again"
        ) from error
    parameters = sum(tensor.size for name, tensor in tensors.items() if not name.endswith(SCALES))
    return StoredNetwork(size, metadata, tensors, WeightStats(parameters, len(data)))


def under(tensors: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Return the tensors of one module, by their names in it.

    Args:
        tensors: all of the network's, by name.
        prefix: of the names of the module's.
    """
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def contiguous(tensor: NDArray[Any]) -> NDArray[Any]:
    """Return a C-contiguous copy that may be written, as compiled code needs."""
    return np.array(tensor, order="C")


def _check(tensors: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ValueError where tensors are missing, too many, or of other shapes, types or values than they may be."""
    rounded = [name for name in QUANTIZED if name + SCALES in tensors]
    expected = {**shapes, **{name + SCALES: shapes[name][:2] for name in rounded}}
    for name in sorted(expected.keys() ^ tensors.keys()):
        raise ValueError(f"{name} is {'missing' if name in expected else 'unknown'}")
    for name, tensor in tensors.items():
        dtype = np.dtype(np.int8 if name in rounded else np.float32)
        if (tensor.shape, tensor.dtype) != (expected[name], dtype):
            raise ValueError(f"{name} is {tensor.dtype} {tensor.shape} in place of {dtype} {expected[name]}")
        if not np.isfinite(tensor).all():
            raise ValueError(f"{name} is not finite")


def _shapes(size: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Return the shapes of `CausalNetwork`'s tensors, by name."""
    bands, width, mixer = plan_band_layout(size).bands, size.width, size.mixer
    layers = {"recall": (width, width), "gather": (mixer, bands), "spread": (bands, mixer)}
    layers |= {"widen": (2 * width, width), "narrow": (width, 2 * width)}
    block: dict[str, tuple[int, ...]] = {f"{name}.weight": shape for name, shape in layers.items()}
    block |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    block |= {f"norms.{norm}.{kind}": (bands, width) for norm in range(3) for kind in ("gain", "offset")}
    for kind in ("ih", "hh"):
        block |= {f"memory.weight_{kind}_l0": (3 * width, width), f"memory.bias_{kind}_l0": (3 * width,)}
    return {
        "encoder": (bands, (FEATURES + PRIOR_CHANNELS + size.conv_channels) * size.points, width),
        "place": (bands, width),
        **{f"blocks.{number}.{name}": shape for number in range(size.blocks) for name, shape in block.items()},
        "norm.weight": (width,),
        "norm.bias": (width,),
        "hidden.weight": (width // 2, width),
        "hidden.bias": (width // 2,),
        "decoder": (bands, width // 2, 2 * OUTPUT_CHANNELS * size.points),
        **_convolution_shapes(size),
    }


def _convolution_shapes(size: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the tensors of `CausalConvolutions`, by name."""
    channels, points = size.conv_channels, plan_band_layout(size).points
    if not channels:
        return {}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, inputs in (("conv_in", FEATURES + PRIOR_CHANNELS), ("conv_out", 2 * OUTPUT_CHANNELS)):
        shapes |= {f"{name}.project_in.weight": (channels, inputs, 1, 1), f"{name}.project_in.bias": (channels,)}
        for layer in range(len(CONV_DILATIONS)):
            shapes |= {f"{name}.norms.{layer}.{kind}": (channels, points) for kind in ("weight", "bias")}
            shapes[f"{name}.layers.{layer}.weight"] = (channels, channels, CONV_KERNEL, CONV_KERNEL)
            shapes[f"{name}.layers.{layer}.bias"] = (channels,)
    outputs = 2 * OUTPUT_CHANNELS
    return {
        **shapes,
        "conv_out.project_out.weight": (outputs, channels, 1, 1),
        "conv_out.project_out.bias": (outputs,),
    }
