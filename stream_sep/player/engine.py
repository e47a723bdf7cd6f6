"""An engine that plays songs: their stems are separated ahead of the playhead, without added latency."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from stream_sep.audio.latency import LatencyReport
from stream_sep.audio.rings import RingLayout
from stream_sep.control.transport import transport_parameters
from stream_sep.engine.config import EngineConfig
from stream_sep.engine.engine import Engine
from stream_sep.errors import ConfigError
from stream_sep.player.playlist import Playlist
from stream_sep.player.refiner import Refiner
from stream_sep.player.render_ahead import HOP
from stream_sep.player.render_worker import InlineRenderWorker, ProcessRenderWorker, ring_slots
from stream_sep.player.song_stems import refined_share
from stream_sep.player.transport import Transport
from stream_sep.separators import load_separator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from stream_sep.backends.base import AudioBackend
    from stream_sep.control.state import Parameter
    from stream_sep.engine.engine import Worker
    from stream_sep.engine.worker.hop_worker import SeparatorInfo
    from stream_sep.player.refiner import Refinement
    from stream_sep.player.render_worker import RenderWorker
    from stream_sep.protocols import Separator

_log = logging.getLogger(__name__)
_DECODE_TIMEOUT = 2.0
_POLL_SECONDS = 0.001


class PlayEngine(Engine):
    """Plays songs with every stem on a fader, and a transport among its controls.

    Args:
        backend: where the sound goes.
        songs: the files, played in order.
        config: how to run; ``model`` is the separator used wherever no refined stems are ready.
        refinement: how stems are refined while the songs play; none by default.
        report: called with a sentence about what went wrong and what to try; logged by default.

    Raises:
        AudioFileError: no song can be read.
        SeparatorError: the separator cannot be loaded.
        DeviceError: the device does not support the settings.
        ConfigError: settings that exclude each other.
    """

    _prerendered = True

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
        if config.worker == "thread":
            raise ConfigError("songs are rendered in a process or inline; worker='thread' is not supported")
        self._refiner = Refiner(refinement, backend.sample_rate, self._take_refined, report) if refinement else None
        find = self._refiner.find if self._refiner is not None else lambda _: None
        self.playlist = Playlist(songs, backend.sample_rate, report, find)
        with ExitStack() as undo:
            undo.callback(self.playlist.close)
            super().__init__(backend, config, report=report)
            undo.callback(super().stop)
            self.transport = Transport(
                self.controls,
                self._player,
                self.playlist,
                self.sample_rate,
                captured=self._rings.captured,
                report=report,
            )
            undo.pop_all()

    @property
    def frames_played(self) -> int:
        """How many frames have been played, pauses and all."""
        return self._rings.captured()

    @property
    def source_ended(self) -> bool:
        """Whether the last song has ended."""
        return self.transport.is_over

    def start(self) -> None:
        """Start playback."""
        self._await_sound()
        self.transport.tick()
        super().start()

    def stop(self) -> None:
        """Stop playback and delete the decoded audio."""
        with ExitStack() as last_first:
            last_first.callback(self.playlist.close)
            if self._refiner is not None:
                last_first.callback(self._refiner.stop)
            last_first.callback(super().stop)
            last_first.callback(self.transport.stop)

    def _await_sound(self) -> None:
        """Wait until the decoder is a little ahead of the device."""
        deadline = time.monotonic() + _DECODE_TIMEOUT
        while not self.playlist.current.sound.has(self.sample_rate) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _make_worker(self, model: str | Separator, options: dict[str, object]) -> Worker:
        rate, block = self.backend.sample_rate, self.backend.block_size
        self._player: RenderWorker
        if isinstance(model, str) and self.config.worker == "process":
            player = ProcessRenderWorker(model, rate, options, self._report, block=block, **self._worker_settings())
            self._player = player
            return player
        inline = InlineRenderWorker(
            lambda: load_separator(model, rate, **options) if isinstance(model, str) else model,
            self._report,
            block=block,
            **self._worker_settings(),
        )
        self._player = inline
        return inline

    def _plan(self, info: SeparatorInfo) -> LatencyReport:
        if info.channels != 2:
            raise ConfigError(f"the separator works on {info.channels} channels, the engine on 2")
        return LatencyReport(sample_rate=info.sample_rate, adaptation=0, slack=0, separator=0)

    def _extra_parameters(self) -> tuple[Parameter, ...]:
        return transport_parameters()

    def _layout(self, info: SeparatorInfo) -> RingLayout:
        slots = ring_slots(info.sample_rate)
        capacity = slots * HOP + 4 * self._max_block
        return RingLayout(info.channels, len(info.stems), HOP, 1 << capacity.bit_length(), slots)

    def _publish_status(self) -> None:
        super()._publish_status()
        self.transport.tick()
        self._refine()

    def _refine(self) -> None:
        """Request refined stems for the current song, then for the next."""
        refiner, current, following = self._refiner, self.playlist.current, self.playlist.following
        if refiner is None:
            return
        if not refiner.has_finished(current.number):
            refiner.request(current, round(self.transport.position * self.sample_rate))
        elif following is not None:
            refiner.request(following, 0)
        self.controls.publish({"transport/refined": refined_share(current.refined)})

    def _take_refined(self, number: int, refined: dict[str, Any]) -> None:
        self.transport.refine(number, refined)
