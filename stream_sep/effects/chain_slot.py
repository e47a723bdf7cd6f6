"""One stem's chain with a fixed delay, replaced while it plays by a crossfade."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.effects.aligned_chain import AlignedChain, ChainError, FrameQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.effects.catalog import Setting
    from stream_sep.effects.loader import Shape
    from stream_sep.protocols import Block

_FADE_SECONDS = 0.01
_HISTORY_SECONDS = 1.0


_NO_SWAP = object()
"""No swap is pending; None would be a swap to no effects."""


class ChainSlot:
    """Processes one stem through its chain, always ``delay`` frames late.

    One thread processes (`push`, `pull`, `reset`); others queue changes with `swap` and `set_parameter` and never
    block it.

    Args:
        stem: its name, for reports.
        shape: the sound.
        delay: frames by which the output is late.
        report: called with a message when a chain fails.
    """

    bypassed = False
    """Whether the dry stem is output while the chain keeps processing; any thread may set it."""

    def __init__(self, stem: str, shape: Shape, delay: int, report: Callable[[str], None]) -> None:
        self._stem, self._hop, self._report = stem, shape.hop, report
        self._fade = max(1, round(_FADE_SECONDS * shape.sample_rate))
        self._dry = FrameQueue(shape.channels, delay, shape.hop)
        self._dry_out = np.zeros((shape.channels, shape.hop), np.float32)
        self._history_hops = -(-max(delay, round(_HISTORY_SECONDS * shape.sample_rate)) // shape.hop) + 1
        self._history = np.zeros(
            (self._history_hops + self._history_hops // 4 + 2, shape.channels, shape.hop), np.float32
        )
        self._hops = 0
        self._pending: deque[AlignedChain | None] = deque()
        self._changes: deque[tuple[AlignedChain, int, str, Setting]] = deque()
        self.failed: AlignedChain | None = None
        self._current: AlignedChain | None = None
        self._next: AlignedChain | object | None = _NO_SWAP
        self._reset_fade()

    def swap(self, aligned: AlignedChain | None) -> None:
        """Crossfade to ``aligned``, or to no effects, as soon as it has caught up; the last call wins."""
        self._pending.append(aligned)

    def set_parameter(self, aligned: AlignedChain, effect: int, name: str, value: Setting) -> None:
        """Set a parameter of ``aligned`` before the next hop.

        Args:
            aligned: the chain, current or pending.
            effect: index of the effect among those not bypassed.
            name: the parameter's name.
            value: its new value.
        """
        self._changes.append((aligned, effect, name, value))

    def preroll(self, aligned: AlignedChain) -> None:
        """Process about the last second of the stem, so that echoes have their tails when the chain fades in.

        Hops that arrive meanwhile are processed here or, the last ones, on the processing thread.

        Raises:
            ChainError: it failed.
        """
        aligned.next_hop = first = max(0, self._hops - self._history_hops)
        fade_in = np.linspace(0, 1, self._hop, dtype=np.float32) if first else np.float32(1)
        for _ in range(2 * self._history_hops):  # a chain that is slower than real time never catches up
            if aligned.next_hop >= self._hops:
                break
            aligned.submit(
                self._recent_hop(aligned.next_hop) * (fade_in if aligned.next_hop == first else np.float32(1))
            )
            aligned.collect()

    def push(self, block: Block) -> None:
        """Push the next hop, ``(channels, hop)``."""
        self._take_pending()
        self._recent_hop(self._hops)[:] = block
        self._hops += 1
        self._dry.write(block)
        for aligned in self._playing():
            aligned.submit(self._recent_hop(aligned.next_hop))

    def pull(self, out: Block) -> None:
        """Write the hop that is due into ``out``, ``(channels, hop)``."""
        self._dry.read(self._dry_out)
        for aligned in self._playing():
            self._collect(aligned)
        self._choose_target()
        out[:] = self._output_of(self._active)
        if self._target is not self._active:
            self._crossfade(out)
        if self._declick_left:
            self._declick(out)
        self._last[:] = out[:, -1]

    def reset(self) -> None:
        """Clear the state and finish a pending swap at once."""
        self._take_pending()
        self._commit_swap()
        if self._current is not None:
            self._current.reset(self._hops)
        self._dry.reset()
        self._history[:] = 0
        self._reset_fade()

    def close(self) -> None:
        """Close the chains; the stem passes through dry."""
        for aligned in (*self._playing(), *self._pending):
            self._close(aligned)
        self._pending.clear()
        self._current, self._next = None, _NO_SWAP
        self._reset_fade()

    def _playing(self) -> list[AlignedChain]:
        return [aligned for aligned in (self._current, self._next) if isinstance(aligned, AlignedChain)]

    def _recent_hop(self, hop: int) -> Block:
        block: Block = self._history[hop % len(self._history)]
        return block

    def _reset_fade(self) -> None:
        self._active = self._target = None if self.bypassed else self._current
        self._faded = 0
        self._last = np.zeros(len(self._dry_out), np.float32)
        self._step = np.zeros_like(self._last)
        self._declick_left = 0

    def _output_of(self, aligned: AlignedChain | None) -> Block:
        return self._dry_out if aligned is None else aligned.out

    def _take_pending(self) -> None:
        while self._next is _NO_SWAP and self._pending:
            aligned = self._pending.popleft()
            if self._pending:  # a newer one waits behind it
                self._close(aligned)
            else:
                self._next = aligned
        while self._changes:
            aligned, effect, name, value = self._changes.popleft()
            aligned.chain.set_parameter(effect, name, value)

    def _close(self, aligned: AlignedChain | None) -> None:
        if aligned is not None:
            aligned.chain.close()

    def _choose_target(self) -> None:
        """Choose the crossfade's target from this hop on, unless a crossfade is under way."""
        if self._target is not self._active:
            return
        coming = self._next
        ready = coming is None or (isinstance(coming, AlignedChain) and coming.next_hop == self._hops)
        target = coming if ready else self._current
        self._target = target if isinstance(target, AlignedChain) and not self.bypassed else None
        self._faded = 0
        if ready and self._target is self._active:
            self._commit_swap()

    def _crossfade(self, out: Block) -> None:
        weight = np.arange(self._faded + 1, self._faded + self._hop + 1, dtype=np.float32) / self._fade
        out += (self._output_of(self._target) - out) * np.minimum(weight, 1.0)
        self._faded += self._hop
        if self._faded < self._fade:
            return
        self._active = self._target
        if self._next is self._active:
            self._commit_swap()

    def _commit_swap(self) -> None:
        if self._next is _NO_SWAP:
            return
        self._close(self._current)
        self._current = self._next if isinstance(self._next, AlignedChain) else None
        self._next = _NO_SWAP

    def _collect(self, aligned: AlignedChain) -> None:
        try:
            aligned.collect()
            if aligned.next_hop < self._hops:  # two hops at a time, until it has caught up
                aligned.submit(self._recent_hop(aligned.next_hop))
                aligned.collect()
        except ChainError as error:
            self._fall_back_to_dry(aligned, error)

    def _fall_back_to_dry(self, aligned: AlignedChain, error: ChainError) -> None:
        """Continue with the dry stem, starting at the level of the last output frame."""
        self.failed = aligned
        self._close(aligned)
        if aligned is not self._current:
            self._close(self._current)
            self._next = _NO_SWAP
        lost, self._current = (aligned, self._current), None
        if self._active in lost or self._target in lost:
            if self._active is not None:
                self._step[:] = self._last - self._dry_out[:, 0]
                self._declick_left = self._fade
            self._active = self._target = None
        self._report(f"the effect chain on {self._stem} {error}; it is bypassed until the chain is set again")

    def _declick(self, out: Block) -> None:
        frames = min(self._declick_left, self._hop)
        weight = np.arange(self._declick_left, self._declick_left - frames, -1, dtype=np.float32) / self._fade
        out[:, :frames] += self._step[:, np.newaxis] * weight
        self._declick_left -= frames
