"""Layers of Demucs with faster CPU implementations than torch's, and the same result.

In bfloat16 products of matrices take half the time on CPUs that have it. The rest is about memory: attention some
queries at a time, residual branches and transposed convolutions some rows at a time, so that what they make stays in
the processor's cache; norms and spectra without transposed copies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream_sep.separators.demucs.cpu.attention import bf16_attention
from stream_sep.separators.demucs.cpu.dconv import dconv_by_rows

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 4
"""Rows of a spectrum that a transposed convolution makes at once."""

MAX_THREADS = 2
"""Threads of torch up to which transposed convolutions are faster made so."""


def accelerated_forward(module: Any, *, half: bool) -> Callable[..., Any] | None:  # noqa: ANN401 - torch modules are untyped here
    """Return a faster forward of a layer with all its sublayers; None to keep its own.

    Args:
        module: a layer.
        half: whether it may compute in bfloat16.
    """
    kind = type(module)
    if kind.__name__ == "MultiheadAttention":
        return _attention(module, half=half)
    if kind.__name__ == "MyGroupNorm":
        return _norm(module) if module.num_groups == 1 else None
    if kind.__name__ == "DConv":
        return dconv_by_rows(module)
    if kind in _products():
        return _half(module) if half else _full(module)
    return None


def inverse_spectra(network: Any) -> Callable[..., Any]:  # noqa: ANN401 - as above
    """Return `_ispec` for real and imaginary parts, ``(batch, sources, 2 x channels, bins, frames)``."""
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    hop, size = network.hop_length, network.nfft
    window = torch.hann_window(size) / 1.5  # the sum of squared Hann windows a quarter apart

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


def _products() -> dict[Any, Callable[..., Any]]:
    """Return the layer types that are matrix products, with a forward for each."""
    from torch import nn  # noqa: PLC0415 - heavy, and only here when a model is
    from torch.nn import functional  # noqa: PLC0415 - as torch

    return {
        nn.Linear: functional.linear,
        nn.Conv1d: functional.conv1d,
        nn.Conv2d: functional.conv2d,
        nn.ConvTranspose1d: functional.conv_transpose1d,
        nn.ConvTranspose2d: functional.conv_transpose2d,
    }


def _half(module: Any) -> Callable[..., Any]:  # noqa: ANN401 - as above
    weight = module.weight.detach().bfloat16()
    bias = None if module.bias is None else module.bias.detach().bfloat16()
    kind = type(module)
    compute = _products()[kind]
    settings: list[Any] = []
    if "Transpose" in kind.__name__:
        settings = [module.stride, module.padding, module.output_padding, module.groups, module.dilation]
    elif "Conv" in kind.__name__:
        settings = [module.stride, module.padding, module.dilation, module.groups]
    return lambda sound: compute(sound.bfloat16(), weight, bias, *settings)


def _full(module: Any) -> Callable[..., Any]:  # noqa: ANN401 - as above
    if _is_doubling(module):
        return _transposed(module)
    kind = type(module)
    return lambda sound: kind.forward(module, sound.float())


def _attention(module: Any, *, half: bool) -> Callable[..., Any] | None:  # noqa: ANN401 - as above
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    if type(module) is not torch.nn.MultiheadAttention:  # Demucs' own, which is sparse
        return module.forward  # type: ignore[no-any-return]
    return bf16_attention(module) if half else None


def _norm(module: Any) -> Callable[..., Any]:  # noqa: ANN401 - as above
    """Return a norm over all of a sound, ``(batch, frames, channels)``, that keeps frames together in memory."""
    import torch  # noqa: PLC0415 - heavy, and only here when a model is
    from torch.nn import functional  # noqa: PLC0415 - as torch

    def forward(sound: Any) -> Any:  # noqa: ANN401 - tensors
        normal = functional.layer_norm(sound.contiguous(), sound.shape[1:], eps=module.eps)
        return torch.addcmul(module.bias, normal, module.weight)

    return forward


def _is_doubling(module: Any) -> bool:  # noqa: ANN401 - as above
    """Return whether a layer upsamples the rows of a spectrum, each output row from two input rows."""
    if type(module).__name__ != "ConvTranspose2d" or module.kernel_size[1] != 1:
        return False
    plain = (module.padding, module.output_padding, module.dilation, module.groups) == ((0, 0), (0, 0), (1, 1), 1)
    return plain and module.bias is not None and module.kernel_size[0] == 2 * module.stride[0]


def _transposed(module: Any) -> Callable[..., Any]:  # noqa: ANN401 - as above
    """Return a transposed convolution over rows, ``(batch, channels, rows, frames)``, as products of matrices."""
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    step, bias = module.stride[0], module.bias.detach()[:, None, None, None]
    given, made = module.weight.shape[:2]
    weight = module.weight.detach()[..., 0].permute(2, 1, 0).reshape(2, step, made, given)
    weight = weight.transpose(1, 2).reshape(-1, given)

    def forward(sound: Any) -> Any:  # noqa: ANN401 - tensors
        if torch.get_num_threads() > MAX_THREADS:
            return type(module).forward(module, sound.float())
        batch, _, rows, frames = sound.shape
        out = sound.new_empty((batch, made, rows + 1, step, frames), dtype=torch.float32)
        for item, song in zip(sound.float(), out, strict=True):
            rest = bias.new_zeros(1)  # carried from the last row to the next
            for at in range(0, rows, ROWS):
                parts = torch.mm(weight, item[:, at : at + ROWS].reshape(given, -1))
                own, next_one = parts.view(2, made, step, -1, frames).transpose(2, 3)
                here = song[:, at : at + own.shape[1]]
                torch.add(own, bias, out=here)
                here[:, 1:] += next_one[:, :-1]
                here[:, :1] += rest
                rest = next_one[:, -1:]
            song[:, rows:] = rest + bias
        return out.flatten(2, 3)

    return forward
