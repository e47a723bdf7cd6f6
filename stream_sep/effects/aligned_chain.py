"""A chain with a fixed delay: as many frames out as in, all of them late by one agreed number of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from stream_sep.separators.stem_guard import MAX_SAMPLE, peak_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.effects.catalog import ParameterSpec, Setting
    from stream_sep.effects.latency_probe import ChainLatency
    from stream_sep.protocols import Block


class ChainError(Exception):
    """A chain failed while processing; the message follows the stem's name in the report."""


class Chain(Protocol):
    """The effects of one stem, wherever they run."""

    timing: ChainLatency
    parameter_specs: tuple[Mapping[str, ParameterSpec], ...]
    """For each effect that is not bypassed, the parameters that its plug-in file declares."""

    def submit(self, block: Block) -> None:
        """Push the next hop, ``(channels, hop)``; never blocks."""
        ...

    def collect(self) -> Block:
        """Return the output of the pushed hop, ``(channels, frames)``, which may be shorter or longer than the hop.

        Raises:
            ChainError: the chain failed and cannot be used any more.
        """
        ...

    def set_parameter(self, effect: int, name: str, value: Setting) -> None:
        """Set a parameter of the effect at place ``effect`` among those not bypassed, before the next hop.

        Args:
            effect: index of the effect among those not bypassed.
            name: the parameter's name.
            value: its new value.
        """
        ...

    def reset(self) -> None:
        """Clear the state of every effect."""
        ...

    def close(self) -> None:
        """Release it without blocking."""
        ...


class FrameQueue:
    """A FIFO of frames: writes of any size, reads of whole hops, in a buffer allocated once.

    Args:
        channels: channels of the sound.
        waiting: frames of silence to begin with.
        hop: frames of a portion, at most.

    >>> queue, out = FrameQueue(channels=1, waiting=1, hop=2), np.zeros((1, 2), np.float32)
    >>> queue.write(np.array([[5, 6]], np.float32)), queue.read(out), out.tolist()
    (True, True, [[0.0, 5.0]])
    """

    def __init__(self, channels: int, waiting: int, hop: int) -> None:
        self._frames = np.zeros((channels, waiting + 3 * hop), np.float32)
        self._at_start = waiting
        self.reset()

    def reset(self) -> None:
        """Clear to the initial silence."""
        self._frames[:] = 0
        self._first, self._count = 0, self._at_start

    def write(self, frames: Block) -> bool:
        """Append ``(channels, frames)``; return whether they fit."""
        size, incoming = self._frames.shape[1], frames.shape[1]
        if self._count + incoming > size:
            return False
        at = (self._first + self._count) % size
        head = min(incoming, size - at)
        self._frames[:, at : at + head] = frames[:, :head]
        self._frames[:, : incoming - head] = frames[:, head:]
        self._count += incoming
        return True

    def read(self, out: Block) -> bool:
        """Fill ``out``, ``(channels, frames)``, with the oldest frames; return whether enough were queued."""
        size, frames = self._frames.shape[1], out.shape[1]
        if frames > self._count:
            return False
        head = min(frames, size - self._first)
        out[:, :head] = self._frames[:, self._first : self._first + head]
        out[:, head:] = self._frames[:, : frames - head]
        self._first = (self._first + frames) % size
        self._count -= frames
        return True


class AlignedChain:
    """A chain with the queue that pads it to a fixed delay.

    Args:
        chain: the effects.
        channels: channels of the stem.
        hop: frames of a hop.
        delay: frames by which the output is late; at least the chain's latency.

    Attributes:
        out: the last result of `collect`, ``(channels, hop)``.
        next_hop: index in the stream of the hop that it processes next.
    """

    def __init__(self, chain: Chain, channels: int, hop: int, delay: int) -> None:
        assert chain.timing.latency <= delay
        self.chain, self.next_hop = chain, 0
        self.out = np.zeros((channels, hop), np.float32)
        self._queue = FrameQueue(channels, delay - chain.timing.delay, hop)

    def submit(self, block: Block) -> None:
        """Push the next hop."""
        self.chain.submit(block)

    def collect(self) -> None:
        """Fill `out`, ``(channels, hop)``.

        Raises:
            ChainError: the chain failed, returned NaN, infinity or too much, or fell behind its measured latency.
        """
        frames = self.chain.collect()
        if not peak_of(frames) <= MAX_SAMPLE:  # true for NaN as well
            raise ChainError("produced NaN, infinity or more than 120 dB over full scale")
        if not (self._queue.write(frames) and self._queue.read(self.out)):
            raise ChainError("exceeded its measured latency")
        self.next_hop += 1

    def reset(self, next_hop: int) -> None:
        """Clear the state and continue with hop ``next_hop``."""
        self.chain.reset()
        self._queue.reset()
        self.out[:] = 0
        self.next_hop = next_hop
