"""Exports weights to ONNX: one step of a network as a graph, compared with PyTorch before it is kept."""

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
from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS
from stream_sep.separators.causal.compiled.runtime import CompiledRuntime
from stream_sep.separators.causal.features import FEATURES
from stream_sep.separators.causal.onnx_bundle import digest_note, join_parts
from stream_sep.separators.causal.runtimes import OnnxRuntime, TorchRuntime
from stream_sep.separators.causal.staggered_inference import StaggeredInference
from stream_sep.separators.causal.weights import KIND, count_weights, load_weights, read_metadata

if TYPE_CHECKING:
    from pathlib import Path

    from stream_sep.separators.causal.network import CausalNetwork
    from stream_sep.separators.causal.runtimes import StepRuntime

TOLERANCE = 1e-4
"""Largest deviation of an exported network's outputs from PyTorch's, over some hops of noise."""

QUANTIZED_TOLERANCE = 0.1
"""The same for the compiled runtime with int8 weights: far above quantization error, far below any mistake."""

_OPSET = 18
_HOPS_COMPARED = 20


def export_onnx(weights: Path, target: Path) -> float:
    """Write the network of a ``.safetensors`` file as an ``.onnx`` file; return the largest output error.

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
    notes["weights"] = str(count_weights(network))
    body = join_parts(_graphs(network), notes)
    part = target.with_name(f".{target.stem}.part.onnx")
    atomic_write(part, body + digest_note(body))
    try:
        trained = TorchRuntime(weights)
        error = compare(trained, OnnxRuntime(part))
        if not error < TOLERANCE:
            raise SeparatorError(
                f"the exported network of {weights} differs from it by {error:.1g}; try another torch"
            )
        if not compare(trained, CompiledRuntime(part)) < QUANTIZED_TOLERANCE:
            raise SeparatorError(f"the compiled runtime does not reproduce {weights}; try another torch version")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return error


def compare(one: StepRuntime, other: StepRuntime) -> float:
    """Return the largest output difference of two runtimes over some hops of noise.

    Args:
        one: a runtime.
        other: a runtime of the same configuration.
    """
    rng = np.random.default_rng(0)
    asked, worst = (StaggeredInference(one), StaggeredInference(other)), 0.0
    for _ in range(_HOPS_COMPARED):
        spectra = rng.standard_normal((1, 2, 2 * one.size.bins)).astype(np.float32).view(np.complex64)
        hints = rng.standard_normal((1, PRIOR_CHANNELS, plan_band_layout(one.size).points)).astype(np.float32)
        first, second = (each.step(spectra, hints) for each in asked)
        worst = max(worst, float(np.abs(first - second).max()))
    return worst


def _graphs(network: CausalNetwork) -> list[Any]:
    """Return an ONNX model of each stage; their input and output names connect them."""
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    shape = (1, 1, FEATURES, network.plan.points), (1, 1, PRIOR_CHANNELS, network.plan.points)
    given = dict(zip(("features", "hints"), map(torch.zeros, shape), strict=True))
    models = [_graph(network, 0, given, ("x0",))]
    (x,) = network.run_stage(0, *given.values())
    for number, memory in enumerate(network.initial_state(), start=1):
        given = {f"x{number - 1}": x, f"memory{number}": memory}
        made = "corrections" if number == network.size.blocks else f"x{number}"
        models.append(_graph(network, number, given, (made, f"memory{number}_after")))
    return models


def _graph(network: CausalNetwork, number: int, given: dict[str, Any], made: tuple[str, ...]) -> Any:  # noqa: ANN401 - onnx has no types
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    try:
        import onnx  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SeparatorError(f"exporting needs onnx ({error}); {install_hint('train')}") from error

    class Part(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *given: Any) -> Any:  # noqa: ANN401 - tensors
            return self.network.run_stage(number, *given)

    buffer = io.BytesIO()
    with warnings.catch_warnings():  # the exporter's other mode takes the GRU apart, which runs slower
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Part(),
            tuple(given.values()),
            cast("Any", buffer),
            input_names=list(given),
            output_names=list(made),
            opset_version=_OPSET,
            dynamo=False,
        )
    return _renamed(onnx.load_from_string(buffer.getvalue()), f"part{number}")


def _renamed(model: Any, prefix: str) -> Any:  # noqa: ANN401 - onnx has no types
    """Return a model in which everything but inputs and outputs has the stage's name as a prefix."""
    kept = {"", *(end.name for end in (*model.graph.input, *model.graph.output))}

    def name(old: str) -> str:
        return old if old in kept else f"{prefix}/{old}"

    for node in model.graph.node:
        node.name = f"{prefix}/{node.name}"
        node.input[:], node.output[:] = [name(each) for each in node.input], [name(each) for each in node.output]
    for initializer in model.graph.initializer:
        initializer.name = name(initializer.name)
    return model
