"""The effects of one chain, run by Pedalboard; the only module that imports it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.effects.catalog import DELAY_EFFECTS, ParameterSpec, is_file, parameter_spec
from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.extras import install_hint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream_sep.effects.catalog import Setting
    from stream_sep.effects.spec import EffectSpec
    from stream_sep.protocols import Block

_MIN_BLOCK = 16


def pedalboard() -> Any:  # noqa: ANN401 - a module that ships no types
    """Return the module `pedalboard`.

    Raises:
        SeparatorError: it is not installed.
    """
    try:
        import pedalboard as module  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise SeparatorError(f"effects need Pedalboard ({error}); {install_hint('effects')}") from error
    return module


class Effect:
    """One effect instance on ``(channels, frames)``, whose first outputs may be shorter than its inputs.

    A mono plug-in is instantiated once per channel.

    Args:
        spec: which, and how it is set.
        sample_rate: frames per second.
        channels: channels of the stem.
        hop: frames of a block.

    Raises:
        SeparatorError: it cannot be loaded or does not do these channels.
        ConfigError: a parameter it does not have, or an invalid value.
    """

    def __init__(self, spec: EffectSpec, sample_rate: int, channels: int, hop: int) -> None:
        self.name = spec.plugin
        self.is_delay = spec.plugin in DELAY_EFFECTS
        self._sample_rate = sample_rate
        self._max_block = max(hop, _MIN_BLOCK)
        self._spec = spec
        self._plugins = [self._create()]
        if not self._probe_channels(channels):
            self._plugins += [self._create() for _ in range(channels - 1)]
            if not self._probe_channels(1):
                raise SeparatorError(f"effect {self.name!r} does not take a stem of {channels} channels")
        self.reset()

    @property
    def parameter_specs(self) -> Mapping[str, ParameterSpec]:
        """The parameters a plug-in file declares; empty for Pedalboard's own, which `EFFECTS` lists."""
        if not is_file(self.name):
            return {}
        return {name: _parameter_spec(parameter) for name, parameter in self._plugins[0].parameters.items()}

    def process(self, frames: Block) -> Block:
        """Return the output for ``frames``, ``(channels, frames)``, of any number, even 0."""
        if frames.shape[1] == 0:
            return frames
        if len(self._plugins) == 1:
            return self._run(self._plugins[0], frames)
        sides = [self._run(plugin, frames[side : side + 1]) for side, plugin in enumerate(self._plugins)]
        return np.concatenate(sides)

    def set_parameter(self, name: str, value: Setting) -> None:
        """Set a parameter while it plays.

        Args:
            name: the parameter's name.
            value: its new value.
        """
        for plugin in self._plugins:
            setattr(plugin, name, value)

    def reset(self) -> None:
        """Clear the effect's state."""
        for plugin in self._plugins:
            plugin.reset()

    def _run(self, plugin: Any, frames: Block) -> Block:  # noqa: ANN401 - Pedalboard ships no types
        done: Block = plugin.process(frames, self._sample_rate, buffer_size=self._max_block, reset=False)
        return done

    def _probe_channels(self, channels: int) -> bool:
        """Process silence, as a plug-in settles its channels and latency only when it runs; False if it refuses."""
        silence = np.zeros((channels, self._max_block), np.float32)
        try:
            for plugin in self._plugins:
                self._run(plugin, silence)
        except ValueError:
            return False
        return True

    def _create(self) -> Any:  # noqa: ANN401 - as above
        if is_file(self.name):
            return self._load()
        maker, settings = getattr(pedalboard(), self.name), dict(self._spec.parameters)
        if "mode" in settings:
            settings["mode"] = getattr(maker.Mode, str(settings["mode"]))
        try:
            return maker(**settings)
        except Exception as error:
            raise SeparatorError(f"effect {self.name!r} cannot be created: {_line(error)}") from error

    def _load(self) -> Any:  # noqa: ANN401 - as above
        try:
            plugin = pedalboard().load_plugin(self.name)
        except SeparatorError:
            raise
        except Exception as error:
            raise SeparatorError(f"effect {self.name!r} cannot be loaded: {_line(error)}") from error
        if not plugin.is_effect:
            raise SeparatorError(f"{self.name!r} is an instrument, not an effect")
        for name, value in self._spec.parameters.items():
            _set_parameter(plugin, self.name, name, value)
        return plugin


class PedalboardChain:
    """The effects of a chain in series.

    Args:
        effects: those that are not bypassed; at least one.
        sample_rate: frames per second.
        channels: channels of the stem.
        hop: frames of a block.

    Raises:
        SeparatorError: one of them cannot be loaded.
        ConfigError: a parameter that is not there.
    """

    def __init__(self, effects: Sequence[EffectSpec], sample_rate: int, channels: int, hop: int) -> None:
        self.effects = [Effect(spec, sample_rate, channels, hop) for spec in effects]

    def process(self, block: Block) -> Block:
        """Return the output for ``block``, at first fewer frames than its own."""
        for effect in self.effects:
            block = effect.process(block)
        return block

    def reset(self) -> None:
        """Clear the effect's state."""
        for effect in self.effects:
            effect.reset()


def _set_parameter(plugin: Any, plugin_name: str, name: str, value: Setting) -> None:  # noqa: ANN401 - as above
    try:
        parameter_spec(plugin_name, name, dict.fromkeys(plugin.parameters, ParameterSpec()))
        setattr(plugin, name, value)
    except (ConfigError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"effect {plugin_name!r} {_line(error)}") from None


def _parameter_spec(parameter: Any) -> ParameterSpec:  # noqa: ANN401 - as above
    low, high, _ = parameter.range
    if parameter.type is bool:
        return ParameterSpec(is_toggle=True)
    if parameter.type is float and low is not None and high is not None:
        return ParameterSpec(float(low), float(high), automatable=True)
    choices: tuple[str, ...] = ()
    with suppress(AttributeError, TypeError):
        choices = tuple(str(word) for word in parameter.valid_values)
    return ParameterSpec(choices=choices)


def _line(error: Exception) -> str:
    """Return an exception's message on one line."""
    return " ".join(str(error).split())
