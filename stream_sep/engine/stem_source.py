"""The interface of an engine's source of stems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from stream_sep.audio.latency import LatencyReport
    from stream_sep.audio.ring_layout import RingLayout
    from stream_sep.audio.shared_rings import SharedRings
    from stream_sep.control.parameters import Parameter
    from stream_sep.control.state import ControlState
    from stream_sep.engine.worker.base import Worker


class StemSource(Protocol):
    """The source of an engine's stems: `SeparatedInput`, or the player's `RenderedSongs`.

    Attributes:
        latency: the planned latency, without that of the device.
        layout: sizes of the rings.
        parameters: controls besides those of the mixer.
        is_prerendered: whether mix and stems are written before they are due, so that there is no input.
    """

    latency: LatencyReport
    layout: RingLayout
    parameters: tuple[Parameter, ...]
    is_prerendered: bool

    @property
    def worker(self) -> Worker:
        """The worker that writes the stems."""
        ...

    def connect(self, controls: ControlState, rings: SharedRings) -> None:
        """Connect to the parts of the engine.

        Args:
            controls: the engine's controls, `parameters` among them.
            rings: where the worker writes the stems.
        """
        ...

    def start(self) -> None:
        """Start the worker, before the audio."""
        ...

    def tick(self) -> None:
        """Update the controls; called a few times a second while the audio runs."""
        ...

    def extra_delay(self, block_size: int) -> int:
        """Return the frames to add to `latency` when the block size has grown to ``block_size``."""
        ...

    def stop(self) -> None:
        """Stop the worker and release everything; harmless when stopped already."""
        ...
