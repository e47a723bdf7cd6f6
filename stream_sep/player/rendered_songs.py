"""The stems of a player: those of songs, rendered ahead of the playhead."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from stream_sep.audio.latency import LatencyReport
from stream_sep.audio.ring_layout import RingLayout
from stream_sep.backends.base import max_block
from stream_sep.control.transport import transport_parameters
from stream_sep.engine.worker.base import load_worker
from stream_sep.errors import ConfigError
from stream_sep.player.playlist import Playlist
from stream_sep.player.process_render_worker import ProcessRenderWorker
from stream_sep.player.refiner import Refiner
from stream_sep.player.render_ahead import HOP
from stream_sep.player.render_worker import InlineRenderWorker, RenderWorker, ring_slots
from stream_sep.player.song_stems import refined_share
from stream_sep.player.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any

    from stream_sep.audio.shared_rings import SharedRings
    from stream_sep.backends.base import AudioBackend
    from stream_sep.control.state import ControlState
    from stream_sep.engine.config import EngineConfig
    from stream_sep.player.refiner import Refinement

_DECODE_TIMEOUT = 2.0
_POLL_SECONDS = 0.001


class RenderedSongs:
    """Renders songs ahead of the playhead, with refined stems where they are ready; a `StemSource`.

    Args:
        backend: plays the output.
        songs: the files, played in order.
        config: the engine's settings; ``model`` is the separator used wherever no refined stems are ready.
        refinement: how stems are refined while the songs play; None refines none.
        report: called with error messages, each with a remedy.

    Attributes:
        playlist: the songs.
        transport: the playhead; from `connect` on.
        refiner: refines the stems; None without ``refinement``.

    Raises:
        AudioFileError: no song can be read.
        SeparatorError: the separator cannot be loaded.
        ConfigError: a worker on a thread.
    """

    is_prerendered = True
    transport: Transport

    def __init__(
        self,
        backend: AudioBackend,
        songs: Sequence[Path],
        config: EngineConfig,
        refinement: Refinement | None,
        report: Callable[[str], None],
    ) -> None:
        if config.worker == "thread":
            raise ConfigError("songs are rendered in a process or inline; worker='thread' is not supported")
        rate, block = backend.sample_rate, backend.block_size
        self._report = report
        note = _once(report)
        self.refiner = Refiner(refinement, rate, self._take_refined, report, note) if refinement else None
        with ExitStack() as last_first:
            self.playlist = Playlist(songs, rate, note, self.refiner.find if self.refiner else lambda _: None)
            last_first.callback(self.playlist.close)
            if self.refiner is not None:
                last_first.callback(self.refiner.stop)
            in_process: Callable[..., RenderWorker] = partial(ProcessRenderWorker, block=block)
            in_line: Callable[..., RenderWorker] = partial(InlineRenderWorker, block=block)
            self.worker = load_worker(backend, config, report, in_process=in_process, in_line=in_line)
            last_first.callback(self.worker.stop)
            self._closing = last_first.pop_all()
        info, slots = self.worker.info, ring_slots(rate)
        self.parameters = transport_parameters()
        self.latency = LatencyReport(sample_rate=rate, adaptation=0, slack=0, separator=0)
        capacity = slots * HOP + 4 * max_block(backend)
        self.layout = RingLayout(info.channels, len(info.stems), HOP, 1 << capacity.bit_length(), slots)

    def connect(self, controls: ControlState, rings: SharedRings) -> None:
        """Follow the transport controls, and render into ``rings``; as `StemSource.connect`."""
        self._controls, self._rings = controls, rings
        self.transport = Transport(
            controls,
            self.worker,
            self.playlist,
            self.worker.info.sample_rate,
            captured=rings.captured,
            report=self._report,
        )
        self._closing.callback(self.transport.stop)

    def start(self) -> None:
        """Start rendering once the decoder is a little ahead of the device."""
        deadline = time.monotonic() + _DECODE_TIMEOUT
        while not self.playlist.current.sound.has(self.latency.sample_rate) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self.transport.tick()
        self.worker.start(self._rings)

    def tick(self) -> None:
        """Publish the position, and request refined stems for the current song, then for the next."""
        self.transport.tick()
        refiner, current, following = self.refiner, self.playlist.current, self.playlist.following
        if refiner is None:
            return
        if not refiner.has_finished(current.number):
            refiner.request(current, round(self.transport.position * self.latency.sample_rate))
        elif following is not None:
            refiner.request(following, 0)
        self._controls.publish({"transport/refined": refined_share(current.refined)})

    def extra_delay(self, block_size: int) -> int:
        """Return 0: the rendered audio serves blocks of any size."""
        del block_size
        return 0

    def stop(self) -> None:
        """Freeze the position, stop rendering and refining, and delete the decoded audio."""
        self._closing.close()

    def _take_refined(self, number: int, refined: dict[str, Any]) -> None:
        self.transport.refine(number, refined)


def _once(report: Callable[[str], None]) -> Callable[[str], None]:
    """Return a callback that reports each text once: a song is decoded by the player and by the refiner."""
    reported: set[str] = set()
    lock = threading.Lock()

    def note(text: str) -> None:
        with lock:
            is_new = text not in reported
            reported.add(text)
        if is_new:
            report(text)

    return note
