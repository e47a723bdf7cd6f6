"""Runs an exported network in compiled code, which takes a third of a library's time after a pause."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import SeparatorError
from stream_sep.separators.causal.band_layout import plan_band_layout
from stream_sep.separators.causal.band_prior import LOGIT_SCALE, PRIOR_CHANNELS, PRIOR_LOGITS
from stream_sep.separators.causal.compiled.int8 import quantize_int8, quantized_shapes
from stream_sep.separators.causal.compiled.layers import (
    Decoder,
    Layer,
    decode,
    decoder_shapes,
    encode,
    layer_shapes,
    new_workspace,
    run_layer,
)
from stream_sep.separators.causal.features import FEATURES
from stream_sep.separators.causal.masks import OUTPUT_CHANNELS
from stream_sep.separators.causal.onnx_bundle import read_export, read_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.protocols import Block


_MEMORY = ("given", "recalled", "offsets")
_PRODUCTS = ("recall", "gather", "spread", "widen", "narrow")


class CompiledRuntime:
    """Runs an exported network on one thread, with the weights per band, which are most of them, in int8.

    The quantization error of `live` on a song is 60 dB below each stem.

    Args:
        path: an ``.onnx`` file that `export_onnx` wrote.

    Raises:
        SeparatorError: the file is missing, damaged or of another kind.
    """

    def __init__(self, path: Path) -> None:
        self.size, self.weights, models = read_export(path)
        plan = plan_band_layout(self.size)
        try:
            roles = [(), *[_PRODUCTS] * (len(models) - 2), (*_PRODUCTS, "hidden")]
            parts = [_by_role(read_tensors(model), products) for model, products in zip(models, roles, strict=True)]
            self._place, self._encoder = (
                parts[0]["place"],
                quantize_int8(_fold_logit_scale(parts[0]["encoder"], self.size.points)),
            )
            self._layers = [_layer(run_stage) for run_stage in parts[1:]]
            self._decoder = _decoder(parts[-1], plan.bands)
            self._check_shapes(plan.bands)
        except (KeyError, IndexError, ValueError) as error:
            raise SeparatorError(
                f"{path} has other weights than this version writes ({error!r}); export it again"
            ) from error
        self._workspace = new_workspace(
            plan.bands, self.size.width, self.size.mixer, self._encoder, self._decoder.bands
        )
        self._output_shape = 2 * OUTPUT_CHANNELS, plan.points

    def _check_shapes(self, bands: int) -> None:
        """Raise ValueError where shapes differ from the configuration, as compiled code does not check them."""
        size, outputs = self.size, 2 * OUTPUT_CHANNELS * self.size.points
        decoder = self._decoder
        arrays: list[Block | NDArray[np.int8]] = [self._place, *self._encoder, *itertools.chain(*self._layers)]
        arrays += [decoder.norm_weight, decoder.norm_bias, decoder.hidden, decoder.hidden_bias, *decoder.bands]
        shapes = [
            *((bands, size.width), *quantized_shapes(bands, (FEATURES + PRIOR_CHANNELS) * size.points, size.width)),
            *(layer_shapes(bands, size.width, size.mixer) * size.blocks),
            *decoder_shapes(bands, size.width),
            *quantized_shapes(bands, size.width // 2, outputs),
        ]
        for array, shape in zip(arrays, shapes, strict=True):
            if array.shape != shape:
                raise ValueError(f"{array.shape} in place of {shape}")

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


def _by_role(tensors: Mapping[str, Block], products: tuple[str, ...]) -> dict[str, Block]:
    """Name weights as their block does; the exporter numbers those of matrix products, in order of use."""
    found = {name.rpartition("network.")[2]: tensor for name, tensor in tensors.items() if "onnx::" not in name}
    found = {name.split(".", 2)[2] if name.startswith("blocks.") else name: tensor for name, tensor in found.items()}
    for kind, roles in (("GRU", _MEMORY if products else ()), ("MatMul", products)):
        names = sorted((name for name in tensors if f"onnx::{kind}_" in name), key=_number)
        found.update(zip(roles, (tensors[name] for name in names), strict=True))
    return found


def _number(name: str) -> int:
    return int(name.rpartition("_")[2])


def _fold_logit_scale(encoder: Block, points: int) -> Block:
    """Fold the scale of the prior logits into the encoder's weights."""
    kinds = encoder.reshape(len(encoder), FEATURES + PRIOR_CHANNELS, points, -1)
    kinds[:, FEATURES : FEATURES + PRIOR_LOGITS] *= LOGIT_SCALE
    return kinds.reshape(encoder.shape)


def _layer(run_stage: Mapping[str, Block]) -> Layer:
    b_ih, b_hh = np.split(run_stage["offsets"][0], 2)
    return Layer(
        norm_weight=np.stack([run_stage[f"norms.{norm}.gain"] for norm in range(3)]),
        norm_bias=np.stack([run_stage[f"norms.{norm}.offset"] for norm in range(3)]),
        w_ih=_contiguous(run_stage["given"][0].T),
        b_ih=_contiguous(b_ih),
        w_hh=_contiguous(run_stage["recalled"][0].T),
        b_hh=_contiguous(b_hh),
        w_out=run_stage["recall"],
        b_out=run_stage["recall.bias"],
        band_mix_in=_contiguous(run_stage["gather"].T),
        band_mix_in_bias=run_stage["gather.bias"],
        band_mix_out=_contiguous(run_stage["spread"].T),
        band_mix_out_bias=run_stage["spread.bias"],
        mlp_up=run_stage["widen"],
        mlp_up_bias=run_stage["widen.bias"],
        mlp_down=run_stage["narrow"],
        mlp_down_bias=run_stage["narrow.bias"],
    )


def _decoder(run_stage: Mapping[str, Block], bands: int) -> Decoder:
    return Decoder(
        norm_weight=_contiguous(np.tile(run_stage["norm.weight"], (bands, 1))),
        norm_bias=_contiguous(np.tile(run_stage["norm.bias"], (bands, 1))),
        hidden=run_stage["hidden"],
        hidden_bias=run_stage["hidden.bias"],
        bands=quantize_int8(run_stage["decoder"]),
    )


def _contiguous(array: Block) -> Block:
    """Return a C-contiguous float32 copy, as compiled code needs."""
    return np.array(array, np.float32, order="C")
