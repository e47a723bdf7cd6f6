"""Measures a chain's latency with test signals, since plug-ins report it late, wrongly or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_sep.effects.pedalboard_chain import Effect, PedalboardChain
    from stream_sep.protocols import Block

_SECONDS = 1.0
_MAX_DELAY = 4096  # beyond, it is an intended echo
_MAX_ONSET = 8
_SPREAD = 16


@dataclass(frozen=True)
class ChainLatency:
    """A chain's latency, by cause.

    Attributes:
        shortfall: most frames that it holds back.
        delay: frames by which its output is delayed.
    """

    shortfall: int
    delay: int

    @property
    def latency(self) -> int:
        """Frames of delay when as many frames are read as were written."""
        return self.shortfall + self.delay


def measure_latency(chain: PedalboardChain, sample_rate: int, channels: int, hop: int) -> ChainLatency:
    """Measure the latency of ``chain``, whose state is changed by it.

    Args:
        chain: the chain.
        sample_rate: frames per second.
        channels: channels of the stem.
        hop: frames of a block, as it will be fed.
    """
    hops = max(2, -(-int(_SECONDS * sample_rate) // hop))
    quiet = [np.zeros((channels, hop), np.float32) for _ in range(2)]
    impulse = quiet[0].copy()
    impulse[:, 0] = 0.5
    delay = 0
    for effect in chain.effects:
        if not effect.is_delay:
            response = np.concatenate([effect.process(part) for part in (impulse, *quiet[1:] * (hops - 1))], axis=1)
            delay += _delay_of(np.abs(response).max(axis=0))
        effect.reset()
    return ChainLatency(_shortfall(chain, channels, hop, hops), delay)


def _shortfall(chain: PedalboardChain | Effect, channels: int, hop: int, hops: int) -> int:
    rng, waiting, worst = np.random.default_rng(0), 0, 0
    for _ in range(hops):
        noise = (0.1 * rng.standard_normal((channels, hop))).astype(np.float32)
        waiting += hop - chain.process(noise).shape[1]
        worst = max(worst, waiting)
    return worst


def _delay_of(response: Block) -> int:
    """Return the delay of an impulse response that is late as a whole, 0 for one that only rings."""
    response = response[:_MAX_DELAY]
    loudest = response.max(initial=0.0)
    if loudest < 1e-9 or int((response > 1e-3 * loudest).argmax()) <= _MAX_ONSET:
        return 0
    at = int(response.argmax())
    energy = np.square(response, dtype=np.float64)
    near = energy[max(0, at - _SPREAD) : at + _SPREAD + 1].sum()
    return at if near > 0.5 * energy.sum() else 0
