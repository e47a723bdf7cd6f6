"""Weights of any network of the lab, in files that cannot run code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stream_sep.errors import SeparatorError
from stream_sep.separators.causal.weights import read_notes, save_weights, with_digest, write_whole
from stream_sep.training.baselines.hs_tasnet import HsTasnet
from stream_sep.training.models import CausalTrainee

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TASNET_KIND = "stream_sep hs-tasnet 1"


def keep_weights(trainee: Any, path: Path, about: Mapping[str, str]) -> None:  # noqa: ANN401 - any of the two
    """Write a trainee's weights to a ``.safetensors`` file, with notes."""
    if isinstance(trainee, CausalTrainee):
        save_weights(trainee.network, path, about)
        return
    assert isinstance(trainee, HsTasnet), "there are two kinds"
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in trainee.state_dict().items()}
    shape = {
        "small": trainee.small,
        "hidden": trainee.spectral_in.out_features,
        "basis": trainee.wave_down.in_features,
    }
    notes = {**about, "kind": TASNET_KIND, "size": json.dumps(shape)}
    write_whole(path, with_digest(tensors, notes))


def load_tasnet(path: Path) -> HsTasnet:
    """Read a baseline from a ``.safetensors`` file.

    Raises:
        SeparatorError: the file is missing, damaged, or holds no HS-TasNet.
    """
    from safetensors.torch import load  # noqa: PLC0415 - as above

    notes, data = read_notes(path)
    if notes.get("kind") != TASNET_KIND:
        raise SeparatorError(f"{path} holds no {TASNET_KIND!r} but {notes.get('kind')!r}; name another file")
    network = HsTasnet.from_table(json.loads(notes["size"]))
    network.load_state_dict(load(data))
    return network
