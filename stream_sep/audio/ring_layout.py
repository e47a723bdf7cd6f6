"""The layout of the rings in memory: a header, positions, the numbers of the hops, timings, then audio."""

from __future__ import annotations

from dataclasses import dataclass

_LINE = 8  # int64s in a cache line: positions written by different threads never share one
CAPTURED = 0 * _LINE
"""Index in `Rings.positions`: frames captured so far, written by the audio thread."""
STREAM_BEGIN = CAPTURED + 1
"""Index in `Rings.positions`: the frame, a whole number of hops, with which the present stream begins."""
OFFLINE = CAPTURED + 2
"""Index in `Rings.positions`: not 0 in an offline run, where the separator does not pause between hops."""
HEARTBEAT = 1 * _LINE
"""Index in `Rings.positions`: clock of the separator's last heartbeat, in nanoseconds."""
HOPS_DONE = 2 * _LINE
"""Index in `Rings.positions`: hops the separator has computed, across restarts."""
COMPUTE_NS = HOPS_DONE + 1
"""Index in `Rings.positions`: their total compute time in nanoseconds."""
COMPUTE_MAX_NS = HOPS_DONE + 2
"""Index in `Rings.positions`: compute time of the slowest in nanoseconds."""
NONFINITE = HOPS_DONE + 3
"""Index in `Rings.positions`: hops rejected because the separator returned NaN, infinity or excessive levels."""
JUMPS = HOPS_DONE + 4
"""Index in `Rings.positions`: times the separator was so late that it skipped to the present."""
MIXED = HOPS_DONE + 5
"""Index in `Rings.positions`: end of the mix that is ready, where it is prerendered instead of captured."""
WAITED = HOPS_DONE + 6
"""Index in `Rings.positions`: most frames captured between the last frame of a hop and its stems."""
POSITIONS = 3 * _LINE
"""Length of `Rings.positions`."""

MAGIC = int.from_bytes(b"SSEPRNG1", "little")
"""First word of the memory: identifies it to a program in another language that maps it."""
VERSION = 1
"""Second word of the memory: the version of the layout that follows."""
HEADER = 1 * _LINE
"""Length of `Rings.header`: magic, version, the five sizes of the layout, and the bytes of the whole."""

EMPTY = -1
"""Tag of a slot that holds no hop; `EMPTY - 1 - n` marks hop n as computed but unusable."""
TIMINGS = 8192
"""Number of compute times kept, newest over oldest."""


@dataclass(frozen=True)
class RingLayout:
    """The sizes of the rings, from which another process derives their layout.

    Attributes:
        channels: channels of the mix.
        stems: number of stems.
        hop: frames of a hop.
        capacity: frames of the capture ring.
        slots: hops of the stem ring.
    """

    channels: int
    stems: int
    hop: int
    capacity: int
    slots: int

    @property
    def size(self) -> int:
        """Total size in bytes."""
        floats = self.channels * self.capacity + self.slots * self.stems * self.channels * self.hop
        return 8 * (HEADER + POSITIONS + self.slots + TIMINGS) + 4 * floats

    @property
    def header(self) -> tuple[int, ...]:
        """The words at the start of the memory."""
        return (MAGIC, VERSION, self.channels, self.stems, self.hop, self.capacity, self.slots, self.size)
