"""Runs a separator made for one sample rate in a stream of another."""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import soxr

from stream_sep.errors import ConfigError
from stream_sep.separators.compute_share import compute_share_of
from stream_sep.separators.delayed_mix import DelayedMix

if TYPE_CHECKING:
    from stream_sep.protocols import Block, Separator, Stems

LONGEST_ALIGNMENT = 2048
"""Frames that may be spent to make the latency whole at both rates; the usual pairs need at most 441."""


class ResampledSeparator:
    """Puts a resampler before and behind a separator; a `Separator` at ``sample_rate``.

    What the inner separator does not receive, above half its own rate, is not lost: it goes to the stem of all else,
    by `rest_of`; ``other`` is made here, as the delayed mix less the rest.

    The resamplers cost about 40 ms, as they work in blocks. A hop that is as long at both rates costs nothing more;
    any other costs one more hop, since the inner separator then sometimes waits for frames: see `matching_hop`.

    Args:
        inner: the separator to run.
        sample_rate: frames per second of the stream.

    Raises:
        ConfigError: two rates between which no whole number of frames is a latency.

    >>> from stream_sep.separators.passthrough import PassthroughSeparator
    >>> outer = ResampledSeparator(PassthroughSeparator(sample_rate=44100, hop=441), 48000)
    >>> outer.hop, outer.sample_rate, outer.process(np.zeros((2, 480), np.float32)).shape
    (480, 48000, (4, 2, 480))
    """

    _waiting: Block  # (frames, channels) at the inner rate, on their way in
    _ready: Block  # (frames, stems but other * channels) at the outer rate, on their way out

    def __init__(self, inner: Separator, sample_rate: int) -> None:
        if sample_rate < 1:
            raise ConfigError(f"a stream cannot have {sample_rate} frames per second")
        self._inner = inner
        self.stems = inner.stems
        self.sample_rate = sample_rate
        self.channels, self.compute_share = inner.channels, compute_share_of(inner)
        self._ratio = Fraction(sample_rate, inner.sample_rate)
        self.hop = max(1, int(inner.hop * self._ratio))  # down, so that a call seldom runs two inner hops
        self._lead, aligned = self._align(longest_lag(sample_rate, inner.sample_rate))
        waiting = 0 if self.hop == inner.hop * self._ratio else math.ceil(inner.hop * self._ratio)
        self._prefill = waiting + longest_lag(inner.sample_rate, sample_rate)
        self.latency = aligned + self._prefill
        self._names = tuple(name for name in inner.stems if name != "other")
        self._down = soxr.ResampleStream(sample_rate, inner.sample_rate, self.channels, "float32")
        self._up = soxr.ResampleStream(inner.sample_rate, sample_rate, len(self._names) * self.channels, "float32")
        self.reset()

    def process(self, block: Block) -> Stems:
        """Process ``hop`` frames at the outer rate; shapes as in `Separator.process`."""
        frames = np.ascontiguousarray(block.T, np.float32)
        self._waiting = np.concatenate([self._waiting, self._down.resample_chunk(frames)])
        while len(self._waiting) >= self._inner.hop:
            self._run_inner()
        assert len(self._ready) >= self.hop, "the prefill covers every lag"
        ready, self._ready = self._ready[: self.hop], self._ready[self.hop :]
        return self._mix.complete(self._stems_of(ready), block)

    def reset(self) -> None:
        """Clear the state here, in the resamplers and in the inner separator."""
        self._inner.reset()
        self._down.clear()
        self._up.clear()
        self._waiting = np.zeros((self._lead, self.channels), np.float32)
        self._ready = np.zeros((self._prefill, len(self._names) * self.channels), np.float32)
        self._mix = DelayedMix(self.stems, self.channels, self.latency)

    def _run_inner(self) -> None:
        hop = self._inner.hop
        stems = self._inner.process(np.ascontiguousarray(self._waiting[:hop].T))
        self._waiting = self._waiting[hop:]
        kept = [stems[k] for k, name in enumerate(self._inner.stems) if name in self._names]
        if kept:
            frames = np.ascontiguousarray(np.concatenate(kept).T, np.float32)
            self._ready = np.concatenate([self._ready, self._up.resample_chunk(frames)])

    def _stems_of(self, ready: Block) -> Stems:
        stems = np.zeros((len(self.stems), self.channels, self.hop), np.float32)
        parts = ready.T.reshape(len(self._names), self.channels, self.hop)
        for name, part in zip(self._names, parts, strict=True):
            stems[self.stems.index(name)] = part
        return stems

    def _align(self, lag: int) -> tuple[int, int]:
        """Return the fewest leading zeros, at least ``lag``, with an integer latency, and that latency."""
        for lead in range(lag, lag + LONGEST_ALIGNMENT):
            latency = (self._inner.latency + lead) * self._ratio
            if latency.denominator == 1:
                return lead, latency.numerator
        raise ConfigError(
            f"a stream of {self.sample_rate} Hz cannot be aligned with a separator of {self._inner.sample_rate} Hz; "
            f"use a usual rate, such as 44100 or 48000"
        )


def matching_hop(hop: int, inner_rate: int, outer_rate: int) -> int:
    """Return the smallest hop from ``hop`` up, at the inner rate, that is a whole number of frames at the outer.

    Args:
        hop: least frames at the inner rate.
        inner_rate: frames per second inside.
        outer_rate: frames per second outside.

    >>> matching_hop(1000, 44100, 48000)
    1029
    """
    multiple = Fraction(outer_rate, inner_rate).denominator
    return -(-hop // multiple) * multiple


@functools.lru_cache(maxsize=32)
def longest_lag(source_rate: int, target_rate: int) -> int:
    """Return the most frames, at the target rate, by which the resampler's output trails its input.

    Found by feeding it single frames, since libsoxr publishes neither its filters nor its block lengths; the count of
    frames it has given depends only on the count it was fed, so single frames meet the worst case of all hops.

    Args:
        source_rate: frames per second of the input.
        target_rate: frames per second of the output.
    """
    stream = soxr.ResampleStream(source_rate, target_rate, 1, "float32")
    frame = np.zeros((1, 1), np.float32)
    given, longest = 0, Fraction(0)
    for fed in range(1, 16 * 1024):
        given += len(stream.resample_chunk(frame))
        longest = max(longest, fed * Fraction(target_rate, source_rate) - given)
    return math.ceil(longest)
