"""The ring buffers between the audio thread and the separator: one of captured audio, one of finished stems.

Only the audio thread writes the capture ring, and only the separator the stem ring. Positions are ever-growing frame
or hop counts, published after the data they refer to. A stem hop carries its number: a reader of hop 7 finds hop 7
or nothing, so late stems can be dropped but never played in the wrong place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_sep.audio.ring_layout import (
    CAPTURED,
    COMPUTE_MAX_NS,
    COMPUTE_NS,
    EMPTY,
    HEADER,
    HEARTBEAT,
    HOPS_DONE,
    JUMPS,
    MIXED,
    NONFINITE,
    POSITIONS,
    STREAM_BEGIN,
    TIMINGS,
    WAITED,
)
from stream_sep.errors import SeparatorError
from stream_sep.lowlevel.numba_intrinsics import fence, load_acquire, njit_cached, store_release

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.audio.ring_layout import RingLayout
    from stream_sep.protocols import Block, Stems


class Rings:
    """Both rings and their positions, as arrays over one block of memory.

    Args:
        layout: the sizes.
        memory: `RingLayout.size` bytes, zeroed when new; the process's own unless given.

    Attributes:
        header: int64 ``(8,)``, `RingLayout.header`.
        positions: int64, indices as named in `stream_sep.audio.ring_layout`.
        tags: int64 ``(slots,)``, the number of the hop in each slot, or `EMPTY`.
        timings: int64 ``(TIMINGS,)``, nanoseconds that hops took.
        capture: float32 ``(channels, capacity)``.
        hops: float32 ``(slots, stems, channels, hop)``.
    """

    def __init__(self, layout: RingLayout, memory: memoryview | None = None) -> None:
        buffer = memoryview(bytearray(layout.size)) if memory is None else memory
        numbers = np.frombuffer(buffer, np.int64, HEADER + POSITIONS + layout.slots + TIMINGS)
        floats = np.frombuffer(buffer, np.float32, offset=numbers.nbytes, count=(layout.size - numbers.nbytes) // 4)
        captured = layout.channels * layout.capacity
        self.layout = layout
        ends = np.cumsum([HEADER, POSITIONS, layout.slots])
        self.header, self.positions, self.tags, self.timings = np.split(numbers, ends)
        self.capture = floats[:captured].reshape(layout.channels, layout.capacity)
        self.hops = floats[captured:].reshape(layout.slots, layout.stems, layout.channels, layout.hop)
        if memory is None:
            self.clear()

    def clear(self) -> None:
        """Reset the rings; only while no thread uses them."""
        self.header[:] = self.layout.header
        self.positions[:] = 0
        self.tags[:] = EMPTY
        self.timings[:] = 0
        self.capture[:] = 0

    def captured(self) -> int:
        """Return the frames captured so far."""
        return _position(self.positions, CAPTURED)

    def stream_begin(self) -> int:
        """Return the first frame of the current stream; to be read after `captured`."""
        return _position(self.positions, STREAM_BEGIN)

    def begin_stream(self) -> int:
        """Begin a stream with the next whole hop, for the one writer of the capture ring; return its first frame.

        The separator resets its state there. Published before the capture position that belongs to it, so that a
        reader that reads them in the opposite order has the start of all captured frames.
        """
        first = -(-self.captured() // self.layout.hop) * self.layout.hop
        _publish_position(self.positions, STREAM_BEGIN, first)
        _publish_position(self.positions, CAPTURED, first)
        return first

    def publish(self, number: int, stems: Stems) -> None:
        """Write the stems of hop ``number``, ``(stems, channels, hop)``, to their slot for the audio thread.

        Args:
            number: index of the hop.
            stems: ``(stems, channels, hop)``.

        Raises:
            SeparatorError: they have another shape.
        """
        if stems.shape != self.hops.shape[1:]:
            raise SeparatorError(
                f"a separator returned stems of the shape {stems.shape}, not {self.hops.shape[1:]}: the stems, "
                "channels and hop that it declares"
            )
        _publish(self.tags, self.hops, number, stems)
        waited = self.captured() - (number + 1) * self.layout.hop
        self.positions[WAITED] = max(int(self.positions[WAITED]), waited)

    def mark_invalid(self, number: int) -> None:
        """Mark hop ``number`` as computed but unusable, so that it does not count as late."""
        self.positions[NONFINITE] += 1
        self.mark_skipped(number)

    def mark_skipped(self, number: int) -> None:
        """Mark hop ``number`` as skipped: it will not be computed."""
        _publish_tag(self.tags, number)

    def count_jump(self) -> None:
        """Count that the separator fell too far behind and skips to the newest input."""
        self.positions[JUMPS] += 1

    def read_hop(self, number: int, out: Block) -> bool:
        """Copy the mix of hop ``number`` to ``out``, ``(channels, hop)``; False where it is already overwritten.

        Args:
            number: index of the hop.
            out: ``(channels, hop)``, which is written.
        """
        start = number * self.layout.hop
        _read(self.capture, start, out)
        return self.captured() - start < self.layout.capacity * 3 // 4

    def write_mix(self, first: int, mix: Block) -> None:
        """Write the prerendered mix, ``(channels, frames)``, from stream frame ``first`` on.

        Args:
            first: the first frame.
            mix: ``(channels, frames)``.
        """
        at = np.arange(first, first + mix.shape[1]) % self.layout.capacity
        self.capture[:, at] = mix
        _publish_position(self.positions, MIXED, first + mix.shape[1])

    def read_ahead(self, number: int) -> Stems:
        """Return mix and stems of hop ``number``, ``(1 + stems, channels, hop)``; zeros where none are ready."""
        hop, slot = self.layout.hop, number % self.layout.slots
        sound = np.zeros((1 + self.layout.stems, self.layout.channels, hop), np.float32)
        if int(self.tags[slot]) == number:
            _read(self.capture, number * hop, sound[0])
            sound[1:] = self.hops[slot]
        return sound

    def set_mix_end(self, end: int) -> None:
        """Publish that the mix is ready up to frame ``end``."""
        _publish_position(self.positions, MIXED, end)

    def heartbeat(self, now_ns: int) -> None:
        """Publish the worker's heartbeat."""
        self.positions[HEARTBEAT] = now_ns

    def count_hop(self, nanoseconds: int) -> None:
        """Count a hop and its compute time."""
        done = int(self.positions[HOPS_DONE])
        self.timings[done % TIMINGS] = nanoseconds
        self.positions[COMPUTE_NS] += nanoseconds
        self.positions[COMPUTE_MAX_NS] = max(int(self.positions[COMPUTE_MAX_NS]), nanoseconds)
        self.positions[HOPS_DONE] = done + 1


