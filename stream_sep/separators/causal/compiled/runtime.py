"""Runs a network in compiled code, which takes a third of a library's time after a pause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import SeparatorError
from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.band_prior import LOGIT_SCALE, PRIOR_LOGITS
from stream_sep.separators.causal.compiled.int8 import QuantizedWeights, pad_inputs, quantize_int8
from stream_sep.separators.causal.compiled.layers import (
    Decoder,
    Layer,
    decode,
    encode,
    new_workspace,
    run_layer,
)
from stream_sep.separators.causal.features import FEATURES
from stream_sep.separators.causal.masks import OUTPUT_CHANNELS
from stream_sep.separators.causal.stored_tensors import read_network
from stream_sep.separators.causal.weights import SCALES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.protocols import Block


class CompiledRuntime:
    """Runs a network on one thread, with the weights per band, which are most of them, in int8.

    The quantization error of `live` on a song is 60 dB below each stem.

    Args:
        path: a ``.safetensors`` file; what it has in float32 is quantized here.

    Raises:
        SeparatorError: the file is missing, damaged or of another kind.
    """

    def __init__(self, path: Path) -> None:
        self.size, tensors, self.weights = read_network(path)
        if self.size.conv_channels:
            raise SeparatorError(f"{path} has convolutions, which are trained but not played yet")
        plan = plan_band_layout(self.size)
        self._place, self._encoder = _contiguous(tensors["place"]), _quantized(tensors, "encoder")
        priors = slice(FEATURES * self.size.points, (FEATURES + PRIOR_LOGITS) * self.size.points)
        self._encoder.scales[:, priors] *= LOGIT_SCALE
        self._layers = [_layer(tensors, f"blocks.{block}.") for block in range(self.size.blocks)]
        self._decoder = _decoder(tensors, plan.bands)
        self._workspace = new_workspace(
            plan.bands, self.size.width, self.size.mixer, self._encoder, self._decoder.bands
        )
        self._output_shape = 2 * OUTPUT_CHANNELS, plan.points

    def run_stage(self, number: int, *given: Block) -> tuple[Block, ...]:
        """Run one stage of one hop; see `CausalNetwork.run_stage`."""
        if number == 0:
            encoder_in = self._place.copy()
            encode(given[0][0, 0], given[1][0, 0], self._encoder, self._workspace, encoder_in)
            return (encoder_in[None, None],)
        x, state = given[0][0, 0].copy(), given[1][0]
        after = np.empty_like(state)
        run_layer(x, state, self._layers[number - 1], self._workspace, after)
        if number < len(self._layers):
            return x[None, None], after[None]
        decoder_out = np.empty(self._output_shape, np.float32)
        decode(x, self._decoder, self._workspace, decoder_out)
        return decoder_out.reshape(1, 1, 2, OUTPUT_CHANNELS, -1), after[None]


def _quantized(tensors: Mapping[str, NDArray[Any]], name: str) -> QuantizedWeights:
    if name + SCALES in tensors:
        return pad_inputs(QuantizedWeights(tensors[name + SCALES], tensors[name]))
    return pad_inputs(quantize_int8(tensors[name]))


def _layer(tensors: Mapping[str, NDArray[Any]], prefix: str) -> Layer:
    of_block = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return Layer(
        norm_weight=np.stack([of_block[f"norms.{norm}.gain"] for norm in range(3)]),
        norm_bias=np.stack([of_block[f"norms.{norm}.offset"] for norm in range(3)]),
        w_ih=_contiguous(of_block["memory.weight_ih_l0"].T),
        b_ih=_contiguous(of_block["memory.bias_ih_l0"]),
        w_hh=_contiguous(of_block["memory.weight_hh_l0"].T),
        b_hh=_contiguous(of_block["memory.bias_hh_l0"]),
        w_out=_contiguous(of_block["recall.weight"].T),
        b_out=_contiguous(of_block["recall.bias"]),
        band_mix_in=_contiguous(of_block["gather.weight"]),
        band_mix_in_bias=_contiguous(of_block["gather.bias"]),
        band_mix_out=_contiguous(of_block["spread.weight"]),
        band_mix_out_bias=_contiguous(of_block["spread.bias"]),
        mlp_up=_contiguous(of_block["widen.weight"].T),
        mlp_up_bias=_contiguous(of_block["widen.bias"]),
        mlp_down=_contiguous(of_block["narrow.weight"].T),
        mlp_down_bias=_contiguous(of_block["narrow.bias"]),
    )


def _decoder(tensors: Mapping[str, NDArray[Any]], bands: int) -> Decoder:
    return Decoder(
        norm_weight=np.tile(tensors["norm.weight"], (bands, 1)),
        norm_bias=np.tile(tensors["norm.bias"], (bands, 1)),
        hidden=_contiguous(tensors["hidden.weight"].T),
        hidden_bias=_contiguous(tensors["hidden.bias"]),
        bands=_quantized(tensors, "decoder"),
    )


def _contiguous(tensor: Block) -> Block:
    """Return a C-contiguous copy that may be written, as compiled code needs."""
    return np.array(tensor, order="C")
