"""An engine that plays songs: their stems are separated ahead of the playhead, without added latency."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stream_sep.engine.config import EngineConfig
from stream_sep.engine.engine import Engine
from stream_sep.player.rendered_songs import RenderedSongs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from stream_sep.backends.base import AudioBackend
    from stream_sep.player.playlist import Playlist
    from stream_sep.player.refiner import Refinement
    from stream_sep.player.transport import Transport

_log = logging.getLogger(__name__)


class PlayEngine(Engine):
    """An engine whose stems are those of songs, with a transport among its controls.

    Args:
        backend: plays the output.
        songs: the files, played in order.
        config: how to run; ``model`` is the separator used wherever no refined stems are ready.
        refinement: how stems are refined while the songs play; none by default.
        report: called with error messages, each with a remedy; logged by default.

    Raises:
        AudioFileError: no song can be read.
        SeparatorError: the separator cannot be loaded.
        DeviceError: the device does not support the settings.
        ConfigError: settings that exclude each other.
    """

    def __init__(
        self,
        backend: AudioBackend,
        songs: Sequence[Path],
        config: EngineConfig | None = None,
        *,
        refinement: Refinement | None = None,
        report: Callable[[str], None] = _log.warning,
    ) -> None:
        config = config or EngineConfig()
        self._songs = RenderedSongs(backend, songs, config, refinement, report)
        super().__init__(backend, config, stem_source=self._songs, report=report)

    @property
    def playlist(self) -> Playlist:
        """The songs."""
        return self._songs.playlist

    @property
    def transport(self) -> Transport:
        """The playhead and its controls."""
        return self._songs.transport

    @property
    def frames_played(self) -> int:
        """Number of frames played, with pauses."""
        return self._rings.captured()

    @property
    def source_ended(self) -> bool:
        """Whether the last song has ended."""
        return self.transport.is_over
