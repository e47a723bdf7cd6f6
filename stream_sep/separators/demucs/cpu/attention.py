"""Attention in bfloat16, in stretches whose scores stay in the processor's cache; softmax in one go through them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.lowlevel.numba_intrinsics import njit_cached, njit_fastmath
from stream_sep.lowlevel.vector_math import LIMIT, LOG2_E, power_of_two
from stream_sep.separators.demucs.cpu.threads import use_single_thread_kernels

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import NDArray

    Row: TypeAlias = NDArray[np.float32]

QUERY_TILE = 336
"""Queries at once: their scores, against 2688 keys, take 1.8 MB."""

_ONE = np.float32(1.0)


def bf16_attention(module: Any) -> Callable[..., Any]:  # noqa: ANN401 - torch modules are untyped here
    """Return what computes a `torch.nn.MultiheadAttention`, batch first, of keys that are the values too."""
    from torch.nn import functional  # noqa: PLC0415 - heavy, and only here when a model is

    heads, width = module.num_heads, module.embed_dim
    weight, bias = module.in_proj_weight.detach().clone(), module.in_proj_bias.detach().clone()
    for part in (weight, bias):
        part[:width] *= (width // heads) ** -0.5
    weight, bias = weight.bfloat16(), bias.bfloat16()
    out_weight, out_bias = module.out_proj.weight.detach().bfloat16(), module.out_proj.bias.detach().bfloat16()

    def forward(query: Any, key: Any, value: Any, **_unused: Any) -> tuple[Any, None]:  # noqa: ANN401 - tensors
        assert key is value, "networks of Demucs ask for keys and values of the same sound"
        queries = functional.linear(query.bfloat16(), weight[:width], bias[:width])
        both = functional.linear(key.bfloat16(), weight[width:], bias[width:])
        queries = queries.view(*queries.shape[:2], heads, -1)
        both = both.view(*both.shape[:2], 2, heads, -1)
        found = _attend(queries, both[:, :, 0], both[:, :, 1])
        return functional.linear(found.flatten(-2), out_weight, out_bias), None

    return forward


def _attend(queries: Any, keys: Any, values: Any) -> Any:  # noqa: ANN401 - tensors
    """Return softmax attention of ``(batch, frames, heads, width)``, whose queries are scaled already."""
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    found, inverse_sums, ours = torch.empty_like(queries), torch.ones(QUERY_TILE, 1), use_single_thread_kernels()
    for song in range(queries.shape[0]):
        for head in range(queries.shape[2]):
            asked = queries[song, :, head].contiguous()
            held, given = keys[song, :, head].contiguous().T, values[song, :, head].contiguous()
            for at in range(0, len(asked), QUERY_TILE):
                scores = torch.mm(asked[at : at + QUERY_TILE], held)
                if ours:
                    softmax_exp(scores.view(torch.int16).numpy().view(np.uint16), inverse_sums.numpy()[:, 0])
                else:
                    scores = torch.softmax(scores, -1)
                found[song, at : at + QUERY_TILE, head] = torch.mm(scores, given) * inverse_sums[: len(scores)]
    return found


@njit_cached
def softmax_exp(scores: NDArray[np.uint16], inverse_sums: Row) -> None:
    """Turn rows of scores into exponentials of at most 1: a softmax, still to be multiplied with ``inverse_sums``.

    Args:
        scores: ``(rows, columns)`` in bfloat16, which is the upper half of a float32.
        inverse_sums: gets, for every row, 1 over the sum of its exponentials.
    """
    row, folded = np.empty(scores.shape[1], np.float32), np.empty(scores.shape[1], np.float32)
    for number in range(len(scores)):
        _widen(scores[number], row)
        inverse_sums[number] = _ONE / _exponentials(row, _greatest(row, folded), scores[number])


@njit_fastmath
def _widen(halves: NDArray[np.uint16], row: Row) -> None:
    for t in range(len(row)):
        row[t] = np.uint32(np.uint32(halves[t]) << np.uint32(16)).view(np.float32)


@njit_fastmath
def _greatest(row: Row, folded: Row) -> np.float32:
    """Return the greatest number of a row, folding it again and again: a search from end to end is not vectorised."""
    left = len(row)
    for t in range(left):
        folded[t] = row[t]
    while left > 1:
        half = (left + 1) // 2
        low, high = folded[: left - half], folded[half:left]
        for t in range(len(low)):
            low[t] = max(low[t], high[t])
        left = half
    return np.float32(folded[0])


@njit_fastmath
def _exponentials(row: Row, greatest: np.float32, halves: NDArray[np.uint16]) -> np.float32:
    """Write exponentials in bfloat16; return their sum."""
    total = np.float32(0.0)
    for t in range(len(row)):
        power = _exp(row[t] - greatest)
        total += power
        halves[t] = np.uint16((np.float32(power).view(np.uint32) + np.uint32(0x8000)) >> np.uint32(16))
    return total


@njit_fastmath
def _exp(x: np.float32) -> np.float32:
    """Return e to a power of at most 0, right to a ten thousandth: finer than bfloat16 is."""
    power = max(x * LOG2_E, -LIMIT)
    whole = np.floor(power)
    rest = power - whole
    series = np.float32(0.07706757)
    series = series * rest + np.float32(0.22764442)
    series = series * rest + np.float32(0.69511692)
    series = series * rest + _ONE
    return np.float32(series * power_of_two(whole))
