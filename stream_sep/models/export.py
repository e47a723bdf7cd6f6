"""From weights in training to a file that plays: one step of a network as an ONNX graph, checked and then kept."""

from __future__ import annotations

import io
import json
import warnings
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from stream_sep.errors import SeparatorError
from stream_sep.models.hints import HINTS
from stream_sep.models.points import plan_points
from stream_sep.models.runtimes import INPUTS, OUTPUTS, OnnxRuntime, TorchRuntime, digest_note
from stream_sep.models.weights import INSTALL, KIND, count_weights, load_weights, read_notes, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from stream_sep.models.network import CausalNetwork
    from stream_sep.models.runtimes import StepRuntime
    from stream_sep.protocols import Block

TOLERANCE = 1e-4
"""How far the corrections of an exported network may be from those of torch, over some hops of noise."""

_OPSET = 18
_HOPS_COMPARED = 20


def export_onnx(weights: Path, target: Path) -> float:
    """Write the network of a ``.safetensors`` file as an ``.onnx`` file; return the greatest error of what it says.

    Raises:
        SeparatorError: the weights cannot be used, a package is missing, or the two networks differ; nothing is
            written then.
    """
    network = load_weights(weights)
    notes = {**read_notes(weights)[0], "kind": KIND, "size": json.dumps(asdict(network.size))}
    notes.pop("sha256")
    notes["weights"] = str(count_weights(network))
    body = _graph(network, notes)
    part = target.with_name(f".{target.stem}.part.onnx")
    write_whole(part, body + digest_note(body))
    try:
        error = compare(TorchRuntime(weights), OnnxRuntime(part))
        if not error < TOLERANCE:
            raise SeparatorError(
                f"the exported network of {weights} differs from it by {error:.1g}; try another torch"
            )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return error


def compare(one: StepRuntime, other: StepRuntime) -> float:
    """Return the greatest difference of what two runtimes say over some hops of noise."""
    rng = np.random.default_rng(0)
    states, worst = [one.fresh_state(), other.fresh_state()], 0.0
    for _ in range(_HOPS_COMPARED):
        spectra = rng.standard_normal((1, 1, 4, one.size.bins)).astype(np.float32)
        hints = rng.standard_normal((1, 1, HINTS, plan_points(one.size).points)).astype(np.float32)
        said: list[Block] = []
        for number, runtime in enumerate((one, other)):
            found, states[number] = runtime.step(spectra, hints, states[number])
            said.append(found)
        worst = max(worst, float(np.abs(said[0] - said[1]).max()))
    return worst


def _graph(network: CausalNetwork, notes: dict[str, str]) -> bytes:
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    try:
        import onnx  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SeparatorError(f"exporting needs onnx ({error}); {INSTALL}") from error
    hints = torch.zeros(1, 1, HINTS, network.plan.points)
    given = (torch.zeros(1, 1, 4, network.size.bins), hints, network.fresh_state())
    buffer = io.BytesIO()
    with warnings.catch_warnings():  # the exporter's other mode takes the GRU apart, which runs slower
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            given,
            cast("Any", buffer),
            input_names=INPUTS,
            output_names=OUTPUTS,
            opset_version=_OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, notes)
    return bytes(model.SerializeToString())
