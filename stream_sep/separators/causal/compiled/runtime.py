"""Plays an exported network with compiled code of our own, which takes a third of a library's time after a rest."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import SeparatorError
from stream_sep.separators.causal.band_layout import plan_points
from stream_sep.separators.causal.band_prior import GUESS_SCALE, GUESSES, HINTS
from stream_sep.separators.causal.compiled.int8 import rounded, rounded_shapes
from stream_sep.separators.causal.compiled.layers import (
    Decoder,
    Layer,
    decode,
    decoder_shapes,
    encode,
    layer_shapes,
    new_scratch,
    run_layer,
)
from stream_sep.separators.causal.features import FEATURES
from stream_sep.separators.causal.masks import CORRECTIONS
from stream_sep.separators.causal.onnx_bundle import read_export, read_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from stream_sep.protocols import Block


_MEMORY = ("given", "recalled", "offsets")
_PRODUCTS = ("recall", "gather", "spread", "widen", "narrow")


class CompiledRuntime:
    """Runs an exported network; what is each band's own, most of the weights, in eight bits. For one thread.

    What that does to a song that `live` separates is 60 dB below each stem.

    Args:
        path: an ``.onnx`` file that `export_onnx` wrote.

    Raises:
        SeparatorError: the file is missing, damaged or none of ours.
    """

    def __init__(self, path: Path) -> None:
        self.size, self.weights, models = read_export(path)
        plan = plan_points(self.size)
        try:
            roles = [(), *[_PRODUCTS] * (len(models) - 2), (*_PRODUCTS, "hidden")]
            parts = [_by_role(read_tensors(model), products) for model, products in zip(models, roles, strict=True)]
            self._place, self._encoder = parts[0]["place"], rounded(_scaled(parts[0]["encoder"], self.size.points))
            self._layers = [_layer(part) for part in parts[1:]]
            self._decoder = _decoder(parts[-1], plan.bands)
            self._check_shapes(plan.bands)
        except (KeyError, IndexError, ValueError) as error:
            raise SeparatorError(
                f"{path} has other weights than this version writes ({error!r}); export it again"
            ) from error
        self._scratch = new_scratch(plan.bands, self.size.width, self.size.mixer, self._encoder, self._decoder.bands)
        self._said = 2 * CORRECTIONS, plan.points

    def _check_shapes(self, bands: int) -> None:
        """Raise ValueError where weights are not as many as the size says, as compiled code would not notice."""
        size, outputs = self.size, 2 * CORRECTIONS * self.size.points
        decoder = self._decoder
        arrays: list[Block | NDArray[np.int8]] = [self._place, *self._encoder, *itertools.chain(*self._layers)]
        arrays += [decoder.gain, decoder.offset, decoder.hidden, decoder.hidden_offset, *decoder.bands]
        shapes = [
            *((bands, size.width), *rounded_shapes(bands, (FEATURES + HINTS) * size.points, size.width)),
            *(layer_shapes(bands, size.width, size.mixer) * size.blocks),
            *decoder_shapes(bands, size.width),
            *rounded_shapes(bands, size.width // 2, outputs),
        ]
        for array, shape in zip(arrays, shapes, strict=True):
            if array.shape != shape:
                raise ValueError(f"{array.shape} in place of {shape}")

    def part(self, number: int, *given: Block) -> tuple[Block, ...]:
        """Compute one part of one hop; see `CausalNetwork.part`."""
        if number == 0:
            seen = self._place.copy()
            encode(given[0][0, 0], given[1][0, 0], self._encoder, self._scratch, seen)
            return (seen[None, None],)
        x, memory = given[0][0, 0].copy(), given[1][0]
        after = np.empty_like(memory)
        run_layer(x, memory, self._layers[number - 1], self._scratch, after)
        if number < len(self._layers):
            return x[None, None], after[None]
        said = np.empty(self._said, np.float32)
        decode(x, self._decoder, self._scratch, said)
        return said.reshape(1, 1, 2, CORRECTIONS, -1), after[None]


def _by_role(tensors: Mapping[str, Block], products: tuple[str, ...]) -> dict[str, Block]:
    """Name weights as their block does; the exporter numbers those of products, in the order they are used."""
    found = {name.rpartition("network.")[2]: tensor for name, tensor in tensors.items() if "onnx::" not in name}
    found = {name.split(".", 2)[2] if name.startswith("blocks.") else name: tensor for name, tensor in found.items()}
    for kind, roles in (("GRU", _MEMORY if products else ()), ("MatMul", products)):
        names = sorted((name for name in tensors if f"onnx::{kind}_" in name), key=_number)
        found.update(zip(roles, (tensors[name] for name in names), strict=True))
    return found


def _number(name: str) -> int:
    return int(name.rpartition("_")[2])


def _scaled(encoder: Block, points: int) -> Block:
    """Return the weights of an encoder that is given the guesses as they are."""
    kinds = encoder.reshape(len(encoder), FEATURES + HINTS, points, -1)
    kinds[:, FEATURES : FEATURES + GUESSES] *= GUESS_SCALE
    return kinds.reshape(encoder.shape)


def _layer(part: Mapping[str, Block]) -> Layer:
    given_offset, recalled_offset = np.split(part["offsets"][0], 2)
    return Layer(
        gains=np.stack([part[f"norms.{norm}.gain"] for norm in range(3)]),
        offsets=np.stack([part[f"norms.{norm}.offset"] for norm in range(3)]),
        given=_packed(part["given"][0].T),
        given_offset=_packed(given_offset),
        recalled=_packed(part["recalled"][0].T),
        recalled_offset=_packed(recalled_offset),
        recall=part["recall"],
        recall_offset=part["recall.bias"],
        gather=_packed(part["gather"].T),
        gather_offset=part["gather.bias"],
        spread=_packed(part["spread"].T),
        spread_offset=part["spread.bias"],
        widen=part["widen"],
        widen_offset=part["widen.bias"],
        narrow=part["narrow"],
        narrow_offset=part["narrow.bias"],
    )


def _decoder(part: Mapping[str, Block], bands: int) -> Decoder:
    return Decoder(
        gain=_packed(np.tile(part["norm.weight"], (bands, 1))),
        offset=_packed(np.tile(part["norm.bias"], (bands, 1))),
        hidden=part["hidden"],
        hidden_offset=part["hidden.bias"],
        bands=rounded(part["decoder"]),
    )


def _packed(array: Block) -> Block:
    """Return an array without gaps, as compiled code takes them."""
    return np.array(array, np.float32, order="C")
