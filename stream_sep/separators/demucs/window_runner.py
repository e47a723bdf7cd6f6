"""Runs windows through networks, on a given device and in a given precision."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from stream_sep.separators.demucs.cpu.network import accelerate_for_cpu
from stream_sep.separators.demucs.cpu.precision import CheckedBf16, layers_in_float32
from stream_sep.separators.demucs.networks import is_transformer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stream_sep.protocols import Block, Stems

AT_ONCE = 2
"""Windows at once on a CPU."""

LONGEST = 8.0
"""Seconds of the longest windows that are computed at once; older networks have 40 s, and memory to match."""


class InferenceRunner:
    """Runs networks, each with its fastest implementation.

    Args:
        device: where torch computes.
        precision: as in `SeparationSettings`; ``auto`` is float32 everywhere but on CPUs, see `CheckedBf16`.
    """

    def __init__(self, device: str, precision: str) -> None:
        self._device = device
        self._precision = precision
        self._callables: dict[Any, Callable[..., Any]] = {}

    def prepare(self, network: Any, window: Block) -> Callable[[], Stems]:  # noqa: ANN401 - torch modules are untyped here
        """Choose the computation of a window, ``(channels, frames)``; return a callable for any thread.

        It returns all sources, ``(sources, channels, frames)``. As the choice may depend on earlier windows, prepare
        them in order.

        Args:
            network: a Demucs network.
            window: an example, ``(channels, frames)``.
        """
        import torch  # noqa: PLC0415 - heavy, and only here when a model is

        if network not in self._callables:
            self._callables[network] = self._callable(network.to(self._device))
        run = self._callables[network]
        with torch.inference_mode():
            mix = torch.from_numpy(window)[None].to(self._device)
            chosen = run.select(mix) if isinstance(run, CheckedBf16) else run
        return partial(_compute, chosen, mix)

    def at_once(self, seconds: float) -> int:
        """Return how many windows of a length to compute at once.

        One a thread is faster than all threads on one, but each takes memory as long as it is computed.
        """
        import torch  # noqa: PLC0415 - heavy, and only here when a model is

        return min(AT_ONCE, torch.get_num_threads()) if self._device == "cpu" and seconds <= LONGEST else 1

    def _callable(self, network: Any) -> Callable[..., Any]:  # noqa: ANN401 - as above
        own = self._device == "cpu" and is_transformer(network)
        if self._precision == "auto" and own:
            return CheckedBf16(network)
        if self._precision == "bfloat16":
            return accelerate_for_cpu(network, layers_in_float32(network)[0]) if own else self._cast(network)
        return network  # type: ignore[no-any-return]

    def _cast(self, network: Any) -> Callable[..., Any]:  # noqa: ANN401 - as above
        import torch  # noqa: PLC0415 - heavy, and only here when a model is

        cast: Callable[..., Any] = torch.autocast(self._device.partition(":")[0], torch.bfloat16)(network)
        return cast


@contextmanager
def split_torch_threads(count: int) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """Divide the cores among so many threads, while the block runs.

    Yields two functions: a thread calls the first for its share, the second for all cores. Torch has one number of
    threads per process.
    """
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    cores = torch.get_num_threads()
    try:
        yield partial(torch.set_num_threads, max(1, cores // count)), partial(torch.set_num_threads, cores)
    finally:
        torch.set_num_threads(cores)


def _compute(run: Callable[..., Any], mix: Any) -> Stems:  # noqa: ANN401 - tensors
    import torch  # noqa: PLC0415 - heavy, and only here when a model is

    with torch.inference_mode():
        stems: Stems = run(mix)[0].float().cpu().numpy()
    return stems
