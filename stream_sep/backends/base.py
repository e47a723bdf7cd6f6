"""The interface of audio backends: a sound card, JACK, a clock, or a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from stream_sep.protocols import MAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream_sep.audio.latency import LatencyReport
    from stream_sep.audio.state import AudioState


class AudioBackend(Protocol):
    """Runs the compiled callback once for every block.

    Attributes:
        sample_rate: frames per second.
        block_size: frames of a block; the greatest, where they vary.
        inputs: channels of the device's input.
        input_map: for the left and the right of the mix, the device channel it comes from, counted from 0.
        wants_recording: the backend itself reads the recording ring.
    """

    sample_rate: int
    block_size: int
    inputs: int
    input_map: tuple[int, int]
    wants_recording: bool

    def compile(self) -> None:
        """Compile the callback, or load it from disk: in advance, as it takes seconds the first time."""
        ...

    def output_map(self, stems: tuple[str, ...]) -> tuple[int, ...]:
        """Return, for each output channel, the bus channel it plays, or -1; see `channel_map`."""
        ...

    def start(self, state: AudioState, between_blocks: Callable[[], None]) -> None:
        """Start; backends that run on a Python thread call ``between_blocks`` after each block.

        Args:
            state: of the audio thread.
            between_blocks: called after each block by backends on a Python thread.
        """
        ...

    def complete(self, latency: LatencyReport) -> LatencyReport:
        """Return ``latency`` with the device's latency, which is available once it runs."""
        ...

    def stop(self) -> None:
        """Stop; harmless when already stopped."""
        ...


def max_block(backend: AudioBackend) -> int:
    """Return the frames that the callback processes at most at once; a longer block is split."""
    return max(backend.block_size, 1024)


def channel_map(outputs: int, pairs: Mapping[str, int], stems: tuple[str, ...]) -> tuple[int, ...]:
    """Return the bus channel for each of ``outputs`` device channels.

    Args:
        outputs: channels of the device.
        pairs: bus (`MAIN` or a stem) -> its first device channel, counted from 1.
        stems: names of the stems, in the separator's order.

    >>> channel_map(4, {"main": 1, "drums": 3}, ("vocals", "drums"))
    (0, 1, 4, 5)
    """
    bus_channels = [-1] * outputs
    for bus, first in pairs.items():
        row = 0 if bus == MAIN else 2 * (1 + stems.index(bus))
        for side in (0, 1):
            if first - 1 + side < outputs:
                bus_channels[first - 1 + side] = row + side
    return tuple(bus_channels)
