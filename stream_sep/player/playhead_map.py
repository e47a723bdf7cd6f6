"""Maps stream frames to song frames: the song and frame of each rendered hop."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.lowlevel.shared_memory import DetachableSharedMemory, detach, open_untracked

if TYPE_CHECKING:
    from multiprocessing.shared_memory import SharedMemory

_FIELDS = np.dtype([("hop", np.int64), ("song", np.int64), ("frame", np.float64), ("speed", np.float64)])


class PlayheadMap:
    """The song positions of the newest hops.

    Args:
        slots: its size in hops.
        hop: frames of a hop.
        memory: ``PlayheadMap.size(slots)`` bytes; the process's own unless given.
    """

    def __init__(self, slots: int, hop: int, memory: memoryview | None = None) -> None:
        self.slots, self.hop = slots, hop
        buffer = memoryview(bytearray(self.size(slots))) if memory is None else memory
        self._rows = np.frombuffer(buffer, _FIELDS, slots)
        if memory is None:
            self.clear()

    @staticmethod
    def size(slots: int) -> int:
        """Return the size of a map in bytes."""
        return slots * _FIELDS.itemsize

    def clear(self) -> None:
        """Clear all entries; not safe while another process uses the map."""
        self._rows["hop"] = -1

    def write(self, number: int, song: int, frame: float, speed: float) -> None:
        """Record that hop ``number`` begins at ``frame`` of a song and advances at ``speed``; 0 is a pause.

        Args:
            number: the hop's index in the stream.
            song: the song's number.
            frame: the song frame at which the hop begins.
            speed: song frames per output frame.
        """
        self._rows[number % self.slots] = (number, song, frame, speed)

    def clear_hop(self, number: int) -> None:
        """Invalidate the entry of hop ``number``."""
        self._rows[number % self.slots]["hop"] = -1

    def position_at(self, frame: int) -> tuple[int, float] | None:
        """Return the song's number and its frame at a frame of the stream; None where it is unknown."""
        number = frame // self.hop
        row = self._rows[number % self.slots].copy()
        if frame < 0 or int(row["hop"]) != number:
            return None
        return int(row["song"]), float(row["frame"]) + (frame - number * self.hop) * float(row["speed"])


class SharedPlayheadMap(PlayheadMap):
    """A map in shared memory, for two processes; as `SharedRings`."""

    def __init__(self, slots: int, hop: int, shared: SharedMemory, *, owner: bool) -> None:
        assert shared.buf is not None
        super().__init__(slots, hop, shared.buf[: self.size(slots)])
        self._shared = shared
        self._detach = weakref.finalize(self, detach, shared, owner=owner)  # at the latest when Python ends
        if owner:
            self.clear()

    @classmethod
    def create(cls, slots: int, hop: int) -> SharedPlayheadMap:
        """Allocate a new map.

        Args:
            slots: size of the map in hops.
            hop: frames of a hop.
        """
        return cls(slots, hop, DetachableSharedMemory(create=True, size=cls.size(slots)), owner=True)

    @classmethod
    def attach(cls, description: dict[str, Any]) -> SharedPlayheadMap:
        """Open the map that another process described."""
        return cls(description["slots"], description["hop"], open_untracked(description["name"]), owner=False)

    def describe(self) -> dict[str, Any]:
        """Return the input of `attach`, in plain JSON values."""
        return {"name": self._shared.name, "slots": self.slots, "hop": self.hop}

    def close(self) -> None:
        """Detach the memory; the owner also frees it. Does nothing when closed already."""
        self._detach()
