"""Weights of any network of the lab, in files that cannot run code."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from stream_sep.lab.hs_tasnet import HsTasnet
from stream_sep.lab.trainee import CausalTrainee
from stream_sep.models.weights import save_weights, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TASNET_KIND = "stream_sep hs-tasnet 1"


def keep_weights(trainee: Any, path: Path, about: Mapping[str, str]) -> None:  # noqa: ANN401 - any of the two
    """Write a trainee's weights to a ``.safetensors`` file, with notes."""
    if isinstance(trainee, CausalTrainee):
        save_weights(trainee.network, path, about)
        return
    from safetensors.torch import save  # noqa: PLC0415 - heavy, and only here for a baseline

    assert isinstance(trainee, HsTasnet), "there are two kinds"
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in trainee.state_dict().items()}
    digest = hashlib.sha256(b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))).hexdigest()
    write_whole(path, save(tensors, {**about, "kind": TASNET_KIND, "sha256": digest}))
