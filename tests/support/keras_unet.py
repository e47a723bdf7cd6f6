"""The U-Net of a Keras checkpoint, read from its HDF5 file by order and shape: to compare with, not to play.

Its spectrograms are in decibels, in and out, with a ReLU that forbids what decibels mostly are: such weights give no
sound. `unet` is the design that does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import SeparatorError, reason
from stream_sep.extras import install_hint
from stream_sep.separators.unet.network import UNet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

KERAS_EPSILON = 1e-3
"""Added to variances by batch norms of Keras; torch adds a hundredth of it."""


def load_keras_unet(path: Path) -> UNet:
    """Read a U-Net from a Keras checkpoint.

    Args:
        path: an ``.h5`` file with the group ``model_weights``, or of weights alone.

    Returns:
        The network, with as many channels, inputs and outputs as the arrays have.

    Raises:
        SeparatorError: the file cannot be read, or its arrays are not those of the U-Net; the first is named.
    """
    layers = _read_layers(path)
    kernels = [array for layer in layers for array in layer if array.ndim == 4]
    if len(kernels) < 2:
        raise SeparatorError(f"{path} does not contain the convolutions of a U-Net")
    first, last = kernels[0], kernels[-1]
    biases = any(len(layer) == 2 and layer[0].ndim == 4 for layer in layers)
    network = UNet(first.shape[3], first.shape[2], last.shape[3], biases=biases)
    modules = list(_in_order(network))
    if len(modules) != len(layers):
        raise SeparatorError(f"{path} has {len(layers)} layers with weights; the U-Net has {len(modules)}")
    for number, (module, arrays) in enumerate(zip(modules, layers, strict=True)):
        _fill(module, arrays, f"{path}: layer {number}")
    return network.eval()


def _in_order(network: UNet) -> Iterator[nn.Module]:
    """Yield the layers with weights in Keras' order, that of the computation."""
    from torch import nn  # noqa: PLC0415 - heavy, and only here when a model is

    parts: list[Any] = [*network.downs, network.middle]
    for up, merge in zip(reversed(list(network.ups)), reversed(list(network.merges)), strict=True):
        parts += [up, merge]
    for part in [*parts, [network.last]]:
        for module in part:
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)):
                yield module


def _fill(module: Any, arrays: list[NDArray[np.float32]], where: str) -> None:
    import torch  # noqa: PLC0415 - as above
    from torch import nn  # noqa: PLC0415 - as above

    if isinstance(module, nn.BatchNorm2d):
        module.eps = KERAS_EPSILON
        tensors = [module.weight, module.bias, module.running_mean, module.running_var]
    else:  # (height, width, inputs, outputs), or transposed (height, width, outputs, inputs)
        arrays = [array.transpose(3, 2, 0, 1) if array.ndim == 4 else array for array in arrays]
        tensors = [module.weight, *([module.bias] if module.bias is not None else [])]
    shapes = [tuple(each.shape) for each in tensors if each is not None]
    if shapes != [array.shape for array in arrays]:
        raise SeparatorError(f"{where} has arrays of {[array.shape for array in arrays]}; the U-Net needs {shapes}")
    with torch.no_grad():
        for tensor, array in zip(tensors, arrays, strict=True):
            assert tensor is not None, "batch norms here track their statistics"
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def _read_layers(path: Path) -> list[list[NDArray[np.float32]]]:
    try:
        import h5py  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SeparatorError(f"Keras checkpoints need h5py to be read ({error}); {install_hint('h5')}") from error
    try:
        with h5py.File(path, "r") as file:
            weights = file.get("model_weights", file)
            layers = [weights[_text(name)] for name in weights.attrs["layer_names"]]
            read = [[np.asarray(layer[_text(name)]) for name in layer.attrs["weight_names"]] for layer in layers]
    except (OSError, KeyError) as error:
        raise SeparatorError(
            f"{path} is not a Keras checkpoint in HDF5 ({reason(error)}); name the file of its weights"
        ) from error
    return [layer for layer in read if layer]


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
