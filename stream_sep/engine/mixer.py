"""The mixer of an engine: controls, presets and effects, and the gains that result from them."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from stream_sep.control.mix_snapshot import compile_mix
from stream_sep.control.parameters import Value, parameters_for
from stream_sep.control.presets.library import list_presets, load_preset, store_preset
from stream_sep.control.scheduler import MAX_LOOKAHEAD_SECONDS, ChangeScheduler
from stream_sep.control.state import ControlState
from stream_sep.control.transition import DEFAULT_TRANSITION, Transition
from stream_sep.control.transport import TRANSPORT
from stream_sep.effects.controls import EffectControls, EffectWorker, effect_parameters, is_of_effect
from stream_sep.effects.spec import ChainSpec
from stream_sep.engine.worker.effects import NO_EFFECTS
from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from stream_sep.audio.state import AudioState
    from stream_sep.control.parameters import Parameter
    from stream_sep.control.presets.preset import Preset
    from stream_sep.effects.chained_separator import Chains

_MAX_FADE_MS = 60000


class Mixer:
    """Controls, presets and effects of an engine, compiled into gains for the audio thread.

    Args:
        stems: names of the stems.
        sample_rate: frames per second.
        state: receives the gains.
        worker: runs the effects.
        chained: whether effects are available.
        tick: called a few times a second while the mixer runs.
        report: callback that receives warnings about changes that could not be applied.
        extra: controls besides those of stems and effects.
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
        extra: tuple[Parameter, ...] = (),
    ) -> None:
        self.stems, self.sample_rate = stems, sample_rate
        self.controls = ControlState((*parameters_for(stems), *extra, *effect_parameters(worker.chains)))
        self._state, self._effects, self._chained, self._report = state, worker, chained, report
        self._effect_controls = EffectControls(self.controls, worker, chained=chained, report=report)
        self._publishing = threading.Lock()
        self._scheduler = ChangeScheduler(tick)
        state.set_mix_now(self._mix())
        self.controls.subscribe_changes(self._on_change)

    def set_gains_now(self) -> None:
        """Set the gains without a ramp, as before the audio starts."""
        with self._publishing:
            self._state.set_mix_now(self._mix())

    def start(self) -> None:
        """Apply scheduled changes, and tick, from now on."""
        self._scheduler.start()

    def stop(self) -> None:
        """Drop pending changes and stop ticking."""
        self._scheduler.stop()

    def set(self, path: str, value: object) -> Value:
        """Set a control, such as ``engine.set("stem/vocals/gain_db", -60)``; audible from the next block on.

        Args:
            path: the control's path.
            value: its new value.

        Returns:
            The stored value, clamped to its range.

        Raises:
            ParameterError: no such control, or an invalid value.
        """
        return self.controls.set(path, value)

    def apply(self, values: Mapping[str, object], *, fade_ms: float | None = None, at: float | None = None) -> None:
        """Set many controls as one change.

        Args:
            values: by path.
            fade_ms: length of the gain ramps; the control ``ramp_ms`` unless given.
            at: `time.monotonic` of the first frame, at most two seconds ahead; the next block unless given.

        Raises:
            ParameterError: an unknown path, or an invalid value; nothing changes.
            ConfigError: an invalid fade length, or a time too far ahead.
        """
        if fade_ms is not None and not 0 <= fade_ms <= _MAX_FADE_MS:
            raise ConfigError(f"a fade of {fade_ms} ms must be in 0..{_MAX_FADE_MS}")
        if at is not None and not math.isfinite(at):
            raise ConfigError(f"a change cannot begin at {at}")
        if at is None or at <= time.monotonic():
            self.controls.update(values, Transition(fade_ms))
            return
        if at > time.monotonic() + MAX_LOOKAHEAD_SECONDS:
            raise ConfigError(f"a change {at - time.monotonic():.1f} s ahead is beyond {MAX_LOOKAHEAD_SECONDS:g} s")
        self.controls.check(values)
        moment = round(at * 1e9)

        def change() -> None:
            begin = self._state.frame_at(moment, self.sample_rate)
            self.controls.update(values, Transition(fade_ms, begin))

        self._scheduler.schedule(at, change)

    def set_chains(self, chains: Chains) -> None:
        """Replace the effects on the stems: load them now, then crossfade, and add controls for their parameters.

        Args:
            chains: stem -> list of ``{"plugin": ..., "parameters": {...}, "bypass": ...}``; a stem that is not in it
                has no effects.

        Raises:
            ConfigError: an invalid chain, or one whose latency exceeds the reserve; nothing changes.
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
        """Return the names of all presets, bundled and the user's own."""
        return tuple(list_presets())

    def recall(self, preset: str, *, fade_ms: float | None = None) -> None:
        """Load a preset by its name and apply it, with the given fade, its own, or ``ramp_ms``.

        Args:
            preset: its name.
            fade_ms: length of the fade; the preset's own by default.

        Raises:
            PresetError: no such preset, or it is for other stems.
        """
        self.apply_preset(load_preset(preset, stems=self.stems, files=False), fade_ms=fade_ms)

    def apply_preset(self, preset: Preset, *, fade_ms: float | None = None) -> None:
        """Apply a loaded preset.

        Args:
            preset: the preset.
            fade_ms: length of the fade; the preset's own by default.
        """
        if self._chained and (preset.chains or preset.resets_all):
            self.set_chains(preset.chains)
        elif preset.chains:
            self._report(f"preset {preset.name!r} has effects and {NO_EFFECTS}; its values are set all the same")
        values = {
            path: value
            for path, value in preset.resolve(self.stems).items()
            if path in self.controls.parameters or not path.startswith(TRANSPORT)  # a live input has no transport
        }
        self.apply(values, fade_ms=preset.fade_ms if fade_ms is None else fade_ms)
        self.controls.publish({"preset": preset.name})

    def store(self, preset: str) -> None:
        """Save the current values of the controls as a user preset.

        Raises:
            PresetError: an invalid name, or the file cannot be written.
        """
        store_preset(preset, self.controls)
        self.controls.publish({"preset": preset})

    def peaks(self) -> dict[str, tuple[float, float]]:
        """Return the decaying peak of the mix, each stem and the input, linear, left and right."""
        names, sides = ("mix", *self.stems, "input"), self._state.meters().reshape(-1, 2).tolist()
        return {name: (left, right) for name, (left, right) in zip(names, sides, strict=True)}

    def meters(self) -> dict[str, float]:
        """Return `peaks`, the louder side of each."""
        return {name: max(sides) for name, sides in self.peaks().items()}

    def _mix(self, transition: Transition = DEFAULT_TRANSITION) -> NDArray[np.float64]:
        return compile_mix(self.controls.snapshot(), self.stems, self.sample_rate, transition)

    def _on_change(self, paths: tuple[str, ...], transition: Transition) -> None:
        if any(self._moves_gains(path) for path in paths):
            with self._publishing:  # read and publish as one, or a thread that read early could overwrite newer gains
                self._state.publish(self._mix(transition))
        for path in paths:
            self._effect_controls.handle_change(path)  # after the gains, as an effect may take long to load

    def _moves_gains(self, path: str) -> bool:
        parameter = self.controls.parameters.get(path)
        is_status = parameter is None or parameter.readonly
        return not (is_status or path.startswith(TRANSPORT) or is_of_effect(path))
