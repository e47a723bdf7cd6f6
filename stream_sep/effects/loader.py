"""Loads chains: Pedalboard's own effects in this process, plug-in files in a separate one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream_sep.effects.aligned_chain import ChainError
from stream_sep.effects.catalog import is_file
from stream_sep.effects.latency_probe import measure_latency
from stream_sep.effects.pedalboard_chain import PedalboardChain, pedalboard
from stream_sep.effects.plugin_process import PluginProcess
from stream_sep.errors import StreamSepError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream_sep.effects.aligned_chain import Chain
    from stream_sep.effects.catalog import ParameterSpec, Setting
    from stream_sep.effects.spec import ChainSpec, EffectSpec
    from stream_sep.protocols import Block


@dataclass(frozen=True)
class Shape:
    """The format of the audio a chain processes.

    Attributes:
        sample_rate: frames per second.
        channels: channels of a stem.
        hop: frames of a block.
    """

    sample_rate: int
    channels: int
    hop: int


def load_chain(effects: Sequence[EffectSpec], shape: Shape) -> Chain:
    """Return ``effects``, of which none is bypassed, ready to play.

    Args:
        effects: the effects in order.
        shape: the format of the audio.

    Raises:
        SeparatorError: Pedalboard is not installed, or an effect cannot be loaded.
        ConfigError: a parameter that is not there, or an invalid value.
    """
    if any(is_file(effect.plugin) for effect in effects):
        pedalboard()  # raises here, with the remedy, rather than in the child
        return PluginProcess(effects, shape.sample_rate, shape.channels, shape.hop)
    return LocalChain(effects, shape)


def load_chains(spec: ChainSpec, stems: Sequence[str], shape: Shape) -> dict[str, Chain]:
    """Return the chains of ``stems`` that have effects, ready to play, by stem.

    Args:
        spec: the chains of all stems.
        stems: names of the stems.
        shape: the format of the audio.

    Raises:
        SeparatorError: as for `load_chain`, with the stem.
        ConfigError: as for `load_chain`, with the stem.
    """
    loaded: dict[str, Chain] = {}
    for stem in stems:
        effects = [effect for effect in spec.of(stem) if not effect.bypass]
        try:
            if effects:
                loaded[stem] = load_chain(effects, shape)
        except StreamSepError as error:
            close_chains(loaded)
            raise type(error)(f"effect chain on {stem}: {error}") from error
    return loaded


def close_chains(chains: Mapping[str, Chain]) -> None:
    """Close all of them."""
    for chain in chains.values():
        chain.close()


class LocalChain:
    """Pedalboard's own effects, which load at once and do not crash: they run in the separator's process.

    Args:
        effects: Pedalboard's own.
        shape: the sound they are for.
    """

    def __init__(self, effects: Sequence[EffectSpec], shape: Shape) -> None:
        sizes = (shape.sample_rate, shape.channels, shape.hop)
        self.timing = measure_latency(PedalboardChain(effects, *sizes), *sizes)
        self.parameter_specs: tuple[Mapping[str, ParameterSpec], ...] = ({},) * len(effects)
        self._effects = PedalboardChain(effects, *sizes)
        self._given: Block | None = None

    def submit(self, block: Block) -> None:
        """Store the next hop for `collect`; as in `Chain`."""
        self._given = block

    def collect(self) -> Block:
        """Run the effects; as in `Chain`."""
        assert self._given is not None
        try:
            return self._effects.process(self._given)
        except Exception as error:
            raise ChainError(f"failed: {type(error).__name__}: {error}") from error

    def set_parameter(self, effect: int, name: str, value: Setting) -> None:
        """Set a parameter; as in `Chain`."""
        self._effects.effects[effect].set_parameter(name, value)

    def reset(self) -> None:
        """Clear the state of every effect."""
        self._effects.reset()

    def close(self) -> None:
        """Do nothing: garbage collection releases the effects."""
