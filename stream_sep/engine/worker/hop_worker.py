"""The separator's side of the rings: reads hops as they are captured, writes stems, never blocks the audio thread.

The same code runs in a process of its own, in a thread, or inline between blocks.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.audio.ring_layout import OFFLINE, RingLayout
from stream_sep.audio.rings import Rings, write_frames
from stream_sep.effects.chained_separator import ChainedSeparator
from stream_sep.effects.spec import ChainSpec
from stream_sep.engine.worker.effects import require_effects, with_chains
from stream_sep.errors import SeparatorError
from stream_sep.separators.compute_share import DEFAULT_COMPUTE_SHARE, compute_share_of
from stream_sep.separators.stem_guard import MAX_SAMPLE, MAX_STEM_GAIN, StemGuard

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.effects.chained_separator import Chains
    from stream_sep.protocols import Block, Separator

_log = logging.getLogger(__name__)
_BACKLOG_SECONDS = 0.5
_POLL_SECONDS = 0.0002
_OFFLINE_POLL_SECONDS = 0.00005
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
        chain_latency: how many frames of ``latency`` are for effect chains.
        compute_share: share of a hop's length that computing it may take, as the separator declares.
    """

    stems: tuple[str, ...]
    sample_rate: int
    channels: int
    hop: int
    latency: int
    hop_seconds: float
    chain_latency: int = 0
    compute_share: float = DEFAULT_COMPUTE_SHARE

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
    seconds = []
    rest = min(separator.hop / separator.sample_rate, _MAX_REST)
    for call in range(calls):
        time.sleep(rest if 2 * call >= calls else 0.0)
        started = time.perf_counter()
        separator.process(noise)
        seconds.append(time.perf_counter() - started)
        if sum(seconds) > 3 and len(seconds) > 2:
            break
    _prime_jit(separator, noise)
    separator.reset()
    timed = sorted(seconds[len(seconds) // 2 :])
    names = ("stems", "sample_rate", "channels", "hop", "latency")
    return SeparatorInfo(
        **{name: getattr(separator, name) for name in names},
        hop_seconds=timed[-1],
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


class HopWorker:
    """Feeds a separator from the capture ring and fills the stem ring, one hop per step.

    Args:
        separator: what splits the mix.
        rings: shared with the audio thread.
        join: start with the newest input instead of the first frame, as after a restart.
    """

    def __init__(self, separator: Separator, rings: Rings, *, join: bool = False) -> None:
        self._separator = separator
        self._rings = rings
        self._block = np.zeros((separator.channels, separator.hop), np.float32)
        has_effects = isinstance(separator, ChainedSeparator)  # and checks the input of its chains itself
        self._guard = StemGuard(separator, MAX_SAMPLE if has_effects else MAX_STEM_GAIN)
        self._next = 0
        self._muted_hops = 0
        self._stream_begin = rings.stream_begin() if join else 0
        longest = rings.layout.capacity // 2
        self._backlog = min(longest, 4 * separator.hop + math.ceil(_BACKLOG_SECONDS * separator.sample_rate))
        if join:
            self._resync()

    def step(self) -> bool:
        """Separate the next hop if it is complete; return whether it was."""
        hop = self._separator.hop
        captured = self._rings.captured()
        self._follow_stream()
        if captured < (self._next + 1) * hop:
            return False
        too_late = captured - self._next * hop > self._backlog
        if too_late or not self._rings.read_hop(self._next, self._block):
            self._rings.count_jump()
            self._resync()
            return True
        self._separate()
        return True

    def seconds_until_next_hop(self) -> float:
        """Return the seconds of audio that the next hop still lacks."""
        frames = (self._next + 1) * self._separator.hop - self._rings.captured()
        return max(frames, 0) / self._separator.sample_rate

    def run(self, stopped: threading.Event) -> None:
        """Step until ``stopped``, with a heartbeat at least every few milliseconds."""
        while not stopped.is_set():
            self._rings.heartbeat(time.monotonic_ns())
            if not self.step():
                time.sleep(self._rest())

    def _rest(self) -> float:
        if self._rings.positions[OFFLINE]:
            return _OFFLINE_POLL_SECONDS
        return min(max(self.seconds_until_next_hop() / 2, _POLL_SECONDS), 0.005)

    def _follow_stream(self) -> None:
        """Reset the separator where a new stream begins, so that the same song is always separated the same way."""
        begin = self._rings.stream_begin()
        if begin != self._stream_begin:
            self._separator.reset()
            self._stream_begin, self._next, self._muted_hops = begin, begin // self._separator.hop, 0

    def _resync(self) -> None:
        """Skip to the newest input; the separator's output is muted until its context is filled again."""
        self._separator.reset()
        self._next = self._rings.captured() // self._separator.hop
        self._muted_hops = math.ceil(self._separator.latency / self._separator.hop)

    def _separate(self) -> None:
        started = time.perf_counter_ns()
        stems = self._separator.process(self._block)
        self._rings.count_hop(time.perf_counter_ns() - started)
        if not self._guard.accepts(self._block, stems):
            self._rings.mark_invalid(self._next)
            self._separator.reset()
            self._muted_hops = math.ceil(self._separator.latency / self._separator.hop)
        elif self._muted_hops > 0:
            self._muted_hops -= 1
            self._rings.mark_skipped(self._next)
        else:
            self._rings.publish(self._next, stems)
        self._next += 1


class InlineWorker:
    """Separates when `catch_up` is called, on the caller's thread: for offline work and tests.

    Args:
        load: builds the separator.
        report: callback that receives a message when an effect chain fails; logged unless given.
        chains: the effects to start with.
        chain_reserve: frames of latency reserved for effects; with neither this nor ``chains``, none can be added.
        meanwhile: what plays during a restart, as part of a message.

    Raises:
        SeparatorError: the separator, or an effect, cannot be loaded.
        ConfigError: invalid chains, or chains whose latency exceeds the reserve.
    """

    def __init__(
        self,
        load: Callable[[], Separator],
        report: Callable[[str], None] = _log.warning,
        *,
        chains: Chains | None = None,
        chain_reserve: int | None = None,
        meanwhile: str = "the dry sound plays",
    ) -> None:
        self._load, self._report, self._changing, self._meanwhile = load, report, threading.Lock(), meanwhile
        self._separator = with_chains(load(), chains, chain_reserve, report)
        self.info = warm_up(self._separator)
        self.restarts = 0
        self._worker: HopWorker | None = None

    @property
    def chain_latency(self) -> int:
        """Frames of latency that the chains add to all stems."""
        return self.info.chain_latency

    @property
    def chains(self) -> ChainSpec:
        """The current effects."""
        return self._separator.chains if isinstance(self._separator, ChainedSeparator) else ChainSpec()

    def set_chains(self, chains: Chains) -> None:
        """Replace the effects; as `ChainedSeparator.set_chains`."""
        with self._changing:
            require_effects(self._separator).set_chains(chains)

    def set_effect(self, stem: str, index: int, parameter: str, value: object) -> None:
        """Set a parameter of an effect; as `ChainedSeparator.set_effect`."""
        with self._changing:
            require_effects(self._separator).set_effect(stem, index, parameter, value)

    def set_bypass(self, stem: str, *, bypassed: bool) -> None:
        """Bypass a stem's chain; as `ChainedSeparator.set_bypass`."""
        with self._changing:
            require_effects(self._separator).set_bypass(stem, bypassed=bypassed)

    def start(self, rings: Rings) -> None:
        """Attach to ``rings``."""
        self._worker = HopWorker(self._separator, rings)

    def catch_up(self) -> None:
        """Separate every complete hop."""
        while self._worker is not None and self._worker.step():
            pass

    def stop(self) -> None:
        """Release the rings, and end effects in processes of their own."""
        self._worker = None
        if isinstance(self._separator, ChainedSeparator):
            self._separator.close()
