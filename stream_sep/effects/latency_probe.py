"""How late a chain is: found by sending it sound, since plugins tell it too late, or wrongly, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_sep.effects.pedalboard_chain import Board, Effect
    from stream_sep.protocols import Block

_SECONDS = 1.0
_FARTHEST = 4096  # beyond, it is an echo that somebody wants
_AT_ONCE = 8
_SPREAD = 16


@dataclass(frozen=True)
class Lateness:
    """How late a chain is.

    Attributes:
        shortfall: most frames that it has taken and not given back.
        delay: frames by which what it gives back is late.
    """

    shortfall: int
    delay: int

    @property
    def latency(self) -> int:
        """Frames by which sound comes late when as many frames are read as were given."""
        return self.shortfall + self.delay


def measure(board: Board, sample_rate: int, channels: int, hop: int) -> Lateness:
    """Return how late ``board`` is; it has heard things afterwards, so give a copy.

    Args:
        board: the chain.
        sample_rate: frames per second.
        channels: channels of the stem.
        hop: frames of a block, as it will be fed.
    """
    hops = max(2, -(-int(_SECONDS * sample_rate) // hop))
    quiet = [np.zeros((channels, hop), np.float32) for _ in range(2)]
    impulse = quiet[0].copy()
    impulse[:, 0] = 0.5
    delay = 0
    for effect in board.effects:
        if not effect.late_on_purpose:
            answer = np.concatenate([effect.process(part) for part in (impulse, *quiet[1:] * (hops - 1))], axis=1)
            delay += _delay_of(np.abs(answer).max(axis=0))
        effect.reset()
    return Lateness(_shortfall(board, channels, hop, hops), delay)


def _shortfall(board: Board | Effect, channels: int, hop: int, hops: int) -> int:
    rng, waiting, worst = np.random.default_rng(0), 0, 0
    for _ in range(hops):
        noise = (0.1 * rng.standard_normal((channels, hop))).astype(np.float32)
        waiting += hop - board.process(noise).shape[1]
        worst = max(worst, waiting)
    return worst


def _delay_of(answer: Block) -> int:
    """Return where the answer to an impulse lies, if it is late as a whole; an effect that only rings is not."""
    answer = answer[:_FARTHEST]
    loudest = answer.max(initial=0.0)
    if loudest < 1e-9 or int((answer > 1e-3 * loudest).argmax()) <= _AT_ONCE:
        return 0
    at = int(answer.argmax())
    energy = np.square(answer, dtype=np.float64)
    near = energy[max(0, at - _SPREAD) : at + _SPREAD + 1].sum()
    return at if near > 0.5 * energy.sum() else 0
