"""Paced backend: runs the engine in real time without a device, by a clock."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.audio.arrays import stereo_block
from stream_sep.backends.callback import portaudio_callback
from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.audio.latency import LatencyReport
    from stream_sep.audio.state import AudioState
    from stream_sep.protocols import Block

_JOIN_TIMEOUT = 1.0


class PacedBackend:
    """Runs a block whenever a sound card would, on its own thread; the output is dropped unless recorded.

    A thread that woke late catches up at twice the speed, no faster: blocks that all came at once because this thread
    woke late must not count against the separator. The longest lag behind the clock is counted.

    Args:
        sample_rate: frames per second.
        block_size: frames of a block.
        sound: input, ``(2, frames)``, which is looped; silence unless given.
    """

    wants_recording = False

    def __init__(self, sample_rate: int = 44100, block_size: int = 128, sound: Block | None = None) -> None:
        if block_size < 1:
            raise ConfigError(f"block size {block_size} is not at least 1 frame")
        self.sample_rate = sample_rate
        self.block_size = block_size
        self.inputs = 2
        self.input_map = (0, 1)
        self._blocks = np.zeros((1, block_size, 2), np.float32)
        if sound is not None:
            sound = stereo_block(sound, "sound")
            whole = max(sound.shape[1] // block_size, 1)
            self._blocks = (
                np.resize(sound.T, (whole * block_size, 2)).astype(np.float32).reshape(whole, block_size, 2)
            )
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def compile(self) -> None:
        """Compile, or load, the callback."""
        portaudio_callback()

    def output_map(self, stems: tuple[str, ...]) -> tuple[int, ...]:
        """Return the main mix alone."""
        del stems
        return (0, 1)

    def start(self, state: AudioState, between_blocks: Callable[[], None]) -> None:
        """Start running blocks.

        Args:
            state: of the audio thread.
            between_blocks: called after each block.
        """
        self._thread = threading.Thread(target=self._run, args=(state, between_blocks), name="paced", daemon=True)
        self._thread.start()

    def complete(self, latency: LatencyReport) -> LatencyReport:
        """Return ``latency``: there is no device to add to it."""
        return latency

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(_JOIN_TIMEOUT)  # an inline separator may hang in it

    def _run(self, state: AudioState, between_blocks: Callable[[], None]) -> None:
        taken = np.zeros((self.block_size, 2), np.float32)
        call, address = portaudio_callback().ctypes, state.address
        first, step, count = self._blocks.ctypes.data, self._blocks[0].nbytes, len(self._blocks)
        period = self.block_size / self.sample_rate
        started, blocks = time.monotonic(), 0
        while not self._stopped.is_set():
            call(first + blocks % count * step, taken.ctypes.data, self.block_size, 0, 0, address)
            between_blocks()
            blocks += 1
            due = started + blocks * period - time.monotonic()
            if due < -period:
                state.record["behind_ms"] = max(round(-1000 * due), int(state.record["behind_ms"][0]))
            time.sleep(max(due, period / 2))
