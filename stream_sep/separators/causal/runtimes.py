"""Runtimes of a causal network: what they are, and PyTorch as one of them, to compare `CompiledRuntime` with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from stream_sep.separators.causal.weights import WeightStats, count_weights, load_weights

if TYPE_CHECKING:
    from pathlib import Path

    from stream_sep.protocols import Block
    from stream_sep.separators.causal.config import NetworkConfig

StepState: TypeAlias = "tuple[Block, ...]"
"""The network's state; never changed in place, each step returns a new one."""


class StepRuntime(Protocol):
    """Runs a network stage by stage, without state of its own."""

    @property
    def weights(self) -> WeightStats:
        """Number of parameters and file size."""
        ...

    @property
    def size(self) -> NetworkConfig:
        """The network's configuration."""
        ...

    def run_stage(self, number: int, *given: Block) -> tuple[Block, ...]:
        """Run one stage of one hop; see `CausalNetwork.run_stage`."""
        ...


class TorchRuntime:
    """Runs a network with PyTorch, as it was trained: several times slower than compiled code.

    Args:
        path: a ``.safetensors`` file.

    Raises:
        SeparatorError: the file is missing, damaged or of another kind, or torch is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._network = load_weights(path)
        self.weights = WeightStats(count_weights(self._network), path.stat().st_size)
        import torch  # noqa: PLC0415 - heavy, and only here when a model is

        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
        self._torch = torch
        self.size = self._network.size

    def run_stage(self, number: int, *given: Block) -> tuple[Block, ...]:
        """Run one stage of one hop; see `CausalNetwork.run_stage`."""
        with self._torch.inference_mode():  # of copies, as an output may be a view of an input
            outputs = self._network.run_stage(number, *map(self._torch.tensor, given))
            return tuple(output.numpy() for output in outputs)
