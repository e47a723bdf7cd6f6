"""The engine: connects an audio backend, a separator and the controls: every stem on a fader, in real time."""

from __future__ import annotations

import logging
import math
import threading
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from stream_sep.audio.rings import RingLayout, SharedRings
from stream_sep.audio.state import DRY, FADE, MUTE, AudioState
from stream_sep.backends.jack import MAX_BLOCK_SIZE, JackBackend
from stream_sep.effects.controls import EffectWorker
from stream_sep.engine.config import ON_FAILURE, EngineConfig
from stream_sep.engine.latency_plan import extra_delay, plan
from stream_sep.engine.mixer import Mixer
from stream_sep.engine.recorder import Recorder
from stream_sep.engine.stats import EngineStats, Reporter, collect
from stream_sep.engine.worker.hop_worker import InlineWorker, SeparatorInfo
from stream_sep.engine.worker.process_worker import ProcessWorker
from stream_sep.engine.worker.thread_worker import ThreadWorker
from stream_sep.errors import SeparatorError
from stream_sep.separators import canonical_name, load_separator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream_sep.audio.latency import LatencyReport
    from stream_sep.backends.base import AudioBackend
    from stream_sep.control.state import Parameter
    from stream_sep.protocols import Block, Separator

_log = logging.getLogger(__name__)
_RECORD_SECONDS = 2.0
_FADE_OUT_SECONDS = 1.0
_BACKLOG_SECONDS = 2.0


class Worker(EffectWorker, Protocol):
    """Whatever runs the separator: `InlineWorker`, `ThreadWorker` or `ProcessWorker`."""

    info: SeparatorInfo
    restarts: int

    def start(self, rings: SharedRings) -> None:
        """Start separating the audio captured in ``rings``."""
        ...

    def catch_up(self) -> None:
        """Separate all captured hops on the calling thread, if the worker has none of its own."""
        ...

    def stop(self) -> None:
        """Stop the worker."""
        ...


