"""What computes the parts of a causal network: compiled code for playing, torch for weights still in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.extras import install_hint
from stream_sep.separators.causal.compiled.runtime import CompiledRuntime
from stream_sep.separators.causal.onnx_bundle import read_export
from stream_sep.separators.causal.weights import Weights, count_weights, load_weights

if TYPE_CHECKING:
    from pathlib import Path

    from stream_sep.protocols import Block
    from stream_sep.separators.causal.config import NetworkSize

StepState: TypeAlias = "tuple[Block, ...]"
"""What a network remembers; never changed, each step gives a new one."""


class StepRuntime(Protocol):
    """Computes a network part by part; without memory of its own."""

    @property
    def weights(self) -> Weights:
        """How many weights it has, and how large they are."""
        ...

    @property
    def size(self) -> NetworkSize:
        """The network's size."""
        ...

    def part(self, number: int, *given: Block) -> tuple[Block, ...]:
        """Compute one part of one hop; see `CausalNetwork.part`."""
        ...


class OnnxRuntime:
    """Runs an exported network with ONNX Runtime, as other programs do: to compare with, once it is exported.

    Args:
        path: an ``.onnx`` file that `export_onnx` wrote.

    Raises:
        SeparatorError: the file is missing, damaged or none of ours, or ONNX Runtime is not installed.
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
            raise SeparatorError(f"{path} is no ONNX model that this ONNX Runtime can run: {error}") from error
        self._names = [[given.name for given in session.get_inputs()] for session in self._sessions]

    def part(self, number: int, *given: Block) -> tuple[Block, ...]:
        """Compute one part of one hop; see `CausalNetwork.part`."""
        return tuple(self._sessions[number].run(None, dict(zip(self._names[number], given, strict=True))))


class TorchRuntime:
    """Runs a network with torch, as it was trained: several times slower than compiled code.

    Args:
        path: a ``.safetensors`` file.
        threads: CPU threads, of the whole process.

    Raises:
        SeparatorError: the file is missing, damaged or none of ours, or torch is not installed.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._network = load_weights(path)
        self.weights = Weights(count_weights(self._network), path.stat().st_size)
        import torch  # noqa: PLC0415 - heavy, and only here when a model is

        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        self._torch = torch
        self.size = self._network.size

    def part(self, number: int, *given: Block) -> tuple[Block, ...]:
        """Compute one part of one hop; see `CausalNetwork.part`."""
        with self._torch.inference_mode():  # of copies, as what comes out may be a view of what went in
            return tuple(part.numpy() for part in self._network.part(number, *map(self._torch.tensor, given)))


def open_runtime(path: Path, threads: int = 1) -> StepRuntime:
    """Return what runs a file of weights, by its ending.

    Raises:
        SeparatorError: the file cannot be used.
        ConfigError: another ending, or no thread.
    """
    if threads < 1:
        raise ConfigError(f"a network needs at least 1 thread, not {threads}")
    if path.suffix == ".onnx":
        return CompiledRuntime(path)
    if path.suffix == ".safetensors":
        return TorchRuntime(path, threads)
    raise ConfigError(f"weights are .onnx or .safetensors files, not {path}; see 'stream-sep models export'")
