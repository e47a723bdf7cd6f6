"""The interface of causal network runtimes, and a PyTorch one to compare `CompiledRuntime` with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from stream_sep.separators.causal.config import states_by_stage
from stream_sep.separators.causal.weights import load_weights
from stream_sep.separators.weight_file import WeightStats, count_weights

if TYPE_CHECKING:
    from pathlib import Path

    from stream_sep.separators.causal.config import NetworkConfig

StepState: TypeAlias = "tuple[Any, ...]"
"""The state of a stage: arrays, or the runtime's own type."""


class StepRuntime(Protocol):
    """Runs a network stage by stage, without state."""

    @property
    def weights(self) -> WeightStats:
        """Number of parameters and file size."""
        ...

    @property
    def size(self) -> NetworkConfig:
        """The network's configuration."""
        ...

    def initial_state(self) -> list[StepState]:
        """Return the state of each stage before the first hop."""
        ...

    def run_stage(self, number: int, *inputs: Any) -> tuple[Any, ...]:  # noqa: ANN401 - as `StepState`
        """Run one stage of one hop; see `CausalNetwork.run_stage`.

        The state of convolutions may be changed in place; pass the returned state to the next call.
        """
        ...


class TorchRuntime:
    """Runs a network with PyTorch, several times slower than compiled code.

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

    def initial_state(self) -> list[StepState]:
        """Return the state of each stage before the first hop."""
        return states_by_stage(self.size, [state.numpy() for state in self._network.initial_state()])

    def run_stage(self, number: int, *inputs: Any) -> tuple[Any, ...]:  # noqa: ANN401 - as `StepState`
        """Run one stage of one hop; see `StepRuntime.run_stage`."""
        with self._torch.inference_mode():  # of copies, as an output may be a view of an input
            outputs = self._network.run_stage(number, *map(self._torch.tensor, inputs))
            return tuple(output.numpy() for output in outputs)
