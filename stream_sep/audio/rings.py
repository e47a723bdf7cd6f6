"""The ring buffers between the audio thread and the separator: one of captured audio, one of finished stems.

Only the audio thread writes the capture ring, and only the separator the stem ring. Positions are ever-growing frame
or hop counts, published after the data they refer to. A stem hop carries its number: a reader of hop 7 finds hop 7
or nothing, so late stems can be dropped but never played in the wrong place.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import weakref
from dataclasses import asdict, dataclass
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.errors import SeparatorError
from stream_sep.lowlevel.numba_intrinsics import fence, load_acquire, njit_cached, store_release

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stream_sep.protocols import Block, Stems

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
_POSITIONS = 3 * _LINE

MAGIC = int.from_bytes(b"SSEPRNG1", "little")
"""First word of the memory: identifies it to a program in another language that maps it."""
VERSION = 1
"""Second word of the memory: the version of the layout that follows."""
_HEADER = 1 * _LINE  # magic, version, the five sizes of the layout, and the bytes of the whole

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
        return 8 * (_HEADER + _POSITIONS + self.slots + TIMINGS) + 4 * floats

    @property
    def header(self) -> tuple[int, ...]:
        """The words at the start of the memory."""
        return (MAGIC, VERSION, self.channels, self.stems, self.hop, self.capacity, self.slots, self.size)


class Rings:
    """Both rings and their positions, as arrays over one block of memory.

    Args:
        layout: the sizes.
        memory: `RingLayout.size` bytes, zeroed when new; the process's own unless given.

    Attributes:
        header: int64 ``(8,)``, `RingLayout.header`.
        positions: int64, indices as named in this module.
        tags: int64 ``(slots,)``, the number of the hop in each slot, or `EMPTY`.
        timings: int64 ``(TIMINGS,)``, nanoseconds that hops took.
        capture: float32 ``(channels, capacity)``.
        hops: float32 ``(slots, stems, channels, hop)``.
    """

    def __init__(self, layout: RingLayout, memory: memoryview | None = None) -> None:
        buffer = memoryview(bytearray(layout.size)) if memory is None else memory
        numbers = np.frombuffer(buffer, np.int64, _HEADER + _POSITIONS + layout.slots + TIMINGS)
        floats = np.frombuffer(buffer, np.float32, offset=numbers.nbytes, count=(layout.size - numbers.nbytes) // 4)
        captured = layout.channels * layout.capacity
        self.layout = layout
        ends = np.cumsum([_HEADER, _POSITIONS, layout.slots])
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


class DetachableSharedMemory(SharedMemory):
    """Shared memory that may be closed while arrays over it are alive: they keep their pages, without a warning.

    Python releases it to the system even if this process is killed, from a process that must outlive it.
    """

    def __init__(self, name: str | None = None, *, create: bool = False, size: int = 0, **options: Any) -> None:  # noqa: ANN401 - of newer Pythons
        if create:
            _start_tracker()
        super().__init__(name, create, size, **options)

    def __del__(self) -> None:
        with contextlib.suppress(BufferError, OSError):
            self.close()


class SharedRings(Rings):
    """Rings that two processes share.

    Use `create` in the process that owns them and `attach` in the other; both close them, the owner also unlinks.
    """

    def __init__(self, layout: RingLayout, shared: SharedMemory, *, owner: bool) -> None:
        assert shared.buf is not None
        super().__init__(layout, shared.buf[: layout.size])
        self._shared = shared
        self._detach = weakref.finalize(self, detach, shared, owner=owner)  # at the latest when Python ends
        if owner:
            self.clear()
        elif tuple(self.header) != layout.header:
            raise SeparatorError(
                f"the shared memory {shared.name!r} begins with {self.header.tolist()}, not {list(layout.header)}: "
                "it is of another version of stream_sep; restart the program that created it"
            )

    @classmethod
    def create(cls, layout: RingLayout) -> SharedRings:
        """Allocate new rings."""
        return cls(layout, DetachableSharedMemory(create=True, size=layout.size), owner=True)

    @classmethod
    def attach(cls, description: dict[str, Any]) -> SharedRings:
        """Open the rings of another process from its `describe`."""
        fields = dict(description)
        shared = open_untracked(fields.pop("name"))
        return cls(RingLayout(**fields), shared, owner=False)

    def describe(self) -> dict[str, Any]:
        """Return the arguments of `attach` as JSON values."""
        return {"name": self._shared.name, **asdict(self.layout)}

    def close(self) -> None:
        """Release the memory; the owner also unlinks it. Harmless when closed already."""
        self._detach()


def _start_tracker() -> None:
    """Start Python's resource tracker if it does not run, so that a closed terminal does not end it first."""
    if sys.platform == "win32":
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # it unblocks all others, and ignores them
    try:
        resource_tracker.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def detach(shared: SharedMemory, *, owner: bool) -> None:
    """Close shared memory, and unlink it if this process created it.

    Args:
        shared: the memory.
        owner: whether this process created it.
    """
    with contextlib.suppress(BufferError):  # a thread that hangs may hold arrays over it: it is released with them
        shared.close()
    if owner:
        shared.unlink()


def open_untracked(name: str) -> SharedMemory:
    """Open shared memory untracked: Python before 3.13 would delete it when this process ends."""
    if sys.version_info >= (3, 13):
        return DetachableSharedMemory(name=name, track=False)
    shared = DetachableSharedMemory(name=name)
    if sys.platform != "win32":
        resource_tracker.unregister(shared._name, "shared_memory")  # type: ignore[attr-defined] # noqa: SLF001 - no public way
    return shared


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
