"""Which frame of which song lies in each hop that is ready to be heard: written ahead, for whoever wants to know."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.audio.rings import Memory, detach, open_untracked

if TYPE_CHECKING:
    from multiprocessing.shared_memory import SharedMemory

_FIELDS = np.dtype([("hop", np.int64), ("song", np.int64), ("frame", np.float64), ("speed", np.float64)])


class Board:
    """The places of the newest hops.

    Args:
        slots: hops it remembers.
        hop: frames of a hop.
        memory: ``Board.size(slots)`` bytes; the process's own unless given.
    """

    def __init__(self, slots: int, hop: int, memory: memoryview | None = None) -> None:
        self.slots, self.hop = slots, hop
        buffer = memoryview(bytearray(self.size(slots))) if memory is None else memory
        self._rows = np.frombuffer(buffer, _FIELDS, slots)
        if memory is None:
            self.clear()

    @staticmethod
    def size(slots: int) -> int:
        """Return the bytes of a board."""
        return slots * _FIELDS.itemsize

    def clear(self) -> None:
        """Forget all; only while nobody uses it."""
        self._rows["hop"] = -1

    def write(self, number: int, song: int, frame: float, speed: float) -> None:
        """Say that hop ``number`` begins at ``frame`` of a song, and passes it at ``speed``; 0 rests."""
        self._rows[number % self.slots] = (number, song, frame, speed)

    def erase(self, number: int) -> None:
        """Say that hop ``number`` is not what it was."""
        self._rows[number % self.slots]["hop"] = -1

    def at(self, frame: int) -> tuple[int, float] | None:
        """Return the song, by its number, and its frame at a frame of the stream; None where nobody knows."""
        number = frame // self.hop
        row = self._rows[number % self.slots].copy()
        if frame < 0 or int(row["hop"]) != number:
            return None
        return int(row["song"]), float(row["frame"]) + (frame - number * self.hop) * float(row["speed"])


class SharedBoard(Board):
    """A board that two processes see; as `SharedRings`."""

    def __init__(self, slots: int, hop: int, shared: SharedMemory, *, owner: bool) -> None:
        assert shared.buf is not None
        super().__init__(slots, hop, shared.buf[: self.size(slots)])
        self._shared = shared
        self._detach = weakref.finalize(self, detach, shared, owner=owner)  # at the latest when Python ends
        if owner:
            self.clear()

    @classmethod
    def create(cls, slots: int, hop: int) -> SharedBoard:
        """Allocate a new board."""
        return cls(slots, hop, Memory(create=True, size=cls.size(slots)), owner=True)

    @classmethod
    def attach(cls, description: dict[str, Any]) -> SharedBoard:
        """Open the board that another process described."""
        return cls(description["slots"], description["hop"], open_untracked(description["name"]), owner=False)

    def describe(self) -> dict[str, Any]:
        """Return what `attach` needs, in plain JSON values."""
        return {"name": self._shared.name, "slots": self.slots, "hop": self.hop}

    def close(self) -> None:
        """Let go of the memory; the owner also gives it back to the system. Harmless when closed already."""
        self._detach()