class Engine(Mixer):
    """Reads audio from a backend, separates it, and plays it back with every stem on a fader.

    Args:
        backend: audio input and output, such as `PacedBackend` or `PortAudioBackend`.
        config: how to run; the defaults are good.
        source: ``(2, frames)`` to play in place of the backend's input.
        report: callback that receives warnings, each with what to try; they are logged unless given.

    Raises:
        SeparatorError: the separator cannot be loaded.
        DeviceError: the device does not support the settings.
        ConfigError: settings that exclude each other.

    >>> import numpy as np
    >>> from stream_sep import Engine, EngineConfig, OfflineBackend
    >>> song = np.random.default_rng(0).standard_normal((2, 4096)).astype(np.float32)
    >>> backend = OfflineBackend()
    >>> with Engine(backend, EngineConfig(model="passthrough", worker="inline")) as engine:
    ...     engine.set("stem/vocals/gain_db", -60)
    ...     mix, stems = backend.run(song)
    -60.0
    >>> bool(np.array_equal(mix, song))
    True
    """

    _prerendered = False  # whether the worker renders the audio before it is due

    def __init__(
        self,
        backend: AudioBackend,
        config: EngineConfig | None = None,
        *,
        source: Block | None = None,
        report: Callable[[str], None] = _log.warning,
    ) -> None:
        self.config = config or EngineConfig()
        self.backend = backend
        self._report = report
        compiler = threading.Thread(target=backend.compile, name="compiler", daemon=True)
        compiler.start()  # beside the separator, which takes as long
        try:
            self._build(source)
        except Exception:
            compiler.join()  # else Python could end while it compiles; Ctrl-C waits for nothing
            raise
        compiler.join()

    def _build(self, source: Block | None) -> None:
        with ExitStack() as undo:
            self._worker = self._load_worker()
            undo.callback(self._worker.stop)
            self.latency = self._plan(self._worker.info)
            self._rings = SharedRings.create(self._layout(self._worker.info))
            undo.callback(self._rings.close)
            self._connect(source)
            undo.pop_all()

    def _connect(self, source: Block | None) -> None:
        info = self._worker.info
        self._running = self._stopped = False
        self._dry_before = 0
        super().__init__(
            info.stems,
            info.sample_rate,
            self._audio_state(source, info.stems),
            self._worker,
            chained=self.config.chained,
            tick=self._publish_status,
            report=self._report,
            extra=self._extra_parameters(),
        )
        self._recorder = self._open_recorder()
        self._reporter = Reporter(
            self.stats,
            1000 * info.hop / info.sample_rate,
            self._report,
            slack=self.latency.slack,
            meanwhile=ON_FAILURE[self.config.on_failure],
        )

    def stats(self) -> EngineStats:
        """Return the counters; of a stopped engine, those of its whole run."""
        return collect(self._state, self._rings, self._worker.restarts, self.backend.block_size)

    def reset_timing(self) -> None:
        """Reset the statistics of callback durations, as after a warm-up."""
        self._state.clear_durations()

    @property
    def worker_pid(self) -> int | None:
        """Process id of the separator, where it has a process."""
        return getattr(self._worker, "pid", None)

    @property
    def source_ended(self) -> bool:
        """Whether the last frame of ``source`` has left the engine."""
        return bool(self._state.counters()["source_end"])

    @property
    def recording_folder(self) -> Path | None:
        """Folder of the recording: that of the settings, or one in it for a later take; None without a recording."""
        return None if self._recorder is None else self._recorder.folder

    @property
    def recording_error(self) -> str | None:
        """Why the recording ended early, as a message; None if it did not."""
        return None if self._recorder is None else self._recorder.failed

    def start(self) -> None:
        """Start the audio."""
        self._running = True
        self._set_gains_now()
        self._worker.start(self._rings)
        self._reporter.start()
        if self._recorder is not None and self.config.worker != "inline":
            self._recorder.start()
        if isinstance(self.backend, JackBackend) and not self._prerendered:  # prerendered audio serves any block size
            self.backend.on_block_size = self._follow_block_size
        self.backend.start(self._state, self._between_blocks)
        self.latency = self.backend.complete(self.latency)
        self._scheduler.start()

    def stop(self) -> None:
        """Stop the audio, finish the recording and end the separator; a stopped engine cannot be started again.

        Takes at most three seconds, whatever the separator does. Harmless when stopped already; also releases an
        engine that was never started.
        """
        if self._stopped:
            return
        self._stopped = True
        with ExitStack() as last_first:  # which goes on where one of them fails
            last_first.callback(self._rings.close)
            if self._recorder is not None:
                last_first.callback(self._recorder.stop)
            last_first.callback(self._worker.stop)
            if self._running:
                last_first.callback(self._reporter.stop)
                last_first.callback(self.backend.stop)
                last_first.callback(self._scheduler.stop)

    def _follow_block_size(self, block_size: int) -> None:
        """Add latency if larger blocks need more stems ready; the latency never shrinks again."""
        latency = self.latency
        extra = extra_delay(self._worker.info, self.config, latency, block_size)
        if extra <= latency.extra:
            return
        self._state.delay_by(extra)
        self.latency = replace(latency, extra=extra)
        more, total = (latency.milliseconds(frames) for frames in (extra - latency.extra, self.latency.total))
        self._report(
            f"JACK's block size is {block_size} frames now: {more:.0f} ms more latency, {total:.0f} ms in all"
        )

    def __enter__(self) -> Self:
        """Start."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, whatever happened."""
        self.stop()

    def _load_worker(self) -> Worker:
        config = self.config
        try:
            return self._make_worker(config.model, dict(config.options))
        except SeparatorError as error:
            if config.fallback is None:
                raise
            self._report(f"{error}; going on with {config.fallback!r}")
            return self._make_worker(config.fallback, {})

    def _make_worker(self, model: str | Separator, options: dict[str, object]) -> Worker:
        rate = self.backend.sample_rate
        if isinstance(model, str) and self.config.worker == "process":
            return ProcessWorker(model, rate, options, self._report, **self._worker_settings())
        kind = ThreadWorker if self.config.worker == "thread" else InlineWorker
        return kind(
            lambda: load_separator(model, rate, **options) if isinstance(model, str) else model,
            self._report,
            **self._worker_settings(),
        )

    def _worker_settings(self) -> dict[str, Any]:
        return {
            "chains": self.config.chains,
            "chain_reserve": self.config.chain_reserve,
            "meanwhile": ON_FAILURE[self.config.on_failure],
        }

    def _plan(self, info: SeparatorInfo) -> LatencyReport:
        return plan(info, self.config, self.backend)

    def _extra_parameters(self) -> tuple[Parameter, ...]:
        return ()

    def _layout(self, info: SeparatorInfo) -> RingLayout:
        # A fade reads backwards while time goes on, so the oldest frame it needs is two fades old.
        plan, spare = self.latency, self._max_block + 2 * self._frames(self.config.fade_ms) + 4 * info.hop
        if isinstance(self.backend, JackBackend):  # whose blocks may grow
            spare += MAX_BLOCK_SIZE + extra_delay(info, self.config, plan, MAX_BLOCK_SIZE)
        capacity = plan.engine + spare + math.ceil(_BACKLOG_SECONDS * info.sample_rate)
        return RingLayout(
            channels=info.channels,
            stems=len(info.stems),
            hop=info.hop,
            capacity=1 << capacity.bit_length(),
            slots=math.ceil((plan.prefill + spare) / info.hop) + 4,
        )

    @property
    def _max_block(self) -> int:
        return max(self.backend.block_size, 1024)

    def _frames(self, milliseconds: float) -> int:
        return max(1, round(milliseconds * self.backend.sample_rate / 1000))

    def _audio_state(self, source: Block | None, stems: tuple[str, ...]) -> AudioState:
        recording = self.config.record is not None or bool(self.config.taps) or self.backend.wants_recording
        return AudioState(
            self._rings,
            prefill=self.latency.prefill,
            delay=self.latency.engine,
            carrier=len(stems) - 1,
            max_block=self._max_block,
            inputs=self.backend.inputs,
            input_map=self.backend.input_map,
            output_map=self.backend.output_map(stems),
            fade=self._frames(self.config.fade_ms),
            hold=self._frames(self.config.hold_ms) if self.config.hold_ms else 0,
            record_frames=round(_RECORD_SECONDS * self.backend.sample_rate) if recording else 0,
            source=source,
            prerendered=self._prerendered,
            stems_sum_to_mix=not self.config.chained,
            on_failure={"dry": DRY, "mute": MUTE, "fade": FADE}[self.config.on_failure],
            fade_out=round(_FADE_OUT_SECONDS * self.backend.sample_rate),
        )

    def _open_recorder(self) -> Recorder | None:
        if self.config.record is None and not self.config.taps:
            return None
        return Recorder(
            self._state,
            self.config.record,
            self.stems,
            self.sample_rate,
            skip=self.latency.engine,
            report=self._report,
            taps=self.config.taps,
        )

    def _between_blocks(self) -> None:
        self._worker.catch_up()
        if self._recorder is not None and self.config.worker == "inline":
            self._recorder.drain()

    def _publish_status(self) -> None:
        """Update the read-only controls of the engine's status."""
        stats, latency = self.stats(), self.latency
        dry = stats.counters["dry_frames"]
        hop_ms = 1000 * self._worker.info.hop / self.sample_rate
        self.controls.publish(
            {
                "engine/model": canonical_name(self.config.model) if isinstance(self.config.model, str) else "own",
                "engine/device": type(self.backend).__name__.removesuffix("Backend").lower(),
                "engine/state": "dry" if dry > self._dry_before else "running",
                "engine/latency_frames": latency.total,
                "engine/latency_ms": latency.milliseconds(latency.total),
                "engine/load": round(stats.hop_ms[0] / hop_ms, 5),
                "engine/late_hops": stats.late_hops,
                "engine/xruns": stats.xruns,
                "engine/dry_frames": dry,
                "engine/restarts": stats.restarts,
            }
        )
        self._dry_before = dry
