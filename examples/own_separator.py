"""Write a separator of your own and run it in the engine: here, mid and side."""

import numpy as np

from stream_sep import Engine, EngineConfig, OfflineBackend
from stream_sep.files.demo_song import load_demo_song


class MidSide:
    """What both channels share as ``centre``, the rest as ``sides``."""

    stems = ("centre", "sides")
    channels = 2
    hop = 128
    latency = 0

    def __init__(self, sample_rate: int = 44100) -> None:
        self.sample_rate = sample_rate

    def process(self, block: np.ndarray) -> np.ndarray:
        """Split one hop, ``(2, hop)``, into ``(2, 2, hop)``."""
        centre = np.repeat(block.mean(axis=0, keepdims=True), 2, axis=0)
        return np.stack([centre, block - centre]).astype(np.float32)

    def reset(self) -> None:
        """Do nothing: this separator has no state."""


if __name__ == "__main__":  # the engine may import this file in another process
    song = load_demo_song()
    backend = OfflineBackend(song.sample_rate)
    config = EngineConfig(model="own_separator:MidSide", worker="inline")
    with Engine(backend, config) as engine:
        engine.set("stem/centre/gain_db", -90)
        mix, stems = backend.run(song.mix)
    left = np.abs(mix).max() / np.abs(song.mix).max()
    print(f"left without the centre: {left:.2f} of the peak")
