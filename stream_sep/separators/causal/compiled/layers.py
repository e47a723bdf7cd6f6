"""The parts of a causal network in compiled code, for one hop: `CausalNetwork` with the weights of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import compiled, merged
from stream_sep.separators.causal.compiled.int8 import add_weighed
from stream_sep.separators.causal.compiled.kernels import (
    add_product,
    add_to_columns,
    add_to_rows,
    gelu,
    normalise,
    remember,
    set_columns,
    set_rows,
)

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from stream_sep.protocols import Block
    from stream_sep.separators.causal.compiled.int8 import RoundedWeights

    Row: TypeAlias = NDArray[np.float32]


class Layer(NamedTuple):
    """The weights of a block, in the order in which they are used."""

    gains: Block  # (3, bands, width): of the norms
    offsets: Block  # (3, bands, width)
    given: Block  # (width, 3 * width)
    given_offset: Row
    recalled: Block  # (width, 3 * width)
    recalled_offset: Row
    recall: Block  # (width, width)
    recall_offset: Row
    gather: Block  # (mixer, bands)
    gather_offset: Row
    spread: Block  # (bands, mixer)
    spread_offset: Row
    widen: Block  # (width, 2 * width)
    widen_offset: Row
    narrow: Block  # (2 * width, width)
    narrow_offset: Row


class Decoder(NamedTuple):
    """The weights behind the last block."""

    gain: Block  # (bands, width): the same for all bands
    offset: Block
    hidden: Block  # (width, width / 2)
    hidden_offset: Row
    bands: RoundedWeights


def layer_shapes(bands: int, width: int, mixer: int) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of a `Layer`."""
    return (
        *((3, bands, width), (3, bands, width)),
        *((width, 3 * width), (3 * width,), (width, 3 * width), (3 * width,), (width, width), (width,)),
        *((mixer, bands), (mixer,), (bands, mixer), (bands,)),
        *((width, 2 * width), (2 * width,), (2 * width, width), (width,)),
    )


def decoder_shapes(bands: int, width: int) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of a `Decoder`, but of its rounded weights."""
    return (bands, width), (bands, width), (width, width // 2), (width // 2,)


class Scratch(NamedTuple):
    """Room for one thread to work in."""

    normal: Block  # (bands, width)
    given: Block  # (bands, 3 * width)
    recalled: Block
    mixed: Block  # (mixer, width)
    wide: Block  # (bands, 2 * width)
    hidden: Block  # (bands, width / 2)
    seen: Row  # what a band is given, and zeros
    heard: Row  # what its decoder is given, and zeros
    said: Row  # what comes out there


def new_scratch(bands: int, width: int, mixer: int, encoder: RoundedWeights, decoder: RoundedWeights) -> Scratch:
    """Return room for `encode`, `run_layer` and `decode`."""
    shapes: tuple[tuple[int, ...], ...] = (
        *((bands, width), (bands, 3 * width), (bands, 3 * width), (mixer, width), (bands, 2 * width)),
        *((bands, width // 2), encoder.steps.shape[1:], decoder.steps.shape[1:], decoder.numbers.shape[2:]),
    )
    return Scratch(*(np.zeros(shape, np.float32) for shape in shapes))


@compiled
def encode(features: Block, hints: Block, weights: RoundedWeights, scratch: Scratch, x: Block) -> None:
    """Add what bands are given, weighed, to what they hold, ``(bands, width)``."""
    row, points = scratch.seen, features.shape[1] // len(x)
    for band in range(len(x)):
        _gather(features, band * points, points, 0, row)
        _gather(hints, band * points, points, len(features) * points, row)
        add_weighed(row, weights.steps[band], weights.numbers[band], x[band])


@merged
def _gather(given: Block, start: int, points: int, at: int, row: Row) -> None:
    for kind in range(len(given)):
        for point in range(points):
            row[at + kind * points + point] = given[kind, start + point]


@compiled
def run_layer(x: Block, memory: Block, layer: Layer, scratch: Scratch, after: Block) -> None:
    """Change what bands hold, ``(bands, width)``, as one block does, and write its memory ``after``."""
    normal, given, recalled = scratch.normal, scratch.given, scratch.recalled
    normalise(x, layer.gains[0], layer.offsets[0], normal)
    set_rows(layer.given_offset, given)
    add_product(normal, layer.given, given)
    set_rows(layer.recalled_offset, recalled)
    add_product(memory, layer.recalled, recalled)
    for band in range(len(x)):
        remember(given[band], recalled[band], memory[band], after[band])
    add_to_rows(layer.recall_offset, x)
    add_product(after, layer.recall, x)

    normalise(x, layer.gains[1], layer.offsets[1], normal)
    set_columns(layer.gather_offset, scratch.mixed)
    add_product(layer.gather, normal, scratch.mixed)
    for row in range(len(scratch.mixed)):
        gelu(scratch.mixed[row])
    add_to_columns(layer.spread_offset, x)
    add_product(layer.spread, scratch.mixed, x)

    normalise(x, layer.gains[2], layer.offsets[2], normal)
    set_rows(layer.widen_offset, scratch.wide)
    add_product(normal, layer.widen, scratch.wide)
    for band in range(len(x)):
        gelu(scratch.wide[band])
    add_to_rows(layer.narrow_offset, x)
    add_product(scratch.wide, layer.narrow, x)


@compiled
def decode(x: Block, decoder: Decoder, scratch: Scratch, corrections: Block) -> None:
    """Write the corrections, ``(kinds, points)``, of what bands hold."""
    hidden, heard, said = scratch.hidden, scratch.heard, scratch.said
    normalise(x, decoder.gain, decoder.offset, scratch.normal)
    set_rows(decoder.hidden_offset, hidden)
    add_product(scratch.normal, decoder.hidden, hidden)
    points = corrections.shape[1] // len(x)
    for band in range(len(x)):
        gelu(hidden[band])
        for k in range(hidden.shape[1]):
            heard[k] = hidden[band, k]
        said[:] = np.float32(0.0)
        add_weighed(heard, decoder.bands.steps[band], decoder.bands.numbers[band], said)
        for kind in range(len(corrections)):
            for point in range(points):
                corrections[kind, band * points + point] = said[kind * points + point]
