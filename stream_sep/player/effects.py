"""Effects on songs, which are rendered ahead, with future audio as their input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.effects.aligned_chain import FrameQueue
from stream_sep.effects.chained_separator import ChainedSeparator
from stream_sep.engine.worker.effects import restore_chains
from stream_sep.player.fade_out import FadeOut

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.effects.spec import ChainSpec
    from stream_sep.protocols import Block, Stems

HISTORY_SECONDS = 1.0
"""Seconds of audio that effects process again before a replaced hop, so that echoes have their tails."""

_NO_HOP = -1


class Effects:
    """Applies the chains of a `ChainedSeparator` to rendered hops.

    Hops are rendered long before they play, and again after a command or a change of effects. The effects then start
    over one second earlier, as their state of that moment is gone.

    Args:
        stems: names of the stems.
        sample_rate: frames per second.
        hop: frames of a hop.
        chains: the initial effects.
        reserve: latency reserved for effects added later, in frames; by default, that of the first ones.
        ahead: largest number of hops rendered ahead.
        report: called with a message when a chain fails.
        again: whether the chains ran before, so that one that cannot be loaded any more is bypassed.

    Attributes:
        chained: the chains, which any thread may change.

    Raises:
        ConfigError: an invalid chain, or is later than ``reserve``.
        SeparatorError: an effect that cannot be loaded.
    """

    def __init__(
        self,
        stems: tuple[str, ...],
        sample_rate: int,
        hop: int,
        *,
        chains: ChainSpec,
        reserve: int | None,
        ahead: int,
        report: Callable[[str], None],
        again: bool = False,
    ) -> None:
        known = self._known = _KnownStems(stems, sample_rate, hop)
        if again:
            self.chained = restore_chains(known, chains, reserve or 0, report)
        else:
            self.chained = ChainedSeparator(known, chains, reserve=reserve, report=report)
        self._history_hops = -(-round(HISTORY_SECONDS * sample_rate) // hop)
        slots = self._history_hops + ahead + 1
        self._dry = np.zeros((slots, 1 + len(stems), 2, hop), np.float32)
        self._numbers = np.full(slots, _NO_HOP, np.int64)
        self._mix = FrameQueue(2, self.chained.chain_latency, hop)
        self._fade_out = FadeOut(np.zeros((1 + len(stems), 2, 0), np.float32))
        self._next = 0

    @property
    def latency(self) -> int:
        """Latency of the effects, in frames."""
        return self.chained.chain_latency

    def render(self, number: int, sound: Stems) -> Stems:
        """Return hop ``number``, ``(1 + stems, 2, hop)``, the mix first, with effects on its stems.

        Args:
            number: the hop's index in the stream.
            sound: the dry hop, ``(1 + stems, 2, hop)``, the mix first.
        """
        slot = number % len(self._numbers)
        self._dry[slot], self._numbers[slot] = sound, number
        self._next = number + 1
        return self._fade_out.mix_into(self._play(sound))

    def dry(self, number: int) -> Stems:
        """Return a hop's input; silence where there was none."""
        slot = number % len(self._numbers)
        return self._dry[slot] if int(self._numbers[slot]) == number else np.zeros_like(self._dry[0])

    def rewind(self, number: int) -> None:
        """Prepare to render hop ``number`` or a later one again; takes a moment."""
        self.chained.reset()
        self._mix.reset()
        self._next = max(0, number - self._history_hops)
        self._process_until(number)

    def replace_from(self, number: int, fading: Stems | None) -> None:
        """Render from hop ``number`` on, not before the one of `rewind`; ``fading``, if any, fades out under it.

        Args:
            number: index of the first hop to replace.
            fading: the old audio from there on, ``(1 + stems, 2, frames)``, or None for no crossfade.
        """
        self._process_until(number)
        self._numbers[self._numbers >= number] = _NO_HOP
        if fading is not None:
            self._fade_out = FadeOut(fading)

    def close(self) -> None:
        """End the processes of effects, if any."""
        self.chained.close()

    def _process_until(self, number: int) -> None:
        for past in range(self._next, number):
            self._play(self.dry(past))
        self._next = max(number, self._next)

    def _play(self, sound: Stems) -> Stems:
        out = np.empty_like(sound)
        self._mix.write(sound[0])
        self._mix.read(out[0])
        self._known.sound = sound[1:]
        out[1:] = self.chained.process(sound[0])
        return out


class _KnownStems:
    """A separator whose stems are given; a `Separator`."""

    latency = 0
    channels = 2

    def __init__(self, stems: tuple[str, ...], sample_rate: int, hop: int) -> None:
        self.stems, self.sample_rate, self.hop = stems, sample_rate, hop
        self.sound: Stems = np.zeros((len(stems), 2, hop), np.float32)

    def process(self, block: Block) -> Stems:
        del block
        return self.sound

    def reset(self) -> None:
        pass
