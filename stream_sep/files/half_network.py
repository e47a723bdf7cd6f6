"""A network with most of its arithmetic in bfloat16, which CPUs that have it do at twice the speed.

What is kept in float32: the sums between layers, all norms, and the layers that a caller names. Attention is computed
in stretches whose scores stay in the processor's cache, and spectra become sound with one copy in place of four.
"""

from __future__ import annotations

import copy
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STRETCH = 672
"""Queries of attention at once: their scores, against 2688 keys, take 3.6 MB."""


def halved(network: Any, full: Sequence[str]) -> Any:  # noqa: ANN401 - torch modules are untyped here
    """Return a twin of a network that computes in bfloat16; the network itself stays as it is.

    Args:
        network: a torch module whose layers are linear, convolutions, and attention as in `torch.nn`.
        full: names that the layers kept in float32 begin with.
    """
    twin = shared_copy(network)
    inside: tuple[str, ...] = ()  # of attention, which is replaced as a whole
    for name, module in twin.named_modules():
        forward = _full(module) if name.startswith(tuple(full)) else _half(module)
        if forward is not None and not (inside and name.startswith(inside)):
            module.forward = forward
        if _is_attention(module):
            inside = (*inside, f"{name}.")
    if twin.cac:
        twin._mask, twin._ispec = (lambda _mix, parts: parts), _inverse(twin)  # noqa: SLF001 - Demucs' own steps
    return twin


def any_length(network: Any) -> Any:  # noqa: ANN401 - as above
    """Return a twin of a network, halved or not, that takes windows shorter than it was trained on as they are."""
    twin = shared_copy(network)
    twin.use_train_segment = False
    return twin


def shared_copy(network: Any) -> Any:  # noqa: ANN401 - as above
    """Return a copy of a network's layers, over the same weights."""
    return copy.deepcopy(network, {id(held): held for held in chain(network.parameters(), network.buffers())})


def _inverse(network: Any) -> Callable[..., Any]:  # noqa: ANN401 - as above
    """Return `_ispec` for real and imaginary parts, ``(batch, sources, 2 x channels, bins, frames)``."""
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    hop, size = network.hop_length, network.nfft
    window = torch.hann_window(size) / 1.5  # what squared Hann windows, a quarter apart, add up to

    def inverse(parts: Any, length: int) -> Any:  # noqa: ANN401 - tensors
        batch, sources, _, bins, frames = parts.shape
        pairs = parts.float().view(batch, sources, -1, 2, bins, frames).permute(0, 1, 2, 5, 4, 3).contiguous()
        waves = torch.fft.irfft(torch.view_as_complex(pairs), n=size, norm="ortho").mul_(window)
        waves = waves.view(*waves.shape[:-1], size // hop, hop)
        sound = waves.new_zeros(*waves.shape[:3], frames + size // hop - 1, hop)
        for step in range(size // hop):
            sound[:, :, :, step : step + frames] += waves[..., step, :]
        return sound.flatten(-2)[..., hop // 2 * 3 :][..., :length]

    return inverse


def _full(module: Any) -> Callable[..., Any] | None:  # noqa: ANN401 - as above
    if _half(module) is None or _is_attention(module):
        return None
    kind = type(module).forward
    return lambda sound: kind(module, sound.float())


def _half(module: Any) -> Callable[..., Any] | None:  # noqa: ANN401 - as above
    import torch  # noqa: PLC0415 - heavy, and only here when a model is
    from torch.nn import functional  # noqa: PLC0415 - as torch

    kind = type(module)
    if kind is torch.nn.MultiheadAttention:
        return _half_attention(module)
    if kind not in {torch.nn.Linear, *_convolutions()}:
        return None
    weight = module.weight.detach().bfloat16()
    bias = None if module.bias is None else module.bias.detach().bfloat16()
    if kind is torch.nn.Linear:
        return lambda sound: functional.linear(sound.bfloat16(), weight, bias)
    convolve = _convolutions()[kind]
    settings = [module.stride, module.padding]
    if "Transpose" in kind.__name__:
        settings += [module.output_padding, module.groups, module.dilation]
    else:
        settings += [module.dilation, module.groups]
    return lambda sound: convolve(sound.bfloat16(), weight, bias, *settings)


def _convolutions() -> dict[Any, Callable[..., Any]]:
    from torch import nn  # noqa: PLC0415 - heavy, and only here when a model is
    from torch.nn import functional  # noqa: PLC0415 - as torch

    return {
        nn.Conv1d: functional.conv1d,
        nn.Conv2d: functional.conv2d,
        nn.ConvTranspose1d: functional.conv_transpose1d,
        nn.ConvTranspose2d: functional.conv_transpose2d,
    }


def _is_attention(module: Any) -> bool:  # noqa: ANN401 - as above
    return type(module).__name__ == "MultiheadAttention"


def _half_attention(module: Any) -> Callable[..., Any]:  # noqa: ANN401 - as above
    from torch.nn import functional  # noqa: PLC0415 - heavy, and only here when a model is

    weight, bias = module.in_proj_weight.detach().bfloat16(), module.in_proj_bias.detach().bfloat16()
    out_weight, out_bias = module.out_proj.weight.detach().bfloat16(), module.out_proj.bias.detach().bfloat16()
    heads, width = module.num_heads, module.embed_dim

    def forward(query: Any, key: Any, value: Any, **_unused: Any) -> tuple[Any, None]:  # noqa: ANN401 - tensors
        assert key is value, "networks of Demucs ask for keys and values of the same sound"
        asked, held = query.bfloat16(), key.bfloat16()
        queries = functional.linear(asked, weight[:width], bias[:width])
        both = functional.linear(held, weight[width:], bias[width:])
        queries = queries.view(*queries.shape[:2], heads, -1)
        both = both.view(*both.shape[:2], 2, heads, -1)
        found = _attend(queries, both[:, :, 0], both[:, :, 1])
        return functional.linear(found.flatten(-2), out_weight, out_bias), None

    return forward


def _attend(queries: Any, keys: Any, values: Any) -> Any:  # noqa: ANN401 - tensors
    """Return softmax attention of ``(batch, frames, heads, width)``, scaled as usual."""
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    found = torch.empty_like(queries)
    scale = queries.shape[-1] ** -0.5
    for song in range(queries.shape[0]):
        for head in range(queries.shape[2]):
            asked = (queries[song, :, head] * scale).contiguous()
            held, given = keys[song, :, head].contiguous().T, values[song, :, head].contiguous()
            for at in range(0, len(asked), STRETCH):
                scores = torch.softmax(torch.mm(asked[at : at + STRETCH], held), -1)
                found[song, at : at + STRETCH, head] = torch.mm(scores, given)
    return found
