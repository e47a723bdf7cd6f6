"""Attention in bfloat16, some queries at a time, whose scores stay in the processor's cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

QUERY_TILE = 336
"""Queries at once: their scores, against 2688 keys, take 1.8 MB."""


def bf16_attention(module: Any) -> Callable[..., Any]:  # noqa: ANN401 - torch modules are untyped here
    """Return the forward of a `torch.nn.MultiheadAttention`, batch first, whose keys are also its values."""
    from torch.nn import functional  # noqa: PLC0415 - heavy, and only here when a model is

    heads, width = module.num_heads, module.embed_dim
    weight, bias = module.in_proj_weight.detach().clone(), module.in_proj_bias.detach().clone()
    for part in (weight, bias):
        part[:width] *= (width // heads) ** -0.5
    weight, bias = weight.bfloat16(), bias.bfloat16()
    out_weight, out_bias = module.out_proj.weight.detach().bfloat16(), module.out_proj.bias.detach().bfloat16()

    def forward(query: Any, key: Any, value: Any, **_unused: Any) -> tuple[Any, None]:  # noqa: ANN401 - tensors
        assert key is value, "networks of Demucs have the same keys and values"
        queries = functional.linear(query.bfloat16(), weight[:width], bias[:width])
        both = functional.linear(key.bfloat16(), weight[width:], bias[width:])
        queries = queries.view(*queries.shape[:2], heads, -1)
        both = both.view(*both.shape[:2], 2, heads, -1)
        attended = _attend(queries, both[:, :, 0], both[:, :, 1])
        return functional.linear(attended.flatten(-2), out_weight, out_bias), None

    return forward


def _attend(queries: Any, keys: Any, values: Any) -> Any:  # noqa: ANN401 - tensors
    """Return softmax attention of ``(batch, frames, heads, width)``, whose queries are scaled already."""
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    attended = torch.empty_like(queries)
    for song in range(queries.shape[0]):
        for head in range(queries.shape[2]):
            query, value = queries[song, :, head].contiguous(), values[song, :, head].contiguous()
            key = keys[song, :, head].contiguous().T
            for at in range(0, len(query), QUERY_TILE):
                shares = torch.softmax(torch.mm(query[at : at + QUERY_TILE], key), -1)
                attended[song, at : at + QUERY_TILE, head] = torch.mm(shares, value)
    return attended
