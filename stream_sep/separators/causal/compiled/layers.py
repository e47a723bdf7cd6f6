"""The layers of a causal network in compiled code, for one hop: `CausalNetwork` at inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_always_inline, njit_cached
from stream_sep.lowlevel.vector_math import gelu
from stream_sep.separators.causal.compiled.int8 import dequant_matvec_add
from stream_sep.separators.causal.compiled.kernels import (
    add_bias,
    add_column_bias,
    fill_bias,
    fill_column_bias,
    gru_cell,
    layer_norm,
    matmul_add,
)

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from stream_sep.protocols import Block
    from stream_sep.separators.causal.compiled.int8 import QuantizedWeights

    Row: TypeAlias = NDArray[np.float32]


class Layer(NamedTuple):
    """The weights of a block, in order of use."""

    norm_weight: Block  # (3, bands, width): of the norms
    norm_bias: Block  # (3, bands, width)
    w_ih: Block  # (width, 3 * width)
    b_ih: Row
    w_hh: Block  # (width, 3 * width)
    b_hh: Row
    w_out: Block  # (width, width)
    b_out: Row
    band_mix_in: Block  # (mixer, bands)
    band_mix_in_bias: Row
    band_mix_out: Block  # (bands, mixer)
    band_mix_out_bias: Row
    mlp_up: Block  # (width, 2 * width)
    mlp_up_bias: Row
    mlp_down: Block  # (2 * width, width)
    mlp_down_bias: Row


class Decoder(NamedTuple):
    """The weights after the last block."""

    norm_weight: Block  # (bands, width): the same for all bands
    norm_bias: Block
    hidden: Block  # (width, width / 2)
    hidden_bias: Row
    bands: QuantizedWeights


class Workspace(NamedTuple):
    """Temporary buffers of one thread."""

    normal: Block  # (bands, width)
    given: Block  # (bands, 3 * width)
    recalled: Block
    mixed: Block  # (mixer, width)
    wide: Block  # (bands, 2 * width)
    hidden: Block  # (bands, width / 2)
    encoder_in: Row  # input of a band's encoder
    decoder_in: Row  # input of its decoder
    decoder_out: Row  # output of its decoder


def new_workspace(
    bands: int, width: int, mixer: int, encoder: QuantizedWeights, decoder: QuantizedWeights
) -> Workspace:
    """Return buffers for `encode`, `run_layer` and `decode`.

    Args:
        bands: number of bands.
        width: hidden size per band.
        mixer: hidden size of the band mixing.
        encoder: the encoder's weights.
        decoder: the decoder's weights.
    """
    shapes: tuple[tuple[int, ...], ...] = (
        *((bands, width), (bands, 3 * width), (bands, 3 * width), (mixer, width), (bands, 2 * width)),
        *((bands, width // 2), encoder.scales.shape[1:], decoder.scales.shape[1:], decoder.values.shape[2:]),
    )
    return Workspace(*(np.zeros(shape, np.float32) for shape in shapes))


@njit_cached
def encode(  # noqa: PLR0917 - compiled code has no objects
    features: Block, prior: Block, local: Block, weights: QuantizedWeights, workspace: Workspace, x: Block
) -> None:
    """Add the embedding of features, prior and their convolutions to ``x``, ``(bands, width)``.

    Args:
        features: ``(FEATURES, mask_bins)``.
        prior: ``(PRIOR_CHANNELS, mask_bins)``.
        local: ``(conv_channels, mask_bins)`` or longer rows.
        weights: the encoder's.
        workspace: temporary buffers.
        x: ``(bands, width)``, which is added to.
    """
    row, points = workspace.encoder_in, features.shape[1] // len(x)
    for band in range(len(x)):
        _gather(features, band * points, points, 0, row)
        _gather(prior, band * points, points, len(features) * points, row)
        _gather(local, band * points, points, (len(features) + len(prior)) * points, row)
        dequant_matvec_add(row, weights.scales[band], weights.values[band], x[band])


@njit_always_inline
def _gather(given: Block, start: int, points: int, at: int, row: Row) -> None:
    for kind in range(len(given)):
        for point in range(points):
            row[at + kind * points + point] = given[kind, start + point]


@njit_cached
def run_layer(x: Block, state: Block, layer: Layer, workspace: Workspace, after: Block) -> None:
    """Apply one block to ``x``, ``(bands, width)``, in place, and write its new state ``after``.

    Args:
        x: ``(bands, width)``, changed in place.
        state: ``(bands, width)``, of the GRU.
        layer: the block's weights.
        workspace: temporary buffers.
        after: ``(bands, width)``, the next state, which is written.
    """
    normal, given, recalled = workspace.normal, workspace.given, workspace.recalled
    layer_norm(x, layer.norm_weight[0], layer.norm_bias[0], normal)
    fill_bias(layer.b_ih, given)
    matmul_add(normal, layer.w_ih, given)
    fill_bias(layer.b_hh, recalled)
    matmul_add(state, layer.w_hh, recalled)
    for band in range(len(x)):
        gru_cell(given[band], recalled[band], state[band], after[band])
    add_bias(layer.b_out, x)
    matmul_add(after, layer.w_out, x)

    layer_norm(x, layer.norm_weight[1], layer.norm_bias[1], normal)
    fill_column_bias(layer.band_mix_in_bias, workspace.mixed)
    matmul_add(layer.band_mix_in, normal, workspace.mixed)
    for row in range(len(workspace.mixed)):
        gelu(workspace.mixed[row])
    add_column_bias(layer.band_mix_out_bias, x)
    matmul_add(layer.band_mix_out, workspace.mixed, x)

    layer_norm(x, layer.norm_weight[2], layer.norm_bias[2], normal)
    fill_bias(layer.mlp_up_bias, workspace.wide)
    matmul_add(normal, layer.mlp_up, workspace.wide)
    for band in range(len(x)):
        gelu(workspace.wide[band])
    add_bias(layer.mlp_down_bias, x)
    matmul_add(workspace.wide, layer.mlp_down, x)


@njit_cached
def decode(x: Block, decoder: Decoder, workspace: Workspace, corrections: Block) -> None:
    """Write the outputs, ``(channels, mask_bins)``, of ``x``.

    Args:
        x: ``(bands, width)``.
        decoder: the decoder's weights.
        workspace: temporary buffers.
        corrections: ``(channels, mask_bins)``, which is written.
    """
    hidden, decoder_in, decoder_out = workspace.hidden, workspace.decoder_in, workspace.decoder_out
    layer_norm(x, decoder.norm_weight, decoder.norm_bias, workspace.normal)
    fill_bias(decoder.hidden_bias, hidden)
    matmul_add(workspace.normal, decoder.hidden, hidden)
    points = corrections.shape[1] // len(x)
    for band in range(len(x)):
        gelu(hidden[band])
        for k in range(hidden.shape[1]):
            decoder_in[k] = hidden[band, k]
        decoder_out[:] = np.float32(0.0)
        dequant_matvec_add(decoder_in, decoder.bands.scales[band], decoder.bands.values[band], decoder_out)
        for kind in range(len(corrections)):
            for point in range(points):
                corrections[kind, band * points + point] = decoder_out[kind * points + point]
