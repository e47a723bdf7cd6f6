"""The interface of causal network runtimes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from stream_sep.separators.causal.config import NetworkConfig
    from stream_sep.separators.weight_file import WeightStats

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
