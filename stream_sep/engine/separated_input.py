"""The stems of a live engine: those of its input, separated hop by hop."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from stream_sep.audio.ring_layout import RingLayout
from stream_sep.backends.base import max_block
from stream_sep.backends.jack import MAX_BLOCK_SIZE, JackBackend
from stream_sep.engine.latency_plan import extra_delay, plan_latency
from stream_sep.engine.worker.base import Worker, load_worker
from stream_sep.engine.worker.inline_worker import InlineWorker
from stream_sep.engine.worker.process_worker import ProcessWorker
from stream_sep.engine.worker.thread_worker import ThreadWorker

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.audio.shared_rings import SharedRings
    from stream_sep.backends.base import AudioBackend
    from stream_sep.control.parameters import Parameter
    from stream_sep.control.state import ControlState
    from stream_sep.engine.config import EngineConfig

_BACKLOG_SECONDS = 2.0


class SeparatedInput:
    """Separates the backend's input; a `StemSource`.

    Args:
        backend: captures the input.
        config: the engine's settings.
        report: callback that receives warnings.

    Raises:
        SeparatorError: the separator cannot be loaded.
        ConfigError: the separator runs at another sample rate.
    """

    is_prerendered = False
    parameters: tuple[Parameter, ...] = ()

    def __init__(self, backend: AudioBackend, config: EngineConfig, report: Callable[[str], None]) -> None:
        self._backend, self._config = backend, config
        in_line = ThreadWorker if config.worker == "thread" else InlineWorker
        in_process = partial(ProcessWorker, standby=config.standby)
        self.worker: Worker = load_worker(backend, config, report, in_process=in_process, in_line=in_line)
        try:
            self.latency = plan_latency(self.worker.info, config, backend)
        except BaseException:
            self.worker.stop()
            raise
        self.layout = self._layout()

    def connect(self, controls: ControlState, rings: SharedRings) -> None:
        """Separate the input in ``rings``; as `StemSource.connect`."""
        del controls  # the input has no controls
        self._rings = rings

    def start(self) -> None:
        """Start the worker."""
        self.worker.start(self._rings)

    def tick(self) -> None:
        """Do nothing: the input has no controls."""

    def extra_delay(self, block_size: int) -> int:
        """Return the frames by which larger blocks need more stems ready."""
        return extra_delay(self.worker.info, self._config, self.latency, block_size)

    def stop(self) -> None:
        """Stop the worker."""
        self.worker.stop()

    def _layout(self) -> RingLayout:
        # A fade reads backwards while playback continues, so the oldest frame it needs is two fades old.
        info = self.worker.info
        spare = max_block(self._backend) + 2 * self._config.fade_frames(info.sample_rate) + 4 * info.hop
        if isinstance(self._backend, JackBackend):  # whose blocks may grow
            spare += MAX_BLOCK_SIZE + self.extra_delay(MAX_BLOCK_SIZE)
        capacity = self.latency.engine + spare + math.ceil(_BACKLOG_SECONDS * info.sample_rate)
        return RingLayout(
            channels=info.channels,
            stems=len(info.stems),
            hop=info.hop,
            capacity=1 << capacity.bit_length(),
            slots=math.ceil((self.latency.prefill + spare) / info.hop) + 4,
        )
