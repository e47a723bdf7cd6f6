"""The separator's side of the rings: reads hops as they are captured, writes stems, never blocks the audio thread.

The same code runs in its own process, in a thread, or inline between blocks.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from stream_sep.audio.ring_layout import OFFLINE
from stream_sep.effects.chained_separator import ChainedSeparator
from stream_sep.separators.stem_guard import MAX_SAMPLE, MAX_STEM_GAIN, StemGuard

if TYPE_CHECKING:
    import threading

    from stream_sep.audio.ring_layout import RingLayout
    from stream_sep.audio.rings import Rings
    from stream_sep.protocols import Separator

_BACKLOG_SECONDS = 0.5
_POLL_SECONDS = 0.0002
_OFFLINE_POLL_SECONDS = 0.00005
_OFFLINE_IDLE_SECONDS = 0.5


class HopWorker:
    """Feeds a separator from the capture ring and fills the stem ring, one hop per step.

    Args:
        separator: splits the mix.
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
        self._fed_to, self._fed_at = -1, 0.0
        self._stream_begin = rings.stream_begin() if join else 0
        self._backlog = _max_backlog(separator, rings.layout)
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
        """Return the seconds of audio still missing from the next hop."""
        frames = (self._next + 1) * self._separator.hop - self._rings.captured()
        return max(frames, 0) / self._separator.sample_rate

    def run(self, stopped: threading.Event) -> None:
        """Step until ``stopped``, with a heartbeat at least every few milliseconds."""
        while not stopped.is_set():
            self._rings.heartbeat(time.monotonic_ns())
            if not self.step():
                time.sleep(self._rest())

    def _rest(self) -> float:
        if self._rings.positions[OFFLINE] and self._is_fed():
            return _OFFLINE_POLL_SECONDS
        return min(max(self.seconds_until_next_hop() / 2, _POLL_SECONDS), 0.005)

    def _is_fed(self) -> bool:
        """Return whether input arrived lately: a client that ended may have left its offline hint."""
        captured, now = self._rings.captured(), time.monotonic()
        if captured != self._fed_to:
            self._fed_to, self._fed_at = captured, now
        return now - self._fed_at < _OFFLINE_IDLE_SECONDS

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


def _max_backlog(separator: Separator, layout: RingLayout) -> int:
    """Return the frames that may wait before the worker skips them.

    At least as many as the stem ring holds: an offline client, and one with a long prefill, captures those at once.
    """
    brief = 4 * separator.hop + math.ceil(_BACKLOG_SECONDS * separator.sample_rate)
    return min(layout.capacity // 2, max(brief, layout.slots * separator.hop))
