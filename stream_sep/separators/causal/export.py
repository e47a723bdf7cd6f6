"""Writes a network in other forms: with int8 weights to ship, and as an ONNX model for other programs."""

from __future__ import annotations

import io
import json
import warnings
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from stream_sep.errors import SeparatorError
from stream_sep.extras import install_hint
from stream_sep.lowlevel.atomic_file import atomic_write
from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS
from stream_sep.separators.causal.compiled.int8 import quantize_int8
from stream_sep.separators.causal.features import FEATURES
from stream_sep.separators.causal.stored_tensors import QUANTIZED, read_network
from stream_sep.separators.causal.weights import KIND, load_weights
from stream_sep.separators.weight_file import SCALES, read_metadata, with_digest

if TYPE_CHECKING:
    from pathlib import Path

    from stream_sep.separators.causal.network import CausalNetwork

TOLERANCE = 1e-4
"""Largest deviation of an exported network's outputs from PyTorch's, over some hops of noise."""

_OPSET = 18
_HOPS_COMPARED = 20


def export_int8(weights: Path, target: Path) -> None:
    """Write a copy of weights with those per band in int8, as they are when played: half the size.

    Args:
        weights: a ``.safetensors`` file.
        target: the ``.safetensors`` file to write.

    Raises:
        SeparatorError: the weights cannot be used, or a package is missing.
    """
    try:
        import torch  # noqa: PLC0415 - heavy, and only here when a model is
    except ImportError as error:
        raise SeparatorError(f"exporting needs torch ({error}); {install_hint('train')}") from error
    _, metadata, tensors, _ = read_network(weights)
    for name in QUANTIZED:
        if name + SCALES not in tensors:
            tensors[name + SCALES], tensors[name] = quantize_int8(tensors[name])
    copies = {name: torch.tensor(tensor) for name, tensor in tensors.items()}
    atomic_write(target, with_digest(copies, metadata))


def export_onnx(weights: Path, target: Path) -> float:
    """Write one step of a network as an ``.onnx`` file; return its largest difference from PyTorch.

    Its inputs are ``features``, ``hints`` and the states, ``memory1`` and on; its outputs ``corrections`` and the
    next states, ``memory1_after`` and on: those of `CausalNetwork.forward` for one hop.

    Args:
        weights: a ``.safetensors`` file.
        target: the ``.onnx`` file to write.

    Raises:
        SeparatorError: the weights cannot be used, a package is missing, or the two networks differ; nothing is
            written then.
    """
    network = load_weights(weights)
    notes = {**read_metadata(weights)[0], "kind": KIND, "size": json.dumps(asdict(network.size))}
    notes.pop("sha256")
    model = _onnx_model(network, notes)
    error = _compare(network, model)
    if not error < TOLERANCE:
        raise SeparatorError(f"the exported network of {weights} differs from it by {error:.1g}; try another torch")
    atomic_write(target, model)
    return error


def _onnx_model(network: CausalNetwork, notes: dict[str, str]) -> bytes:
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    try:
        import onnx  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SeparatorError(f"exporting needs onnx ({error}); {install_hint('train')}") from error

    class Step(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, features: Any, hints: Any, *state: Any) -> Any:  # noqa: ANN401 - tensors
            corrections, after = self.network(features, hints, state)
            return corrections, *after

    states = [f"memory{number}" for number in range(1, len(network.initial_state()) + 1)]
    points, buffer = network.plan.points, io.BytesIO()
    features, hints = torch.zeros(1, 1, FEATURES, points), torch.zeros(1, 1, PRIOR_CHANNELS, points)
    with warnings.catch_warnings():  # the exporter's other mode takes the GRU apart, which runs slower
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Step(),
            (features, hints, *network.initial_state()),
            cast("Any", buffer),
            input_names=["features", "hints", *states],
            output_names=["corrections", *(f"{state}_after" for state in states)],
            opset_version=_OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, notes)
    return bytes(model.SerializeToString())


def _compare(network: CausalNetwork, model: bytes) -> float:
    """Return the largest difference between a network and its ONNX model in ONNX Runtime, over some hops of noise."""
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SeparatorError(f"exporting needs ONNX Runtime ({error}); {install_hint('train')}") from error
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in session.get_inputs()]
    rng, worst, state = np.random.default_rng(0), 0.0, network.initial_state()
    found = [each.numpy() for each in state]
    for _ in range(_HOPS_COMPARED):
        features, hints = (
            rng.standard_normal((1, 1, channels, network.plan.points)).astype(np.float32)
            for channels in (FEATURES, PRIOR_CHANNELS)
        )
        with torch.inference_mode():
            expected, state = network(torch.tensor(features), torch.tensor(hints), state)
        corrections, *found = session.run(None, dict(zip(names, (features, hints, *found), strict=True)))
        worst = max(worst, float(np.abs(corrections - expected.numpy()).max()))
    return worst
