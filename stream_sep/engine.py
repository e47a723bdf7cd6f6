"""The engine: wires a backend, a separator and the controls into stems on faders, while the music plays."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol, Self

from stream_sep.audio_state import AudioState
from stream_sep.chain_spec import ChainSpec
from stream_sep.conductor import FARTHEST_SECONDS, Conductor
from stream_sep.config import EngineConfig
from stream_sep.control import ControlState, Value, parameters_for
from stream_sep.effect_controls import EffectControls, EffectWorker, effect_parameters
from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.mix import compile_mix
from stream_sep.planning import plan
from stream_sep.presets import list_presets, load_preset, store_preset
from stream_sep.recorder import Recorder
from stream_sep.rings import RingLayout, SharedRings
from stream_sep.separators import load_separator
from stream_sep.stats import EngineStats, Reporter, collect
from stream_sep.worker import InlineWorker, SeparatorInfo, ThreadWorker
from stream_sep.worker_chains import UNCHAINED
from stream_sep.worker_process import ProcessWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from stream_sep.chains import Chains
    from stream_sep.io.backend import AudioBackend
    from stream_sep.preset_value import Preset
    from stream_sep.protocols import Block, Separator

_log = logging.getLogger(__name__)
_RECORD_SECONDS = 2.0
_BACKLOG_SECONDS = 2.0
_LONGEST_FADE_MS = 60000


class Worker(EffectWorker, Protocol):
    """Whatever runs the separator: `InlineWorker`, `ThreadWorker` or `ProcessWorker`."""

    info: SeparatorInfo
    restarts: int

    def start(self, rings: SharedRings) -> None:
        """Begin to separate what is captured in ``rings``."""
        ...

    def catch_up(self) -> None:
        """Separate all that is captured, where nobody else does."""
        ...

    def stop(self) -> None:
        """End."""
        ...


class Engine:
    """Takes sound from a backend, splits it, and gives it back with every stem on a fader.

    Args:
        backend: where sound comes from and goes to, such as `PacedBackend` or `PortAudioBackend`.
        config: how to run; the defaults are good.
        source: ``(2, frames)`` to play in place of the backend's input.
        report: is told, in sentences, what goes wrong and what to try; logged unless given.

    Raises:
        SeparatorError: the separator cannot be loaded.
        DeviceError: the device cannot do what is asked.
        ConfigError: settings that do not fit each other.

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
        self._worker = self._load_worker()
        try:
            self._build(source)
        except BaseException:
            self._worker.stop()
            raise

    def _build(self, source: Block | None) -> None:
        info = self._worker.info
        self.stems = info.stems
        self.sample_rate = info.sample_rate
        self.latency = plan(info, self.config, self.backend)
        self._rings = SharedRings.create(self._layout(info))
        self._state = self._audio_state(source)
        self.controls = ControlState((*parameters_for(self.stems), *effect_parameters(self._worker.chains)))
        chained = self.config.chains is not None or self.config.chain_reserve is not None
        self._effect_controls = EffectControls(self._worker, chained=chained, report=self._report)
        self._chained = chained
        self._publishing = threading.Lock()
        self._manner = _Manner()
        self._state.snap(self._mix())
        self.controls.subscribe(self._publish)
        self._recorder = self._open_recorder()
        self._reporter = Reporter(self.stats, 1000 * info.hop / info.sample_rate, self._report)
        self._conductor = Conductor(self._tell)
        self._running = False
        self._dry_before = 0

    def set(self, path: str, value: object) -> Value:
        """Move a control, such as ``engine.set("stem/vocals/gain_db", -60)``; heard from the next block on.

        Returns:
            What was stored: the value, clamped to its range.

        Raises:
            ParameterError: no such control, or not a value it takes.
        """
        return self.controls.set(path, value)

    def apply(self, values: Mapping[str, object], *, fade_ms: float | None = None, at: float | None = None) -> None:
        """Move many controls as one.

        Args:
            values: by path.
            fade_ms: how long the gains take to get there; the control ``ramp_ms`` unless given.
            at: `time.monotonic` of the frame to begin with, at most two seconds ahead; the next block unless given.

        Raises:
            ParameterError: a path there is not, or a value it cannot hold; nothing changes.
            ConfigError: a fade of no length, or a moment too far away.
        """
        if fade_ms is not None and not 0 <= fade_ms <= _LONGEST_FADE_MS:
            raise ConfigError(f"a fade of {fade_ms} ms must be in 0..{_LONGEST_FADE_MS}")
        if at is None or at <= time.monotonic():
            self._apply(values, fade_ms, 0)
            return
        if at > time.monotonic() + FARTHEST_SECONDS:
            raise ConfigError(f"a change {at - time.monotonic():.1f} s ahead is beyond {FARTHEST_SECONDS:g} s")
        self.controls.check(values)
        moment = round(at * 1e9)
        self._conductor.schedule(
            at, lambda: self._apply(values, fade_ms, self._state.frame_at(moment, self.sample_rate))
        )

    def _apply(self, values: Mapping[str, object], fade_ms: float | None, begin: int) -> None:
        self._manner.fade_ms, self._manner.begin = fade_ms, begin
        try:
            self.controls.update(values)
        finally:
            self._manner.fade_ms, self._manner.begin = None, 0

    def set_chains(self, chains: Chains) -> None:
        """Have other effects behind the stems: loaded now, then heard by a crossfade.

        Args:
            chains: stem -> list of ``{"plugin": ..., "parameters": {...}, "bypass": ...}``; a stem that is not there
                has none.

        Raises:
            ConfigError: a chain that makes no sense, or is later than what was reserved; nothing changes.
            SeparatorError: an effect that cannot be loaded; nothing changes.
        """
        if ChainSpec.parse(chains) != self._worker.chains:
            self._worker.set_chains(chains)

    def set_effect(self, stem: str, index: int, parameter: str, value: object) -> None:
        """Set one parameter, or ``bypass``, of the effect at ``index``, from 0, of a stem's chain.

        Raises:
            ConfigError: no such stem, effect or parameter, or a value out of its range; nothing changes.
        """
        self._worker.set_effect(stem, index, parameter, value)

    def presets(self) -> tuple[str, ...]:
        """Return the names of the presets there are, shipped and the user's own."""
        return tuple(list_presets())

    def recall(self, preset: str, *, fade_ms: float | None = None) -> None:
        """Apply a preset by its name, with a fade of so long, of its own, or of ``ramp_ms``.

        Raises:
            PresetError: there is none, or it is not for these stems.
        """
        self.take(load_preset(preset, stems=self.stems, files=False), fade_ms=fade_ms)

    def take(self, preset: Preset, *, fade_ms: float | None = None) -> None:
        """Apply a preset that is loaded already."""
        if self._chained and (preset.chains or preset.reset):
            self.set_chains(preset.chains)
        elif preset.chains:
            self._report(f"preset {preset.name!r} has effects and {UNCHAINED}; its values are set all the same")
        self.apply(preset.values_for(self.stems), fade_ms=preset.fade_ms if fade_ms is None else fade_ms)
        self.controls.publish({"preset": preset.name})

    def store(self, preset: str) -> None:
        """Keep the controls as they are as a preset of the user's.

        Raises:
            PresetError: the name will not do, or the file cannot be written.
        """
        store_preset(preset, self.controls)
        self.controls.publish({"preset": preset})

    def stats(self) -> EngineStats:
        """Return the counters as they are now."""
        return collect(self._state, self._rings, self._worker.restarts)

    def peaks(self) -> dict[str, tuple[float, float]]:
        """Return the falling peak of the mix, each stem and the input, linear, left and right."""
        names, sides = ("mix", *self.stems, "input"), self._state.meters().reshape(-1, 2).tolist()
        return {name: (left, right) for name, (left, right) in zip(names, sides, strict=True)}

    def meters(self) -> dict[str, float]:
        """Return `peaks`, the louder side of each."""
        return {name: max(sides) for name, sides in self.peaks().items()}

    def clear_times(self) -> None:
        """Forget how long callbacks took so far, as after a warm-up."""
        self._state.clear_durations()

    @property
    def worker_pid(self) -> int | None:
        """Process id of the separator, where it has a process."""
        return getattr(self._worker, "pid", None)

    @property
    def source_ended(self) -> bool:
        """Whether the last frame of ``source`` has left the engine."""
        return bool(self._state.counters()["source_end"])

    def start(self) -> None:
        """Let the sound run."""
        self._running = True
        self._worker.start(self._rings)
        self._reporter.start()
        if self._recorder is not None and self.config.worker != "inline":
            self._recorder.start()
        self.backend.start(self._state, self._between_blocks)
        self.latency = self.backend.complete(self.latency)
        self._conductor.start()

    def stop(self) -> None:
        """Stop the sound, write what is left to write, end the separator; once stopped, an engine is spent."""
        if self._running:
            self._conductor.stop()
            self.backend.stop()
            self._reporter.stop()
        self._worker.stop()
        if self._recorder is not None:
            self._recorder.stop()
        self._final_stats = self.stats()
        self.stats = lambda: self._final_stats  # type: ignore[method-assign]
        self._rings.close()

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
            return ProcessWorker(model, rate, options, self._report, **self._effects())
        kind = ThreadWorker if self.config.worker == "thread" else InlineWorker
        return kind(
            lambda: load_separator(model, rate, **options) if isinstance(model, str) else model,
            self._report,
            **self._effects(),
        )

    def _effects(self) -> dict[str, Any]:
        return {"chains": self.config.chains, "chain_reserve": self.config.chain_reserve}

    def _layout(self, info: SeparatorInfo) -> RingLayout:
        # A fade reads backwards while time goes on, so the oldest frame it needs is two fades old.
        plan, spare = self.latency, self._max_block + 2 * self._frames(self.config.fade_ms) + 4 * info.hop
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

    def _audio_state(self, source: Block | None) -> AudioState:
        recording = self.config.record is not None or bool(self.config.taps) or self.backend.wants_recording
        return AudioState(
            self._rings,
            prefill=self.latency.prefill,
            delay=self.latency.engine,
            carrier=len(self.stems) - 1,
            max_block=self._max_block,
            inputs=self.backend.inputs,
            input_map=self.backend.input_map,
            output_map=self.backend.output_map(self.stems),
            fade=self._frames(self.config.fade_ms),
            hold=self._frames(self.config.hold_ms) if self.config.hold_ms else 0,
            record_frames=round(_RECORD_SECONDS * self.sample_rate) if recording else 0,
            source=source,
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

    def _mix(self) -> NDArray[np.float64]:
        manner = self._manner
        return compile_mix(
            self.controls.snapshot(), self.stems, self.sample_rate, fade_ms=manner.fade_ms, begin=manner.begin
        )

    def _publish(self, path: str) -> None:
        if self.controls.parameters[path].readonly or self._effect_controls.hear(path, self.controls[path]):
            return
        with self._publishing:  # read and hand over as one, or a thread that read early could have the last word
            self._state.publish(self._mix())

    def _tell(self) -> None:
        """Bring the controls that tell how the engine is up to date."""
        stats, latency = self.stats(), self.latency
        dry = stats.counters["dry_frames"]
        hop_ms = 1000 * self._worker.info.hop / self.sample_rate
        self.controls.publish(
            {
                "engine/model": self.config.model if isinstance(self.config.model, str) else "own",
                "engine/device": type(self.backend).__name__.removesuffix("Backend").lower(),
                "engine/state": "dry" if dry > self._dry_before else "running",
                "engine/latency_frames": latency.total,
                "engine/latency_ms": latency.milliseconds(latency.total),
                "engine/load": round(stats.hop_ms[0] / hop_ms, 5),
                "engine/late_hops": stats.late_hops,
                "engine/xruns": stats.xruns,
            }
        )
        self._dry_before = dry


class _Manner(threading.local):
    """How the change that this thread is making is to be heard."""

    fade_ms: float | None = None
    begin: int = 0
