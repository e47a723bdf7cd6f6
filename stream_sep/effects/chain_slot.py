"""The way of one stem through its effects: in time whatever it has, and never with a step when that changes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.effects.aligned_chain import ChainError, FrameQueue, Voice

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.effects.catalog import Setting
    from stream_sep.effects.loader import Shape
    from stream_sep.protocols import Block

_FADE_SECONDS = 0.01
_MEMORY_SECONDS = 1.0


_NOTHING = object()
"""What is coming when nothing is; None would be no effect at all."""


class Lane:
    """Takes hops of a stem and gives them back through its chain, ``delay`` frames late in any case.

    One thread plays (`begin`, `finish`, `reset`); others hand over what changes with `play` and `move`, and never
    make it wait.

    Args:
        stem: its name, for reports.
        shape: the sound.
        delay: frames by which everything comes out late.
        report: is told, in a sentence, when a chain fails.
    """

    bypassed = False
    """Whether the sound goes past the chain, which plays on unheard; to be written by any thread."""

    def __init__(self, stem: str, shape: Shape, delay: int, report: Callable[[str], None]) -> None:
        self._stem, self._hop, self._report = stem, shape.hop, report
        self._fade = max(1, round(_FADE_SECONDS * shape.sample_rate))
        self._dry = FrameQueue(shape.channels, delay, shape.hop)
        self._dry_out = np.zeros((shape.channels, shape.hop), np.float32)
        self._known = -(-max(delay, round(_MEMORY_SECONDS * shape.sample_rate)) // shape.hop) + 1
        self._memory = np.zeros((self._known + self._known // 4 + 2, shape.channels, shape.hop), np.float32)
        self._played = 0
        self._handed: deque[Voice | None] = deque()
        self._moves: deque[tuple[Voice, int, str, Setting]] = deque()
        self.failed: Voice | None = None
        self._voice: Voice | None = None
        self._coming: Voice | object | None = _NOTHING
        self._settle()

    def play(self, voice: Voice | None) -> None:
        """Have ``voice`` heard, or no effect at all, by a crossfade as soon as it can; the last one told wins."""
        self._handed.append(voice)

    def move(self, voice: Voice, effect: int, name: str, value: Setting) -> None:
        """Set a parameter of ``voice`` before the next hop."""
        self._moves.append((voice, effect, name, value))

    def rehearse(self, voice: Voice) -> None:
        """Play ``voice`` the sound of about the last second, so that its echoes are there when it is heard.

        What is played meanwhile it catches up with, here or, the last hops, on the thread that plays.

        Raises:
            ChainError: it failed.
        """
        voice.heard = first = max(0, self._played - self._known)
        fade_in = np.linspace(0, 1, self._hop, dtype=np.float32) if first else np.float32(1)
        for _ in range(2 * self._known):  # a chain that is slower than the sound never gets there
            if voice.heard >= self._played:
                break
            voice.submit(self._remembered(voice.heard) * (fade_in if voice.heard == first else np.float32(1)))
            voice.collect()

    def begin(self, block: Block) -> None:
        """Take the next hop, ``(channels, hop)``."""
        self._adopt()
        self._remembered(self._played)[:] = block
        self._played += 1
        self._dry.write(block)
        for voice in self._playing():
            voice.submit(self._remembered(voice.heard))

    def finish(self, out: Block) -> None:
        """Give the hop that is due, ``(channels, hop)``."""
        self._dry.read(self._dry_out)
        for voice in self._playing():
            self._collect(voice)
        self._choose()
        out[:] = self._sound(self._heard)
        if self._target is not self._heard:
            self._crossfade(out)
        if self._patch_left:
            self._patch(out)
        self._last[:] = out[:, -1]

    def reset(self) -> None:
        """Forget what was heard, and be at once where a change was leading to."""
        self._adopt()
        self._arrive()
        if self._voice is not None:
            self._voice.reset(self._played)
        self._dry.reset()
        self._memory[:] = 0
        self._settle()

    def close(self) -> None:
        """Let go of the chains; the stem passes."""
        for voice in (*self._playing(), *self._handed):
            self._drop(voice)
        self._handed.clear()
        self._voice, self._coming = None, _NOTHING
        self._settle()

    def _playing(self) -> list[Voice]:
        return [voice for voice in (self._voice, self._coming) if isinstance(voice, Voice)]

    def _remembered(self, hop: int) -> Block:
        block: Block = self._memory[hop % len(self._memory)]
        return block

    def _settle(self) -> None:
        self._heard = self._target = None if self.bypassed else self._voice
        self._faded = 0
        self._last = np.zeros(len(self._dry_out), np.float32)
        self._step = np.zeros_like(self._last)
        self._patch_left = 0

    def _sound(self, voice: Voice | None) -> Block:
        return self._dry_out if voice is None else voice.out

    def _adopt(self) -> None:
        while self._coming is _NOTHING and self._handed:
            voice = self._handed.popleft()
            if self._handed:  # a newer one waits behind it
                self._drop(voice)
            else:
                self._coming = voice
        while self._moves:
            voice, effect, name, value = self._moves.popleft()
            voice.chain.move(effect, name, value)

    def _drop(self, voice: Voice | None) -> None:
        if voice is not None:
            voice.chain.close()

    def _choose(self) -> None:
        """Decide what is to be heard from this hop on, while no crossfade is under way."""
        if self._target is not self._heard:
            return
        coming = self._coming
        ready = coming is None or (isinstance(coming, Voice) and coming.heard == self._played)
        wanted = coming if ready else self._voice
        self._target = wanted if isinstance(wanted, Voice) and not self.bypassed else None
        self._faded = 0
        if ready and self._target is self._heard:
            self._arrive()

    def _crossfade(self, out: Block) -> None:
        weight = np.arange(self._faded + 1, self._faded + self._hop + 1, dtype=np.float32) / self._fade
        out += (self._sound(self._target) - out) * np.minimum(weight, 1.0)
        self._faded += self._hop
        if self._faded < self._fade:
            return
        self._heard = self._target
        if self._coming is self._heard:
            self._arrive()

    def _arrive(self) -> None:
        if self._coming is _NOTHING:
            return
        self._drop(self._voice)
        self._voice = self._coming if isinstance(self._coming, Voice) else None
        self._coming = _NOTHING

    def _collect(self, voice: Voice) -> None:
        try:
            voice.collect()
            if voice.heard < self._played:  # two hops at a time, until it has caught up
                voice.submit(self._remembered(voice.heard))
                voice.collect()
        except ChainError as error:
            self._fail(voice, error)

    def _fail(self, voice: Voice, error: ChainError) -> None:
        """Go on with the dry sound, from the level of the last frame."""
        self.failed = voice
        self._drop(voice)
        if voice is not self._voice:
            self._drop(self._voice)
            self._coming = _NOTHING
        lost, self._voice = (voice, self._voice), None
        if self._heard in lost or self._target in lost:
            if self._heard is not None:
                self._step[:] = self._last - self._dry_out[:, 0]
                self._patch_left = self._fade
            self._heard = self._target = None
        self._report(f"the chain of {self._stem!r} {error}: the stem plays without it until its chain is set again")

    def _patch(self, out: Block) -> None:
        frames = min(self._patch_left, self._hop)
        weight = np.arange(self._patch_left, self._patch_left - frames, -1, dtype=np.float32) / self._fade
        out[:, :frames] += self._step[:, np.newaxis] * weight
        self._patch_left -= frames
