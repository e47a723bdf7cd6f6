"""The part of an engine that is moved: controls, presets and effects, and the gains they come to."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from stream_sep.control.mix_snapshot import compile_mix
from stream_sep.control.presets.library import list_presets, load_preset, store_preset
from stream_sep.control.scheduler import MAX_LOOKAHEAD_SECONDS, ChangeScheduler
from stream_sep.control.state import ControlState, Value, parameters_for
from stream_sep.control.transport import TRANSPORT
from stream_sep.effects.controls import EffectControls, EffectWorker, effect_parameters
from stream_sep.effects.spec import ChainSpec
from stream_sep.engine.worker.effects import UNCHAINED
from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from stream_sep.audio.state import AudioState
    from stream_sep.control.presets.preset import Preset
    from stream_sep.control.state import Parameter
    from stream_sep.effects.chained_separator import Chains

_LONGEST_FADE_MS = 60000


class MixingDesk:
    """Controls, and the audio thread that follows them; `stream_sep.Engine` is one.

    Args:
        stems: names of the stems.
        sample_rate: frames per second.
        state: takes the gains.
        worker: runs the effects.
        chained: whether there can be effects.
        tick: called a few times a second while the desk runs.
        report: is told in sentences what could not be done.
        more: controls besides those of stems and effects.
    """

    def __init__(
        self,
        stems: tuple[str, ...],
        sample_rate: int,
        state: AudioState,
        worker: EffectWorker,
        *,
        chained: bool,
        tick: Callable[[], None],
        report: Callable[[str], None],
        more: tuple[Parameter, ...] = (),
    ) -> None:
        self.stems, self.sample_rate = stems, sample_rate
        self.controls = ControlState((*parameters_for(stems), *more, *effect_parameters(worker.chains)))
        self._state, self._effects, self._chained, self._report = state, worker, chained, report
        self._effect_controls = EffectControls(self.controls, worker, chained=chained, report=report)
        self._publishing = threading.Lock()
        self._manner = _Manner()
        self._scheduler = ChangeScheduler(tick)
        state.snap(self._mix())
        self.controls.subscribe(self._publish)

    def set(self, path: str, value: object) -> Value:
        """Move a control, such as ``engine.set("stem/vocals/gain_db", -60)``; heard from the next block on.

        Args:
            path: the control's path.
            value: its new value.

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
        if at is not None and not math.isfinite(at):
            raise ConfigError(f"a change cannot begin at {at}")
        if at is None or at <= time.monotonic():
            self._apply(values, fade_ms, 0)
            return
        if at > time.monotonic() + MAX_LOOKAHEAD_SECONDS:
            raise ConfigError(f"a change {at - time.monotonic():.1f} s ahead is beyond {MAX_LOOKAHEAD_SECONDS:g} s")
        self.controls.check(values)
        moment = round(at * 1e9)
        self._scheduler.schedule(
            at, lambda: self._apply(values, fade_ms, self._state.frame_at(moment, self.sample_rate))
        )

    def _apply(self, values: Mapping[str, object], fade_ms: float | None, begin: int) -> None:
        self._manner.fade_ms, self._manner.begin = fade_ms, begin
        try:
            self.controls.update(values)
        finally:
            self._manner.fade_ms, self._manner.begin = None, 0

    def set_chains(self, chains: Chains) -> None:
        """Have other effects behind the stems: loaded now, then heard by a crossfade, and controls from then on.

        Args:
            chains: stem -> list of ``{"plugin": ..., "parameters": {...}, "bypass": ...}``; a stem that is not there
                has none.

        Raises:
            ConfigError: a chain that makes no sense, or is later than what was reserved; nothing changes.
            SeparatorError: an effect that cannot be loaded; nothing changes.
        """
        if ChainSpec.parse(chains) != self._effects.chains:
            self._effects.set_chains(chains)
            self._effect_controls.sync()

    def set_effect(self, stem: str, index: int, parameter: str, value: object) -> None:
        """Set one parameter, or ``bypass``, of the effect at ``index``, from 0, of a stem's chain.

        Args:
            stem: whose chain.
            index: the effect's index, bypassed ones counted.
            parameter: the parameter's name.
            value: its new value.

        Raises:
            ConfigError: no such stem, effect or parameter, or a value out of its range; nothing changes.
        """
        self._effects.set_effect(stem, index, parameter, value)
        self._effect_controls.sync()

    def presets(self) -> tuple[str, ...]:
        """Return the names of the presets there are, shipped and the user's own."""
        return tuple(list_presets())

    def recall(self, preset: str, *, fade_ms: float | None = None) -> None:
        """Apply a preset by its name, with a fade of so long, of its own, or of ``ramp_ms``.

        Args:
            preset: its name.
            fade_ms: length of the fade; the preset's own by default.

        Raises:
            PresetError: there is none, or it is not for these stems.
        """
        self.apply_preset(load_preset(preset, stems=self.stems, files=False), fade_ms=fade_ms)

    def apply_preset(self, preset: Preset, *, fade_ms: float | None = None) -> None:
        """Apply a preset that is loaded already.

        Args:
            preset: the preset.
            fade_ms: length of the fade; the preset's own by default.
        """
        if self._chained and (preset.chains or preset.resets_all):
            self.set_chains(preset.chains)
        elif preset.chains:
            self._report(f"preset {preset.name!r} has effects and {UNCHAINED}; its values are set all the same")
        values = {
            path: value
            for path, value in preset.resolve(self.stems).items()
            if path in self.controls.parameters or not path.startswith(TRANSPORT)  # nothing to seek in what is live
        }
        self.apply(values, fade_ms=preset.fade_ms if fade_ms is None else fade_ms)
        self.controls.publish({"preset": preset.name})

    def store(self, preset: str) -> None:
        """Keep the controls as they are as a preset of the user's.

        Raises:
            PresetError: the name will not do, or the file cannot be written.
        """
        store_preset(preset, self.controls)
        self.controls.publish({"preset": preset})

    def peaks(self) -> dict[str, tuple[float, float]]:
        """Return the falling peak of the mix, each stem and the input, linear, left and right."""
        names, sides = ("mix", *self.stems, "input"), self._state.meters().reshape(-1, 2).tolist()
        return {name: (left, right) for name, (left, right) in zip(names, sides, strict=True)}

    def meters(self) -> dict[str, float]:
        """Return `peaks`, the louder side of each."""
        return {name: max(sides) for name, sides in self.peaks().items()}

    def _mix(self) -> NDArray[np.float64]:
        manner = self._manner
        return compile_mix(
            self.controls.snapshot(), self.stems, self.sample_rate, fade_ms=manner.fade_ms, begin=manner.begin
        )

    def _publish(self, path: str) -> None:
        if (
            self.controls.parameters[path].readonly
            or path.startswith(TRANSPORT)
            or self._effect_controls.handle_change(path, self.controls[path])
        ):
            return
        with self._publishing:  # read and hand over as one, or a thread that read early could have the last word
            self._state.publish(self._mix())

    def _snap_gains(self) -> None:
        """Begin with the faders where they were put before any sound ran; there is nothing to ramp from."""
        with self._publishing:
            self._state.snap(self._mix())


class _Manner(threading.local):
    """How the change that this thread is making is to be heard."""

    fade_ms: float | None = None
    begin: int = 0
