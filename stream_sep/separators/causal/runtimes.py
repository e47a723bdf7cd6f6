"""Runtimes of a causal network: compiled for playing, PyTorch for training, ONNX Runtime to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.extras import install_hint
from stream_sep.separators.causal.compiled.runtime import CompiledRuntime
from stream_sep.separators.causal.onnx_bundle import read_export
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


class OnnxRuntime:
    """Runs an exported network with ONNX Runtime: the reference after an export.

    Args:
        path: an ``.onnx`` file that `export_onnx` wrote.

    Raises:
        SeparatorError: the file is missing, damaged or of another kind, or ONNX Runtime is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime  # noqa: PLC0415 - heavy, and only here when a model is
        except ImportError as error:
            raise SeparatorError(f"{path} needs ONNX Runtime ({error}); {install_hint('train')}") from error
        self.size, self.weights, models = read_export(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._sessions = [
                onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]) for model in models
            ]
        except Exception as error:  # its errors have no common class
            raise SeparatorError(f"{path} is not an ONNX model that this ONNX Runtime can run: {error}") from error
        self._names = [[given.name for given in session.get_inputs()] for session in self._sessions]

    def run_stage(self, number: int, *given: Block) -> tuple[Block, ...]:
        """Run one stage of one hop; see `CausalNetwork.run_stage`."""
        return tuple(self._sessions[number].run(None, dict(zip(self._names[number], given, strict=True))))


class TorchRuntime:
    """Runs a network with PyTorch, as it was trained: several times slower than compiled code.

    Args:
        path: a ``.safetensors`` file.
        threads: CPU threads, of the whole process.

    Raises:
        SeparatorError: the file is missing, damaged or of another kind, or torch is not installed.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._network = load_weights(path)
        self.weights = WeightStats(count_weights(self._network), path.stat().st_size)
        import torch  # noqa: PLC0415 - heavy, and only here when a model is

        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        self._torch = torch
        self.size = self._network.size

    def run_stage(self, number: int, *given: Block) -> tuple[Block, ...]:
        """Run one stage of one hop; see `CausalNetwork.run_stage`."""
        with self._torch.inference_mode():  # of copies, as an output may be a view of an input
            return tuple(
                run_stage.numpy() for run_stage in self._network.run_stage(number, *map(self._torch.tensor, given))
            )


def open_runtime(path: Path, threads: int = 1) -> StepRuntime:
    """Return the runtime of a weights file, by its suffix.

    Args:
        path: an ``.onnx`` or ``.safetensors`` file.
        threads: CPU threads for PyTorch.

    Raises:
        SeparatorError: the file cannot be used.
        ConfigError: another suffix, or no thread.
    """
    if threads < 1:
        raise ConfigError(f"a network needs at least 1 thread, not {threads}")
    if path.suffix == ".onnx":
        return CompiledRuntime(path)
    if path.suffix == ".safetensors":
        return TorchRuntime(path, threads)
    raise ConfigError(f"weights are .onnx or .safetensors files, not {path}; see 'stream-sep models export'")
