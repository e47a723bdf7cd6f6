"""Offline backend: runs the engine as fast as possible, from an array to arrays, in the compiled path of live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.audio.arrays import stereo_block
from stream_sep.backends.callback import portaudio_callback
from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.audio.latency import LatencyReport
    from stream_sep.audio.state import AudioState
    from stream_sep.protocols import Block, Stems

_NO_ENGINE = "no engine is running on this backend; use it inside: with Engine(backend): ..."


class OfflineBackend:
    """Runs when `feed` or `run` is called, without clock and device; for an engine with an ``inline`` worker.

    Args:
        sample_rate: frames per second.
        block_size: frames of a block.
    """

    wants_recording = False

    def __init__(self, sample_rate: int = 44100, block_size: int = 128) -> None:
        if block_size < 1:
            raise ConfigError(f"block size {block_size} is not at least 1 frame")
        self.sample_rate = sample_rate
        self.block_size = block_size
        self.inputs = 2
        self.input_map = (0, 1)
        self._state: AudioState | None = None

    def compile(self) -> None:
        """Compile, or load, the callback."""
        portaudio_callback()

    def output_map(self, stems: tuple[str, ...]) -> tuple[int, ...]:
        """Return every bus: the main mix, then the stems."""
        return tuple(range(2 * (1 + len(stems))))

    def start(self, state: AudioState, between_blocks: Callable[[], None]) -> None:
        """Attach the engine's state; nothing runs yet.

        Args:
            state: of the audio thread.
            between_blocks: called after each block.
        """
        self._state, self._between_blocks = state, between_blocks

    def complete(self, latency: LatencyReport) -> LatencyReport:
        """Return ``latency``: there is no device to add to it."""
        self._latency = latency
        return latency

    def stop(self) -> None:
        """Release the state."""
        self._state = None

    def feed(self, block: Block) -> Stems:
        """Process ``(2, frames)``; return the buses, ``(1 + stems, 2, frames)``, with their latency.

        Whole blocks only, except in the last call: the latency is planned for blocks of one size.

        Raises:
            ConfigError: no engine is running, or the block is not ``(2, frames)`` of floats.
        """
        if self._state is None:
            raise ConfigError(_NO_ENGINE)
        block = stereo_block(block, "the block")
        frames, outputs = block.shape[1], int(self._state.record["outputs"][0])
        given = np.ascontiguousarray(block.T, np.float32)
        taken = np.zeros((frames, outputs), np.float32)
        call, address = portaudio_callback().ctypes, self._state.address
        for start in range(0, frames, self.block_size):
            size = min(self.block_size, frames - start)
            call(given[start:].ctypes.data, taken[start:].ctypes.data, size, 0, 0, address)
            self._between_blocks()
        return taken.T.reshape(outputs // 2, 2, frames)

    def run(self, audio: Block) -> tuple[Block, Stems]:
        """Process a whole song; return the mix, ``(2, frames)``, and the stems, aligned with the song.

        Raises:
            ConfigError: as `feed`.
        """
        if self._state is None:
            raise ConfigError(_NO_ENGINE)
        audio = stereo_block(audio)
        delay, block = self._latency.engine, self.block_size
        padded = -(-(audio.shape[1] + delay) // block) * block
        out = self.feed(np.pad(audio, ((0, 0), (0, padded - audio.shape[1]))))
        aligned = out[..., delay : delay + audio.shape[1]]
        return aligned[0], aligned[1:]
