"""Rings in shared memory, for the audio thread of one process and the worker in another."""

from __future__ import annotations

import weakref
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stream_sep.audio.ring_layout import RingLayout
from stream_sep.audio.rings import Rings
from stream_sep.errors import SeparatorError
from stream_sep.lowlevel.shared_memory import DetachableSharedMemory, detach, open_untracked

if TYPE_CHECKING:
    from multiprocessing.shared_memory import SharedMemory


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
