"""A chain as the hop path plays it: as many frames out as in, all of them late by one agreed number of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_sep.effects.catalog import Knob, Setting
    from stream_sep.effects.latency_probe import Lateness
    from stream_sep.protocols import Block


class ChainError(Exception):
    """A chain that failed while it played; says how, as the end of a sentence."""


class Chain(Protocol):
    """The effects of one stem, wherever they run."""

    lateness: Lateness
    knobs: tuple[Mapping[str, Knob], ...]
    """Of each effect that is not bypassed, the parameters that only its file knows."""

    def submit(self, block: Block) -> None:
        """Give the next hop, ``(channels, hop)``; never waits for it."""
        ...

    def collect(self) -> Block:
        """Return what comes out for the hop that was given, ``(channels, frames)``: as many frames as there are.

        Raises:
            ChainError: it failed; it is of no use any more.
        """
        ...

    def move(self, effect: int, name: str, value: Setting) -> None:
        """Set a parameter of the effect at place ``effect`` among those not bypassed, before the next hop."""
        ...

    def reset(self) -> None:
        """Forget what was heard."""
        ...

    def close(self) -> None:
        """Let go of it, without waiting."""
        ...


class FrameQueue:
    """Frames in any portions, whole hops out, in memory taken once.

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
        """Hold silence only, as at the start."""
        self._frames[:] = 0
        self._first, self._count = 0, self._at_start

    def write(self, frames: Block) -> bool:
        """Append ``(channels, frames)``; return whether there was room."""
        size, given = self._frames.shape[1], frames.shape[1]
        if self._count + given > size:
            return False
        at = (self._first + self._count) % size
        head = min(given, size - at)
        self._frames[:, at : at + head] = frames[:, :head]
        self._frames[:, : given - head] = frames[:, head:]
        self._count += given
        return True

    def read(self, out: Block) -> bool:
        """Fill ``(channels, frames)`` with the oldest frames; return whether there were so many."""
        size, wanted = self._frames.shape[1], out.shape[1]
        if wanted > self._count:
            return False
        head = min(wanted, size - self._first)
        out[:, :head] = self._frames[:, self._first : self._first + head]
        out[:, head:] = self._frames[:, : wanted - head]
        self._first = (self._first + wanted) % size
        self._count -= wanted
        return True


class Voice:
    """A chain and the frames that keep it in time.

    Args:
        chain: the effects.
        channels: channels of the stem.
        hop: frames of a hop.
        delay: frames by which everything comes out late; at least the chain's latency.

    Attributes:
        out: what `collect` gave last, ``(channels, hop)``.
        heard: how many hops of the stream it knows, those before it began counted.
    """

    def __init__(self, chain: Chain, channels: int, hop: int, delay: int) -> None:
        assert chain.lateness.latency <= delay
        self.chain, self.heard = chain, 0
        self.out = np.zeros((channels, hop), np.float32)
        self._queue = FrameQueue(channels, delay - chain.lateness.delay, hop)

    def submit(self, block: Block) -> None:
        """Give the next hop."""
        self.chain.submit(block)

    def collect(self) -> None:
        """Fill `out`, ``(channels, hop)``.

        Raises:
            ChainError: the chain failed, gave what is no number, or other than the frames it is known to give.
        """
        frames = self.chain.collect()
        if not np.isfinite(frames).all():
            raise ChainError("gave what is no number")
        if not (self._queue.write(frames) and self._queue.read(self.out)):
            raise ChainError("came later than when it was measured")
        self.heard += 1

    def reset(self, heard: int) -> None:
        """Forget what was heard, and go on with hop ``heard``."""
        self.chain.reset()
        self._queue.reset()
        self.out[:] = 0
        self.heard = heard
