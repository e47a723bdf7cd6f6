"""What computes a step of a causal network: ONNX Runtime for playing, torch for weights still in training."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.models.weights import count_weights, load_weights, read_bytes, size_of

if TYPE_CHECKING:
    from pathlib import Path

    from stream_sep.models.size import NetworkSize
    from stream_sep.protocols import Block

StepState: TypeAlias = tuple[Any, ...]
"""What a network remembers; never changed, each step gives a new one."""

INPUTS = ("spectra", "hints", "level", "before", "memory")
OUTPUTS = ("corrections", "level_after", "before_after", "memory_after")

_DIGEST = 64


class Weights(NamedTuple):
    """How much a network has learnt."""

    number: int
    file_bytes: int


class StepRuntime(Protocol):
    """Computes a network hop by hop; without memory of its own."""

    @property
    def weights(self) -> Weights:
        """How many weights it has, and how large they are."""
        ...

    @property
    def size(self) -> NetworkSize:
        """The network's size."""
        ...

    def fresh_state(self) -> StepState:
        """Return the state before the first hop."""
        ...

    def step(self, spectra: Block, hints: Block, state: StepState) -> tuple[Block, StepState]:
        """Return corrections and the next state, of one hop; shapes as in `CausalNetwork.forward`."""
        ...


class OnnxRuntime:
    """Runs an exported network with ONNX Runtime.

    Args:
        path: an ``.onnx`` file that `export_onnx` wrote.
        threads: CPU threads; more than one seldom helps networks as small as these.

    Raises:
        SeparatorError: the file is missing, damaged or none of ours, or ONNX Runtime is not installed.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        try:
            import onnxruntime  # noqa: PLC0415 - heavy, and only here when a model is
        except ImportError as error:
            raise SeparatorError(f"{path} needs ONNX Runtime ({error}); pip install onnxruntime") from error
        data = check_digest(read_bytes(path), path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.set_denormal_as_zero", "1")  # or silence would be slow to compute
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no common class
            raise SeparatorError(f"{path} is no ONNX model that this ONNX Runtime can run: {error}") from error
        notes = self._session.get_modelmeta().custom_metadata_map
        self.size = size_of(notes, path)
        self.weights = Weights(int(notes.get("weights", 0)), len(data))
        self._shapes = [tuple(given.shape) for given in self._session.get_inputs()[2:]]

    def fresh_state(self) -> StepState:
        """Return the state before the first hop."""
        return tuple(np.zeros(shape, np.float32) for shape in self._shapes)

    def step(self, spectra: Block, hints: Block, state: StepState) -> tuple[Block, StepState]:
        """Compute one hop; see `StepRuntime.step`."""
        corrections, *after = self._session.run(OUTPUTS, dict(zip(INPUTS, (spectra, hints, *state), strict=True)))
        return corrections, tuple(after)


class TorchRuntime:
    """Runs a network with torch, as it was trained: two to four times slower than ONNX Runtime.

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

    def fresh_state(self) -> StepState:
        """Return the state before the first hop."""
        return self._network.fresh_state()

    def step(self, spectra: Block, hints: Block, state: StepState) -> tuple[Block, StepState]:
        """Compute one hop; see `StepRuntime.step`."""
        with self._torch.inference_mode():
            given = self._torch.tensor(spectra)  # a copy, as the state keeps a part of it
            corrections, after = self._network(given, self._torch.from_numpy(hints), state)
        return corrections.numpy(), after


def open_runtime(path: Path, threads: int = 1) -> StepRuntime:
    """Return what runs a file of weights, by its ending.

    Raises:
        SeparatorError: the file cannot be used.
        ConfigError: another ending, or no thread.
    """
    if threads < 1:
        raise ConfigError(f"a network needs at least 1 thread, not {threads}")
    if path.suffix == ".onnx":
        return OnnxRuntime(path, threads)
    if path.suffix == ".safetensors":
        return TorchRuntime(path, threads)
    raise ConfigError(f"weights are .onnx or .safetensors files, not {path}; see 'stream-sep models export'")


def check_digest(data: bytes, path: Path) -> bytes:
    """Return an ONNX file's bytes if its last note, the SHA-256 of all before that note, is right.

    Raises:
        SeparatorError: it is wrong, or not there.
    """
    tail = len(digest_note(b""))
    if len(data) < tail or data[-tail:] != digest_note(data[:-tail]):
        raise SeparatorError(f"{path} is damaged, or not from 'stream-sep models export'; export or copy it again")
    return data


def digest_note(body: bytes) -> bytes:
    """Return bytes that, put behind an ONNX file, add its own SHA-256 to its metadata.

    Messages of Protocol Buffers may be joined by joining their bytes: what follows is one more entry of the field
    ``metadata_props`` (number 14), with its key (1) and value (2).
    """
    key, value = b"sha256", hashlib.sha256(body).hexdigest().encode()
    entry = b"\x0a" + bytes([len(key)]) + key + b"\x12" + bytes([len(value)]) + value
    return b"\x72" + bytes([len(entry)]) + entry
