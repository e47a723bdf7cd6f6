"""The fastest precision of a network on a CPU whose stems match float32, checked periodically."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.lowlevel.bf16 import has_fast_bf16
from stream_sep.separators.demucs.cpu.network import accelerate_for_cpu, without_training_segment

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.protocols import Stems

MAX_ERROR_DB = -53.0
"""Error of a precision that passes for float32: 3 dB better than the -50 dB that is promised, as moments differ."""

CHECK_INTERVAL = 16
"""Windows from one trial to the next, a minute and a half of music; a trial takes a third of the time of one."""

_TRIAL_SECONDS = 1
_QUIET = 1e-3  # of a normalised window: quieter ones show nothing of rounding


class CheckedBf16:
    """Runs a network in bfloat16 as long as its output matches float32.

    The loudest second of the first window with sound, and of every 16th after it, go through the network in
    float32 too. Where a stem differs by more than `MAX_ERROR_DB`, the next slower choice is tried, and kept from
    then on: more layers in float32, at last all of them. (Windows differ little, as networks normalise each:
    with random weights, 0.8 dB between a hit of a snare and a minute of song.)

    Args:
        network: a Hybrid Transformer Demucs.
    """

    def __init__(self, network: Any) -> None:  # noqa: ANN401 - torch modules are untyped here
        self._network = network
        self._fallbacks = [partial(accelerate_for_cpu, network, full) for full in layers_in_float32(network)]
        self._windows = 0
        if not has_fast_bf16():
            del self._fallbacks[:-1]
        self._chosen = self._fallbacks.pop(0)()

    def __call__(self, mix: Any) -> Any:  # noqa: ANN401 - tensors
        """Return the stems, ``(1, sources, channels, frames)``, of a normalised window."""
        return self.select(mix)(mix)

    def select(self, mix: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - as above
        """Return the callable for a window, after a trial if one is due; to be called for windows in order."""
        if float(mix.abs().max()) < _QUIET:
            return self._network  # type: ignore[no-any-return]
        if self._fallbacks and self._windows % CHECK_INTERVAL == 0:
            self._try(_loudest(mix, int(_TRIAL_SECONDS * self._network.samplerate)))
        self._windows += 1
        return self._chosen  # type: ignore[no-any-return]

    def _try(self, mix: Any) -> None:  # noqa: ANN401 - as above
        with ThreadPoolExecutor(1) as beside:  # as the first call of the other loads compiled code meanwhile
            exact = beside.submit(_stems, self._network, mix)
            while self._fallbacks:
                if worst_null_db(_stems(self._chosen, mix), exact.result()) < MAX_ERROR_DB:
                    return
                self._chosen = self._fallbacks.pop(0)()


def layers_in_float32(network: Any) -> list[tuple[str, ...]]:  # noqa: ANN401 - as above
    """Return which layers stay in float32, the fastest choice first: the outermost, many, or all."""
    outer = [f"{branch}.0." for branch in ("encoder", "tencoder")]
    outer += [f"{branch}.{len(getattr(network, branch)) - 1}." for branch in ("decoder", "tdecoder")]
    return [tuple(outer), ("encoder", "tencoder", "decoder", "tdecoder"), ("",)]


def worst_null_db(got: Stems, exact: Stems) -> float:
    """Return the error of the worst stem in decibels, relative to it, or to the loudest less 30 dB.

    Args:
        got: ``(stems, channels, frames)``.
        exact: the same in float32.

    >>> exact = np.ones((2, 1, 4), np.float32)
    >>> round(worst_null_db(exact * np.float32(1.001), exact))
    -60
    """
    errors = np.square(got - exact, dtype=np.float64).sum(axis=(1, 2))
    energies = np.square(exact, dtype=np.float64).sum(axis=(1, 2))
    worst = (errors / np.maximum(energies, 1e-3 * energies.max(initial=1e-30))).max(initial=1e-30)
    return float(10 * np.log10(max(worst, 1e-30))) if np.isfinite(worst) else float("inf")


def _stems(network: Any, mix: Any) -> Stems:  # noqa: ANN401 - as above
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    with torch.inference_mode():
        stems: Stems = without_training_segment(network)(mix)[0].float().numpy()
    return stems


def _loudest(mix: Any, frames: int) -> Any:  # noqa: ANN401 - as above
    starts = range(0, max(1, mix.shape[-1] - frames + 1), max(1, frames // 2))
    return max((mix[..., at : at + frames] for at in starts), key=lambda part: float(part.square().sum()))
