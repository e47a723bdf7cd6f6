"""Effects behind the stems of songs, which are rendered ahead: what they hear is always what will be heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.effects.aligned_chain import FrameQueue
from stream_sep.effects.chained_separator import ChainedSeparator
from stream_sep.engine.worker.effects import restore_chains
from stream_sep.player.fade_out import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.effects.spec import ChainSpec
    from stream_sep.protocols import Block, Stems

MEMORY_SECONDS = 1.0
"""So much of what was heard effects hear again when what lies ahead is rendered anew: their echoes are there then."""

_NO_HOP = -1


class Effects:
    """Puts the chains of a `ChainedSeparator` behind rendered hops.

    Hops are rendered long before they are heard, and anew when orders come or an effect is changed. Then the effects
    begin again a second before, with the sound that was heard: their state of that moment is gone.

    Args:
        stems: names of the stems.
        sample_rate: frames per second.
        hop: frames of a hop.
        chains: the effects to begin with.
        reserve: frames of latency kept for effects that may come later; what the first ones need unless given.
        ahead: hops that are rendered ahead, at most.
        report: is told, in a sentence, when a chain fails.
        again: whether the chains were there before, so that one that cannot be loaded any more is left out.

    Attributes:
        chained: the chains, to be changed from any thread.

    Raises:
        ConfigError: a chain that makes no sense, or is later than ``reserve``.
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
        given = self._given = _Given(stems, sample_rate, hop)
        if again:
            self.chained = restore_chains(given, chains, reserve or 0, report)
        else:
            self.chained = ChainedSeparator(given, chains, reserve=reserve, report=report)
        self._memory = -(-round(MEMORY_SECONDS * sample_rate) // hop)
        slots = self._memory + ahead + 1
        self._dry = np.zeros((slots, 1 + len(stems), 2, hop), np.float32)
        self._numbers = np.full(slots, _NO_HOP, np.int64)
        self._mix = FrameQueue(2, self.chained.chain_latency, hop)
        self._outgoing = Outgoing(np.zeros((1 + len(stems), 2, 0), np.float32))
        self._next = 0

    @property
    def latency(self) -> int:
        """Frames by which everything comes out late."""
        return self.chained.chain_latency

    def render(self, number: int, sound: Stems) -> Stems:
        """Return hop ``number``, ``(1 + stems, 2, hop)``, the mix first, with effects on its stems."""
        slot = number % len(self._numbers)
        self._dry[slot], self._numbers[slot] = sound, number
        self._next = number + 1
        return self._outgoing.under(self._play(sound))

    def dry(self, number: int) -> Stems:
        """Return a hop as it was given; silence where it was not."""
        slot = number % len(self._numbers)
        return self._dry[slot] if int(self._numbers[slot]) == number else np.zeros_like(self._dry[0])

    def rewind(self, number: int) -> None:
        """Get ready to render hop ``number``, or a later one, anew; takes a moment."""
        self.chained.reset()
        self._mix.reset()
        self._next = max(0, number - self._memory)
        self._hear_until(number)

    def turn(self, number: int, fading: Stems | None) -> None:
        """Render from hop ``number`` on, not before the one of `rewind`; ``fading``, if any, fades out under it."""
        self._hear_until(number)
        self._numbers[self._numbers >= number] = _NO_HOP
        if fading is not None:
            self._outgoing = Outgoing(fading)

    def close(self) -> None:
        """End the processes of effects, if there are any."""
        self.chained.close()

    def _hear_until(self, number: int) -> None:
        for heard in range(self._next, number):
            self._play(self.dry(heard))
        self._next = max(number, self._next)

    def _play(self, sound: Stems) -> Stems:
        out = np.empty_like(sound)
        self._mix.write(sound[0])
        self._mix.read(out[0])
        self._given.sound = sound[1:]
        out[1:] = self.chained.process(sound[0])
        return out


class _Given:
    """A separator whose stems are known already; a `Separator`."""

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
