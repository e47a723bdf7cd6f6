"""The engine: connects an audio backend, a source of stems and a mixer: every stem on a fader, in real time."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar

from stream_sep.audio.arrays import stereo_block
from stream_sep.audio.shared_rings import SharedRings
from stream_sep.backends.jack import JackBackend
from stream_sep.engine.audio_setup import audio_state_for
from stream_sep.engine.config import ON_FAILURE, EngineConfig
from stream_sep.engine.mixer import Mixer
from stream_sep.engine.recorder import Recorder
from stream_sep.engine.separated_input import SeparatedInput
from stream_sep.engine.stats import EngineStats, Reporter, collect
from stream_sep.engine.status import Status
from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream_sep.backends.base import AudioBackend
    from stream_sep.control.state import ControlState
    from stream_sep.engine.stem_source import StemSource
    from stream_sep.protocols import Block

_log = logging.getLogger(__name__)
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def _of_mixer(
    method: Callable[Concatenate[Mixer, _Arguments], _Result],
) -> Callable[Concatenate[Engine, _Arguments], _Result]:
    """Return a method of the engine that calls this one of its mixer."""

    @wraps(method)
    def call(self: Engine, /, *args: _Arguments.args, **options: _Arguments.kwargs) -> _Result:
        return method(self.mixer, *args, **options)

    return call


class Engine:
    """Reads audio from a backend, separates it, and plays it back with every stem on a fader.

    Args:
        backend: audio input and output, such as `PacedBackend` or `PortAudioBackend`.
        config: how to run; the defaults are good.
        source: ``(2, frames)`` to play in place of the backend's input.
        stem_source: outputs the stems; the separated input unless given.
        report: callback that receives warnings, each with a remedy; they are logged unless given.

    Attributes:
        mixer: the faders; its methods are the engine's too.
        latency: the latency, term by term.

    Raises:
        SeparatorError: the separator cannot be loaded.
        DeviceError: the device does not support the settings.
        ConfigError: settings that exclude each other, or a source that is not ``(2, frames)`` of floats.

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

    set = _of_mixer(Mixer.set)
    apply = _of_mixer(Mixer.apply)
    set_chains = _of_mixer(Mixer.set_chains)
    set_effect = _of_mixer(Mixer.set_effect)
    presets = _of_mixer(Mixer.presets)
    recall = _of_mixer(Mixer.recall)
    apply_preset = _of_mixer(Mixer.apply_preset)
    store = _of_mixer(Mixer.store)
    peaks = _of_mixer(Mixer.peaks)
    meters = _of_mixer(Mixer.meters)

    def __init__(
        self,
        backend: AudioBackend,
        config: EngineConfig | None = None,
        *,
        source: Block | None = None,
        stem_source: StemSource | None = None,
        report: Callable[[str], None] = _log.warning,
    ) -> None:
        self.config = config or EngineConfig()
        self.backend = backend
        self._report = report
        source = None if source is None else stereo_block(source, "source")
        self._stem_source = stem_source or SeparatedInput(backend, self.config, report)
        self._worker, self.latency = self._stem_source.worker, self._stem_source.latency
        self._running = self._stopped = False
        with ExitStack() as undo:
            undo.callback(self._stem_source.stop)
            info = self._worker.info
            if info.channels != 2:
                raise ConfigError(f"the separator works on {info.channels} channels, the engine on 2")
            self._rings = SharedRings.create(self._stem_source.layout)
            undo.callback(self._rings.close)
            self._state = audio_state_for(self.config, backend, self._stem_source, self._rings, source)
            self.mixer = self._build_mixer()
            self._stem_source.connect(self.controls, self._rings)
            self._recorder = self._open_recorder()
            self._status = Status(self.controls, self.config.model, backend, info.hop_ms)
            meanwhile = ON_FAILURE[self.config.on_failure]
            self._reporter = Reporter(self.stats, info.hop_ms, report, self.latency.slack, meanwhile)
            undo.pop_all()

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the stems, in the separator's order."""
        return self.mixer.stems

    @property
    def sample_rate(self) -> int:
        """Frames per second."""
        return self.mixer.sample_rate

    @property
    def controls(self) -> ControlState:
        """Every value, by path; subscribe to it for feedback."""
        return self.mixer.controls

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
        """Start the audio.

        Raises:
            ConfigError: the engine was started or stopped before.
        """
        if self._running or self._stopped:
            state = "was stopped" if self._stopped else "is running already"
            raise ConfigError(f"this engine {state}; build another Engine")
        self._running = True
        self.mixer.set_gains_now()
        self._stem_source.start()
        self._reporter.start()
        if self._recorder is not None and self.config.worker != "inline":
            self._recorder.start()
        if isinstance(self.backend, JackBackend):
            self.backend.on_block_size = self._follow_block_size
        self.backend.start(self._state, self._between_blocks)
        self.latency = self.backend.complete(self.latency)
        self.mixer.start()

    def stop(self) -> None:
        """Stop the audio, finish the recording and end the separator; a stopped engine cannot be started again.

        Takes at most three seconds, whatever the separator does. Harmless when stopped already; also releases an
        engine that was never started.
        """
        if self._stopped:
            return
        self._stopped = True
        with ExitStack() as last_first:  # which continues if one of them fails
            last_first.callback(self._rings.close)
            if self._recorder is not None:
                last_first.callback(self._recorder.stop)
            last_first.callback(self._stem_source.stop)
            if self._running:
                last_first.callback(self._reporter.stop)
                last_first.callback(self.backend.stop)
                last_first.callback(self.mixer.stop)

    def _follow_block_size(self, block_size: int) -> None:
        """Add latency if larger blocks need more stems ready; the latency never shrinks again."""
        latency = self.latency
        extra = self._stem_source.extra_delay(block_size)
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

    def _build_mixer(self) -> Mixer:
        info = self._worker.info
        return Mixer(
            info.stems,
            info.sample_rate,
            self._state,
            self._worker,
            chained=self.config.chained,
            tick=self._tick,
            report=self._report,
            extra=self._stem_source.parameters,
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

    def _tick(self) -> None:
        self._status.publish(self.stats(), self.latency)
        self._stem_source.tick()
