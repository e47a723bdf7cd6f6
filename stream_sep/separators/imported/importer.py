"""Conversion of other projects' checkpoints to our weight files; network and sizes follow from the tensors."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from stream_sep.errors import SeparatorError
from stream_sep.lowlevel.atomic_file import atomic_write
from stream_sep.separators.checkpoints.loader import read_tensors
from stream_sep.separators.imported.cascaded_net import CascadedNet, CascadedNetConfig
from stream_sep.separators.imported.frame_transformer_2022 import FrameTransformer2022, FrameTransformer2022Config
from stream_sep.separators.source_groups import SourceGroups
from stream_sep.separators.weight_file import with_digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor, nn

FORMATS = {
    "frame-transformer-2022": "stream_sep frame transformer of 2022 1",
    "vocal-remover": "stream_sep vocal-remover 1",
}
"""Name of a network -> kind in a file of its weights."""

_COMPLEX_INPUTS = 4  # real and imaginary parts of left and right

GROUPS = SourceGroups.preset("vocals-instruments")


def import_checkpoint(source: Path, target: Path) -> str:
    """Read a checkpoint, tensors only, and write it as a ``.safetensors`` file that plays; return its kind.

    Args:
        source: a ``.pth`` file of the frame transformer of 2022, or of vocal-remover 5 or 6. A file of 6.0.0b1 is
            played with the bounds of 6.0.0b2, as its tensors have the same names and shapes.
        target: the file to write.

    Raises:
        SeparatorError: it is missing, holds more than tensors, or is of neither network; or a tensor has another
            shape than its sizes give; the message names it.
    """
    if source.suffix in {".h5", ".hdf5", ".keras"}:
        raise SeparatorError(
            f"{source} is of Keras; the U-Net that is known works on decibels and gives no sound. Train one instead: "
            "'stream-sep train unet-cpu'"
        )
    if source.suffix == ".pb" or (source / "saved_model.pb").is_file():
        raise SeparatorError(
            f"{source} is a SavedModel of TensorFlow, a program that nothing but TensorFlow can run, so it cannot be "
            "imported. Train one instead: 'stream-sep train unet-cpu'"
        )
    tensors = {name.removeprefix("module."): tensor for name, tensor in read_tensors(source).items()}
    join_outputs(tensors)
    name, sizes = recognize(tensors, source)
    network = build_imported(name, sizes)
    check_tensors(network, tensors, source)
    kept = {key: tensor.detach().clone().contiguous() for key, tensor in tensors.items()}
    metadata = {"kind": FORMATS[name], "network": name, "size": json.dumps(sizes), "groups": GROUPS.to_json()}
    atomic_write(target, with_digest(kept, {**metadata, "source": source.name}))
    return name


def recognize(tensors: Mapping[str, Tensor], source: Path) -> tuple[str, dict[str, Any]]:
    """Return the name of a network and its sizes, read off the shapes of its tensors.

    Args:
        tensors: by name.
        source: the file, for errors.

    Raises:
        SeparatorError: it is none that can be imported.
    """
    try:
        if "out_transformer.0.in_project.weight" in tensors:
            return "frame-transformer-2022", asdict(_sizes_of_frame_transformer(tensors))
        if "stg1_low_band_net.0.enc1.conv.0.weight" in tensors:
            return "vocal-remover", asdict(_sizes_of_cascaded_net(tensors))
    except (KeyError, IndexError) as error:
        raise SeparatorError(f"{source} lacks the tensor {error} of the network that it seems to hold") from error
    first = next(iter(tensors), "nothing")
    raise SeparatorError(
        f"{source} is not of a network that can be imported: it begins with {first!r}; imported are "
        f"{', '.join(FORMATS)}. Roformers, SCNet and MDX23C need no import: --model FILE with FILE.yaml beside it"
    )


def build_imported(name: str, sizes: Mapping[str, Any]) -> nn.Module:
    """Return a network of random weights.

    Args:
        name: the network's name.
        sizes: as `recognize` returned them.

    Raises:
        SeparatorError: the sizes are invalid.
    """
    try:
        if name == "frame-transformer-2022":
            return FrameTransformer2022(FrameTransformer2022Config(**sizes))
        return CascadedNet(CascadedNetConfig(**sizes))
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise SeparatorError(f"invalid sizes of {name}: {error}") from error


def check_tensors(network: nn.Module, tensors: Mapping[str, Tensor], source: Path) -> None:
    """Check that tensors are exactly those of a network.

    Args:
        network: the network.
        tensors: by name.
        source: the file, for errors.

    Raises:
        SeparatorError: one is missing, left over, or of another shape; the message names the first.
    """
    expected = {key: tuple(each.shape) for key, each in network.state_dict().items()}
    found = {key: tuple(each.shape) for key, each in tensors.items()}
    for key in [*expected, *found]:
        if expected.get(key) != found.get(key):
            shapes = f"{expected.get(key, 'nothing')} expected, {found.get(key, 'nothing')} found"
            raise SeparatorError(f"{source}: the tensor {key!r} does not fit ({shapes}); is the file whole?")


def _sizes_of_frame_transformer(tensors: Mapping[str, Tensor]) -> FrameTransformer2022Config:
    residual = "enc2.identity.body.0.weight" in tensors
    first = tensors["enc1.body.2.weight" if residual else "enc1.body.0.weight"]
    skip = "skip" if "out_transformer.0.skip_attn1.er" in tensors else "enc"
    head_size, crop = tensors["out_transformer.0.self_attn1.er"].shape
    bins = tensors["out_transformer.0.norm1.weight"].shape[0]
    feedforward = tensors["out_transformer.0.conv3.weight"].shape[0]
    return FrameTransformer2022Config(
        channels=first.shape[0],
        encoders=_count(tensors, "enc1_transformer"),
        decoders=_count(tensors, "out_transformer"),
        bins=bins,
        heads=bins // head_size,
        feedforward=feedforward,
        crop=crop,
        kernel=tensors["out_transformer.0.self_attn1.q_conv.weight"].shape[2],
        residual=residual,
        post_norm=tensors["out_transformer.0.norm2.weight"].shape[0] != bins,
        skip=skip,
    )


def _sizes_of_cascaded_net(tensors: Mapping[str, Tensor]) -> CascadedNetConfig:
    dense = tensors["stg3_full_band_net.lstm_dec2.dense.0.weight"]
    width = tensors["stg3_full_band_net.enc1.conv.0.weight"].shape[0]
    inputs = tensors["stg1_low_band_net.0.enc1.conv.0.weight"].shape[1]
    return CascadedNetConfig(
        width=width,
        recurrent=dense.shape[1],
        bins=2 * dense.shape[0],
        is_complex=inputs == _COMPLEX_INPUTS,
        masks_vocals=tensors["out.weight"].shape[0] == 2 * inputs,
        has_auxiliary="aux_out.weight" in tensors,
    )


def join_outputs(tensors: dict[str, Tensor]) -> None:
    """Replace the two output layers of vocal-remover 6.0.0b3 by the one that later versions have, in place.

    Args:
        tensors: by name.
    """
    if not {"out_y.weight", "out_v.weight"} <= set(tensors):
        return
    instruments, vocals = tensors.pop("out_y.weight"), tensors.pop("out_v.weight")
    real = [instruments[:2], vocals[:2]]  # of left and right, before all imaginary parts
    tensors["out.weight"] = torch.cat([*real, instruments[2:], vocals[2:]])


def _count(tensors: Mapping[str, Tensor], modules: str) -> int:
    return len({key.split(".")[1] for key in tensors if key.startswith(f"{modules}.")})