@njit_cached
def write_frames(capture: NDArray[np.float32], positions: NDArray[np.int64], block: Block, frames: int) -> None:
    """Append ``frames`` of ``block`` to the capture ring and publish them; for its one writer, the audio thread.

    Args:
        capture: the capture ring, ``(channels, capacity)``.
        positions: the shared positions.
        block: ``(channels, frames)`` or longer.
        frames: frames to append.
    """
    start = positions[CAPTURED]
    capacity = capture.shape[1]
    at = start % capacity
    for channel in range(capture.shape[0]):
        for frame in range(frames):
            index = at + frame
            capture[channel, index - capacity if index >= capacity else index] = block[channel, frame]
    store_release(positions, CAPTURED, start + frames)


@njit_cached
def _position(positions: NDArray[np.int64], index: int) -> int:
    position: int = load_acquire(positions, index)
    return position


@njit_cached
def _publish_position(positions: NDArray[np.int64], index: int, position: int) -> None:
    store_release(positions, index, position)


@njit_cached
def _read(capture: NDArray[np.float32], start: int, out: Block) -> None:
    capacity = capture.shape[1]
    at = start % capacity
    for channel in range(out.shape[0]):
        for frame in range(out.shape[1]):
            out[channel, frame] = capture[channel, (at + frame) % capacity]


@njit_cached
def _publish(tags: NDArray[np.int64], hops: NDArray[np.float32], number: int, stems: Stems) -> None:
    slot = number % tags.shape[0]
    store_release(tags, slot, EMPTY)
    fence()  # no reader may see new audio under the old number
    for stem in range(stems.shape[0]):  # assigning all of it takes two seconds to compile
        for channel in range(stems.shape[1]):
            for frame in range(stems.shape[2]):
                hops[slot, stem, channel, frame] = stems[stem, channel, frame]
    store_release(tags, slot, number)


@njit_cached
def _publish_tag(tags: NDArray[np.int64], number: int) -> None:
    store_release(tags, number % tags.shape[0], EMPTY - 1 - number)
