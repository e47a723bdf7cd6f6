"""Latency arithmetic, all in frames: buffering, computing time and the separator's own latency."""

from __future__ import annotations

import math
from dataclasses import dataclass

JITTER_MS = 5.0
"""Allowance for an operating system that wakes the worker late."""

VM_JITTER_MS = 8.0
"""The same for a virtual machine whose host shares its processors with others: with `JITTER_MS`, one hop was late in
each of three runs of ten minutes of `live`, and one more block of 2.9 ms would have covered each. Some stalls take
longer."""

HEADROOM = 1.4
"""Factor by which a hop may exceed the slowest of the warm-up: HTDemucs on two shared cores took 1.35 medians."""


def adaptation_delay(block_size: int, hop: int) -> int:
    """Return the frames to wait so that blocks can always be filled from hops, if computing took no time.

    Equal to a brute-force search for every pair of sizes (tests/audio/test_latency.py); after Letz, "Callback
    adaptation techniques", 2001.

    Args:
        block_size: frames of a block.
        hop: frames of a hop.

    >>> adaptation_delay(128, 256), adaptation_delay(256, 128), adaptation_delay(100, 128)
    (128, 0, 200)
    """
    return math.ceil((hop - math.gcd(block_size, hop)) / block_size) * block_size


def slack_for(block_size: int, hop: int, compute: int) -> int:
    """Return the slack, in frames, with which a hop that takes ``compute`` frames of time is never late.

    Where a hop does not hold whole blocks, hops bunch up, and one block more is needed: found and confirmed by
    simulating every pair of sizes (tests/audio/test_latency.py). It needs ``compute <= hop``.

    Args:
        block_size: frames of a block.
        hop: frames of a hop.
        compute: compute time of a hop, in frames.

    >>> slack_for(128, 256, compute=40)
    128
    """
    uneven = 0 if hop % block_size == 0 else block_size
    return math.ceil(compute / block_size) * block_size + uneven


def required_slack(block_size: int, hop: int, waited: int) -> int:
    """Return the least slack with which stems that arrive ``waited`` frames after the end of their hop are in time.

    Args:
        block_size: frames of a block.
        hop: frames of a hop.
        waited: frames between a hop's end and its stems.

    >>> required_slack(128, 512, waited=256)
    384
    """
    return slack_for(block_size, hop, waited + block_size)


def fixed_prefill(
    block_size: int, hop: int, sample_rate: int, *, compute_share: float = 0.5, jitter_ms: float = JITTER_MS
) -> int:
    """Return the prefill, in frames, for a hop that takes half its length to compute, and starts late.

    A function of sizes alone, so that the same settings have the same latency on every machine. It is enough for
    every pair of sizes in a simulation of the worker (tests/audio/test_latency.py).

    Args:
        block_size: frames of a block; where blocks vary, of the longest.
        hop: frames of a hop of the separator.
        sample_rate: frames per second.
        compute_share: share of a hop's length that computing it takes.
        jitter_ms: how late the computation may start.

    Returns:
        Frames between a frame's capture and the block that plays its stems, without the separator's own latency.

    >>> [fixed_prefill(block, 512, 44100) for block in (64, 128, 256, 512, 1024)]
    [960, 896, 768, 512, 1024]
    """
    jitter = math.ceil(jitter_ms * sample_rate / 1000)
    if compute_share > 0.5:  # a late hop is not caught up within the next one: add the terms one by one
        slack = (
            slack_for(block_size, hop, math.ceil(hop * compute_share)) + math.ceil(jitter / block_size) * block_size
        )
        return adaptation_delay(block_size, hop) + slack
    compute = math.ceil(block_size / hop) * math.ceil(hop * compute_share)  # of all hops that end in one block
    blocks = math.ceil((compute + jitter) / block_size)
    return blocks * block_size + hop - math.gcd(block_size, hop)


@dataclass(frozen=True)
class LatencyReport:
    """The terms of the delay between input and output, in frames.

    Attributes:
        sample_rate: frames per second.
        device: latency reported by the sound card, input and output together.
        adaptation: waiting for a whole hop when blocks and hops differ.
        slack: for the compute time of a hop, and for jitter.
        separator: the separator's own look-ahead.
        drift: of the resampler between two devices whose clocks differ.
        extra: added during playback, when the device's blocks have grown.
    """

    sample_rate: int
    adaptation: int
    slack: int
    separator: int
    device: int = 0
    drift: int = 0
    extra: int = 0

    @property
    def prefill(self) -> int:
        """Frames of stems that are ready ahead of the callback."""
        return self.adaptation + self.slack

    @property
    def engine(self) -> int:
        """Frames between the callback's input and its output: everything but the device."""
        return self.prefill + self.separator

    @property
    def total(self) -> int:
        """Frames between the audio going in and coming out."""
        return self.engine + self.device + self.drift + self.extra

    def milliseconds(self, frames: int) -> float:
        """Return ``frames`` in milliseconds."""
        return 1000 * frames / self.sample_rate

    def terms(self) -> list[tuple[str, int]]:
        """Return the name and the frames of each term, the total last."""
        names = ("device", "drift", "adaptation", "slack", "separator", *(["extra"] if self.extra else []))
        return [*((name, getattr(self, name)) for name in names), ("total", self.total)]
