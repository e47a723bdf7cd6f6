"""The mean of several separators, which has less error than each of them if their errors differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.errors import ConfigError
from stream_sep.separators.compute_share import compute_share_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_sep.protocols import Block, Separator, Stems


class DelayedInput:
    """Separates its input some frames later, so that hops and windows lie elsewhere in it; a `Separator`.

    Args:
        separator: the separator.
        frames: the delay, at most a hop.
    """

    def __init__(self, separator: Separator, frames: int) -> None:
        self._separator = separator
        self.stems, self.sample_rate = separator.stems, separator.sample_rate
        self.channels, self.hop = separator.channels, separator.hop
        self.latency = separator.latency + frames
        self.compute_share = compute_share_of(separator)
        self._held = np.zeros((self.channels, frames), np.float32)

    def process(self, block: Block) -> Stems:
        """Separate the next hop; shapes as in `Separator.process`."""
        delayed = np.concatenate([self._held, block], axis=1)
        self._held = delayed[:, self.hop :]
        return self._separator.process(np.ascontiguousarray(delayed[:, : self.hop]))

    def reset(self) -> None:
        """Clear the state."""
        self._separator.reset()
        self._held = np.zeros_like(self._held)


class EnsembleSeparator:
    """Averages the stems of separators, each delayed to the longest latency among them; a `Separator`.

    Args:
        members: at least one; all have the same stems, sample rate, channels and hop.

    Attributes:
        weights: number of parameters of all members, and bytes of their files.

    Raises:
        ConfigError: there is none, or they differ.
    """

    def __init__(self, members: Sequence[Separator]) -> None:
        formats = {(member.stems, member.sample_rate, member.channels, member.hop) for member in members}
        if len(formats) != 1:
            raise ConfigError(
                f"the members of an ensemble must have the same stems, sample rate, channels and hop, not {formats}"
            )
        self._members = tuple(members)
        self.stems, self.sample_rate, self.channels, self.hop = formats.pop()
        self.latency = max(member.latency for member in members)
        self.compute_share = sum(map(compute_share_of, members))
        self.weights = tuple(map(sum, zip(*(getattr(one, "weights", (0, 0)) for one in members), strict=True)))
        shape = len(self.stems), self.channels
        self._delays = [np.zeros((*shape, self.latency - one.latency + self.hop), np.float32) for one in members]
        self._mean = np.zeros((*shape, self.hop), np.float32)

    def process(self, block: Block) -> Stems:
        """Separate the next hop; shapes as in `Separator.process`."""
        self._mean[:] = 0.0
        for member, delay in zip(self._members, self._delays, strict=True):
            delay[..., : -self.hop] = delay[..., self.hop :]
            delay[..., -self.hop :] = member.process(block)
            self._mean += delay[..., : self.hop]
        self._mean /= len(self._members)
        return self._mean

    def reset(self) -> None:
        """Clear the state of all members."""
        for member, delay in zip(self._members, self._delays, strict=True):
            member.reset()
            delay[:] = 0.0


def average_shifts(passes: Sequence[Separator]) -> Separator:
    """Return the mean of some passes, whose hops lie apart by equal parts of a hop.

    Args:
        passes: the same separator, loaded once for each pass.
    """
    first, *others = passes
    if not others:
        return first
    offsets = (first.hop * number // len(passes) for number in range(1, len(passes)))
    return EnsembleSeparator([first, *map(DelayedInput, others, offsets)])
