"""Runs a network in compiled code, which takes a third of a library's time after a pause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.band_prior import LOGIT_SCALE, PRIOR_LOGITS
from stream_sep.separators.causal.compiled.convolutions import (
    add_convolved_outputs,
    convolve_inputs,
    new_conv_state,
    new_conv_workspace,
    read_convolutions,
)
from stream_sep.separators.causal.compiled.int8 import QuantizedWeights, quantize_int8
from stream_sep.separators.causal.compiled.layers import (
    Decoder,
    Layer,
    decode,
    encode,
    new_workspace,
    run_layer,
)
from stream_sep.separators.causal.config import states_by_stage
from stream_sep.separators.causal.features import FEATURES
from stream_sep.separators.causal.masks import OUTPUT_CHANNELS
from stream_sep.separators.causal.stored_tensors import contiguous, read_network, under
from stream_sep.separators.weight_file import SCALES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.protocols import Block
    from stream_sep.separators.causal.compiled.convolutions import ConvState
    from stream_sep.separators.causal.runtimes import StepState


class CompiledRuntime:
    """Runs a network on one thread, with the weights per band, which are most of them, in int8.

    The quantization error of `live` on a song is 60 dB below each stem.

    Args:
        path: a ``.safetensors`` file; float32 weights are quantized here.

    Raises:
        SeparatorError: the file is missing, damaged or of another kind.
    """

    def __init__(self, path: Path) -> None:
        self.size, _, tensors, self.weights = read_network(path)
        plan = plan_band_layout(self.size)
        self._place, self._encoder = contiguous(tensors["place"]), _quantized(tensors, "encoder")
        priors = slice(FEATURES * self.size.points, (FEATURES + PRIOR_LOGITS) * self.size.points)
        self._encoder.scales[:, priors] *= LOGIT_SCALE
        self._layers = [_layer(tensors, f"blocks.{block}.") for block in range(self.size.blocks)]
        self._decoder = _decoder(tensors, plan.bands)
        self._workspace = new_workspace(
            plan.bands, self.size.width, self.size.mixer, self._encoder, self._decoder.bands
        )
        self._output_shape = 2 * OUTPUT_CHANNELS, plan.points
        self._local = np.zeros((0, plan.points), np.float32)
        if self.size.conv_channels:
            self._open_convolutions(tensors)

    def _open_convolutions(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self._conv_in, self._conv_out = (read_convolutions(tensors, f"{name}.") for name in ("conv_in", "conv_out"))
        self._conv_in.project_in[:, FEATURES : FEATURES + PRIOR_LOGITS] *= LOGIT_SCALE
        self._conv_workspaces = new_conv_workspace(self._conv_in), new_conv_workspace(self._conv_out)
        self._local = self._conv_workspaces[0].y[: self.size.conv_channels]

    def initial_state(self) -> list[StepState]:
        """Return the state of each stage before the first hop."""
        shape = 1, len(self._place), self.size.width
        states: list[Any] = [np.zeros(shape, np.float32) for _ in self._layers]
        if self.size.conv_channels:
            states = [new_conv_state(self._conv_in), *states, new_conv_state(self._conv_out)]
        return states_by_stage(self.size, states)

    def run_stage(self, number: int, *inputs: Any) -> tuple[Any, ...]:  # noqa: ANN401 - as `StepState`
        """Run one stage of one hop; see `StepRuntime.run_stage`."""
        return self._encode(*inputs) if number == 0 else self._run_block(number, *inputs)

    def _encode(self, features: Block, prior: Block, *state: ConvState) -> tuple[Any, ...]:
        features, prior = features[0, 0], prior[0, 0]
        if state:
            convolve_inputs(features, prior, self._conv_in, state[0], self._conv_workspaces[0])
        x = self._place.copy()
        encode(features, prior, self._local, self._encoder, self._workspace, x)
        return x[None, None], *state

    def _run_block(self, number: int, x: Block, state: Block, *conv_state: ConvState) -> tuple[Any, ...]:
        x, after = x[0, 0].copy(), np.empty_like(state)
        run_layer(x, state[0], self._layers[number - 1], self._workspace, after[0])
        if number < len(self._layers):
            return x[None, None], after
        outputs = np.empty(self._output_shape, np.float32)
        decode(x, self._decoder, self._workspace, outputs)
        if conv_state:
            add_convolved_outputs(outputs, self._conv_out, conv_state[0], self._conv_workspaces[1])
        return outputs.reshape(1, 1, 2, OUTPUT_CHANNELS, -1), after, *conv_state


def _quantized(tensors: Mapping[str, NDArray[Any]], name: str) -> QuantizedWeights:
    if name + SCALES in tensors:
        return QuantizedWeights(contiguous(tensors[name + SCALES]), contiguous(tensors[name]))
    return quantize_int8(tensors[name])


def _layer(tensors: Mapping[str, NDArray[Any]], prefix: str) -> Layer:
    of_block = under(tensors, prefix)
    return Layer(
        norm_weight=np.stack([of_block[f"norms.{norm}.gain"] for norm in range(3)]),
        norm_bias=np.stack([of_block[f"norms.{norm}.offset"] for norm in range(3)]),
        w_ih=contiguous(of_block["memory.weight_ih_l0"].T),
        b_ih=contiguous(of_block["memory.bias_ih_l0"]),
        w_hh=contiguous(of_block["memory.weight_hh_l0"].T),
        b_hh=contiguous(of_block["memory.bias_hh_l0"]),
        w_out=contiguous(of_block["recall.weight"].T),
        b_out=contiguous(of_block["recall.bias"]),
        band_mix_in=contiguous(of_block["gather.weight"]),
        band_mix_in_bias=contiguous(of_block["gather.bias"]),
        band_mix_out=contiguous(of_block["spread.weight"]),
        band_mix_out_bias=contiguous(of_block["spread.bias"]),
        mlp_up=contiguous(of_block["widen.weight"].T),
        mlp_up_bias=contiguous(of_block["widen.bias"]),
        mlp_down=contiguous(of_block["narrow.weight"].T),
        mlp_down_bias=contiguous(of_block["narrow.bias"]),
    )


def _decoder(tensors: Mapping[str, NDArray[Any]], bands: int) -> Decoder:
    return Decoder(
        norm_weight=np.tile(tensors["norm.weight"], (bands, 1)),
        norm_bias=np.tile(tensors["norm.bias"], (bands, 1)),
        hidden=contiguous(tensors["hidden.weight"].T),
        hidden_bias=contiguous(tensors["hidden.bias"]),
        bands=_quantized(tensors, "decoder"),
    )
