"""The properties of a loaded separator, and its warm-up, which measures them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.audio.ring_layout import RingLayout
from stream_sep.audio.rings import Rings, write_frames
from stream_sep.effects.chained_separator import ChainedSeparator
from stream_sep.engine.worker.hop_worker import HopWorker
from stream_sep.errors import SeparatorError
from stream_sep.separators.compute_share import DEFAULT_COMPUTE_SHARE, compute_share_of

if TYPE_CHECKING:
    from stream_sep.protocols import Block, Separator

_MAX_REST = 0.02


@dataclass(frozen=True)
class SeparatorInfo:
    """The properties of a separator that may run in another process.

    Attributes:
        stems: names of the stems.
        sample_rate: frames per second.
        channels: channels of the mix.
        hop: frames per call.
        latency: frames of look-ahead, those of effect chains included.
        hop_seconds: time a call takes here, the slowest of a few.
        busy_share: share of a hop's length for which a call keeps its thread busy, the median of a few: CPU time, so
            that other programs do not lengthen it by taking the processor.
        chain_latency: how many frames of ``latency`` are for effect chains.
        compute_share: share of a hop's length that computing it may take, as the separator declares.
    """

    stems: tuple[str, ...]
    sample_rate: int
    channels: int
    hop: int
    latency: int
    hop_seconds: float
    busy_share: float = 1.0
    chain_latency: int = 0
    compute_share: float = DEFAULT_COMPUTE_SHARE

    @property
    def hop_ms(self) -> float:
        """Length of a hop in milliseconds: the time limit for computing it."""
        return 1000 * self.hop / self.sample_rate

    def check_compatible(self, back: SeparatorInfo) -> None:
        """Check that a restarted separator fits the rings of the one before.

        Raises:
            SeparatorError: it has other stems, another hop or another latency.
        """
        if (back.stems, back.hop, back.latency) != (self.stems, self.hop, self.latency):
            raise SeparatorError("the restarted separator has a different hop, latency or stem list")


def warm_up(separator: Separator, calls: int = 12) -> SeparatorInfo:
    """Run ``separator`` on noise so that the first real hop is as fast as any, time it, and reset it.

    Each timed call follows a pause as long as that between two hops: meanwhile other programs evict the CPU caches,
    and a network takes half as long again as without.

    Args:
        separator: the separator.
        calls: hops to process.
    """
    noise = np.random.default_rng(0).standard_normal((separator.channels, separator.hop)).astype(np.float32) * 0.1
    seconds, busy = [], []
    rest = min(separator.hop / separator.sample_rate, _MAX_REST)
    for call in range(calls):
        time.sleep(rest if 2 * call >= calls else 0.0)
        started, cpu = time.perf_counter(), time.thread_time()
        separator.process(noise)
        seconds.append(time.perf_counter() - started)
        busy.append(time.thread_time() - cpu)
        if sum(seconds) > 3 and len(seconds) > 2:
            break
    _prime_jit(separator, noise)
    separator.reset()
    timed = sorted(seconds[len(seconds) // 2 :])
    names = ("stems", "sample_rate", "channels", "hop", "latency")
    return SeparatorInfo(
        **{name: getattr(separator, name) for name in names},
        hop_seconds=timed[-1],
        busy_share=float(np.median(busy[len(busy) // 2 :])) * separator.sample_rate / separator.hop,
        chain_latency=separator.chain_latency if isinstance(separator, ChainedSeparator) else 0,
        compute_share=compute_share_of(separator),
    )


def _prime_jit(separator: Separator, noise: Block) -> None:
    """Pass one hop through separate rings, so that the first real one does not wait for compiled code to load."""
    layout = RingLayout(separator.channels, len(separator.stems), separator.hop, 4 * separator.hop, slots=4)
    rings = Rings(layout)
    write_frames(rings.capture, rings.positions, noise, separator.hop)
    rings.mark_skipped(1)
    HopWorker(separator, rings).step()
