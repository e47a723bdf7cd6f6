"""A tile of a convolution in vector registers, for compiled code: as many sums as there are registers for.

A loop over columns writes each sum back after every input; LLVM makes no such tile of it by itself, as the
rows might overlap. The tile of 6 rows of 16 columns leaves room for inputs and weights in the 16 registers
of AVX2, and in those of AVX-512 and NEON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

TILE_ROWS = 6
"""Output rows of a tile."""

TILE_COLUMNS = 16
"""Columns of a tile."""

TAPS = 3
"""Columns of the input that each output column has a weight for."""

_FLOAT_BYTES = 4
_VECTOR = ir.VectorType(ir.FloatType(), TILE_COLUMNS)
_BYTES = ir.VectorType(ir.IntType(8), TILE_COLUMNS)
_WORD = ir.IntType(64)


@cast("Callable[..., Any]", intrinsic)
def add_convolved_tile(  # noqa: PLR0917 - compiled code has no objects
    _typing: Any,  # noqa: ANN401 - Numba's own types
    into: Any,  # noqa: ANN401 - as above
    row: Any,  # noqa: ANN401 - as above
    column: Any,  # noqa: ANN401 - as above
    inputs: Any,  # noqa: ANN401 - as above
    weights: Any,  # noqa: ANN401 - as above
    first: Any,  # noqa: ANN401 - as above
) -> Any:  # noqa: ANN401 - as above
    """Add the products of all inputs and three columns each to a tile of ``into``; nothing is checked.

    ``into[row + r, column + c] += weights[first + (i * TAPS + k) * TILE_ROWS + r] * inputs[i, column + c + k]``

    Args:
        _typing: Numba's typing context.
        into: float32 ``(rows, columns)``, C-contiguous.
        row: first row of the tile.
        column: first column of the tile.
        inputs: float32 ``(inputs, columns + TAPS - 1)`` or more, C-contiguous.
        weights: float32, C-contiguous, of one dimension.
        first: index of the tile's first weight.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - as above
        sums, shown, factors = (
            context.make_array(signature.args[n])(context, builder, arguments[n]) for n in (0, 3, 4)
        )
        row, column, first = (context.cast(builder, arguments[n], signature.args[n], types.int64) for n in (1, 2, 5))
        (_, width), (count, stride) = (cgutils.unpack_tuple(builder, each.shape) for each in (sums, shown))
        targets = [
            builder.gep(
                sums.data, [builder.add(column, builder.mul(width, builder.add(row, _WORD(r))))], inbounds=True
            )
            for r in range(TILE_ROWS)
        ]
        kept = _load_sums(builder, targets)
        with cgutils.for_range(builder, count, intp=_WORD) as loop:
            here = builder.add(column, builder.mul(stride, loop.index))
            weight = builder.add(first, builder.mul(loop.index, _WORD(TAPS * TILE_ROWS)))
            for tap in range(TAPS):
                x = _load_vector(builder, builder.gep(shown.data, [builder.add(here, _WORD(tap))], inbounds=True))
                for r, sum_ in enumerate(kept):
                    at = builder.add(weight, _WORD(tap * TILE_ROWS + r))
                    factor = builder.load(builder.gep(factors.data, [at], inbounds=True))
                    _add_product(builder, sum_, _splat(builder, factor), x)
        _store_sums(builder, kept, targets)
        return context.get_dummy_value()

    return types.void(into, row, column, inputs, weights, first), codegen


def _dequantizing(vectors: int) -> Any:  # noqa: ANN401 - as above
    """Return a tile of one row of ``vectors`` times `TILE_COLUMNS` sums."""

    @cast("Callable[..., Any]", intrinsic)
    def add_tile(_typing: Any, into: Any, column: Any, inputs: Any, weights: Any) -> Any:  # noqa: ANN401 - as above
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - as above
            sums, shown, factors = (
                context.make_array(signature.args[n])(context, builder, arguments[n]) for n in (0, 2, 3)
            )
            column = context.cast(builder, arguments[1], signature.args[1], types.int64)
            count, width = cgutils.unpack_tuple(builder, factors.shape)
            starts = [builder.add(column, _WORD(TILE_COLUMNS * vector)) for vector in range(vectors)]
            targets = [builder.gep(sums.data, [start], inbounds=True) for start in starts]
            kept = _load_sums(builder, targets)
            with cgutils.for_range(builder, count, intp=_WORD) as loop:
                x = _splat(builder, builder.load(builder.gep(shown.data, [loop.index], inbounds=True)))
                row = builder.mul(width, loop.index)
                for start, sum_ in zip(starts, kept, strict=True):
                    place = builder.gep(factors.data, [builder.add(row, start)], inbounds=True)
                    whole = builder.load(builder.bitcast(place, _BYTES.as_pointer()), align=1)
                    _add_product(builder, sum_, x, builder.sitofp(whole, _VECTOR))
            _store_sums(builder, kept, targets)
            return context.get_dummy_value()

        return types.void(into, column, inputs, weights), codegen

    return add_tile


WIDE_COLUMNS = 4 * TILE_COLUMNS
add_int8_tile, add_wide_int8_tile = _dequantizing(1), _dequantizing(4)


def _load_sums(builder: Any, targets: list[Any]) -> list[Any]:  # noqa: ANN401 - as above
    """Return a variable for each vector of a tile, with its current value."""
    sums = [cgutils.alloca_once(builder, _VECTOR) for _ in targets]
    for target, sum_ in zip(targets, sums, strict=True):
        builder.store(_load_vector(builder, target), sum_)
    return sums


def _add_product(builder: Any, sum_: Any, one: Any, other: Any) -> None:  # noqa: ANN401 - as above
    product = builder.fmul(one, other, flags=("contract",))
    builder.store(builder.fadd(builder.load(sum_), product, flags=("contract",)), sum_)


def _store_sums(builder: Any, sums: list[Any], targets: list[Any]) -> None:  # noqa: ANN401 - as above
    for target, sum_ in zip(targets, sums, strict=True):
        place = builder.bitcast(target, _VECTOR.as_pointer())
        builder.store(builder.load(sum_), place, align=_FLOAT_BYTES)


def _load_vector(builder: Any, pointer: Any) -> Any:  # noqa: ANN401 - as above
    return builder.load(builder.bitcast(pointer, _VECTOR.as_pointer()), align=_FLOAT_BYTES)


def _splat(builder: Any, number: Any) -> Any:  # noqa: ANN401 - as above
    single = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), TILE_COLUMNS), [0] * TILE_COLUMNS)
    return builder.shuffle_vector(single, ir.Constant(_VECTOR, ir.Undefined), zeros)
