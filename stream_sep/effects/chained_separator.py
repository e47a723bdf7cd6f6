"""Any separator with an effect chain on each stem, all stems still aligned."""

from __future__ import annotations

import logging
import threading
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from stream_sep.effects.aligned_chain import AlignedChain, ChainError
from stream_sep.effects.chain_slot import ChainSlot
from stream_sep.effects.loader import Shape, close_chains, load_chains
from stream_sep.effects.parameter_diff import parameter_changes
from stream_sep.effects.pedalboard_chain import pedalboard
from stream_sep.effects.spec import ChainSpec, EffectSpec
from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.separators import load_separator
from stream_sep.separators.compute_share import compute_share_of
from stream_sep.separators.stem_guard import StemGuard
from stream_sep.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from stream_sep.effects.aligned_chain import Chain
    from stream_sep.effects.parameter_diff import ParameterChange
    from stream_sep.protocols import Block, Separator, Stems

__all__ = ["ChainSpec", "ChainedSeparator", "EffectSpec", "load_chained"]

Chains: TypeAlias = "ChainSpec | Mapping[str, Iterable[Mapping[str, Any] | EffectSpec]]"
"""Chains as values, or as the tables that `ChainSpec.parse` reads."""

_log = logging.getLogger(__name__)
_EFFECTS_SHARE = 0.25  # of the length of a hop, that all chains together may take


class ChainedSeparator:
    """Puts a chain of effects behind every stem of a separator; a `Separator`.

    All stems are delayed equally, `chain_latency` frames beyond the separator's own latency, whatever each chain
    adds. A chain that fails is bypassed and reported; the others continue.

    Changes may come from any thread. Plug-ins load on the calling thread, and the new chain fades in.

    Args:
        separator: splits the mix.
        chains: the initial effects, as a `ChainSpec` or an input of `ChainSpec.parse`.
        reserve: frames of latency reserved for later effects; by default, that of the first ones.
        report: called with a message when a chain fails; logged unless given.

    Raises:
        ConfigError: an invalid chain, or is later than ``reserve``.
        SeparatorError: an effect that cannot be loaded, or Pedalboard is not installed.

    >>> separator = load_separator("passthrough", hop=64)
    >>> chained = ChainedSeparator(separator, {"other": [{"plugin": "Invert"}]}, reserve=10)
    >>> chained.process(np.ones((2, 64), np.float32))[3, 0, 8:12].tolist()
    [0.0, 0.0, -1.0, -1.0]
    """

    def __init__(
        self,
        separator: Separator,
        chains: Chains | None = None,
        *,
        reserve: int | None = None,
        report: Callable[[str], None] = _log.warning,
    ) -> None:
        if reserve is not None and reserve < 0:
            raise ConfigError(f"a chain reserve of {reserve} frames is negative; leave it out, or use 0")
        self._separator, self._guard = separator, StemGuard(separator)
        self.stems, self.channels, self.hop = tuple(separator.stems), separator.channels, separator.hop
        self.sample_rate = separator.sample_rate
        self.compute_share = min(1.0, compute_share_of(separator) + _EFFECTS_SHARE)
        self._shape = Shape(self.sample_rate, self.channels, self.hop)
        self._changing = threading.Lock()
        with suppress(SeparatorError):  # a later import would delay hops; reported when needed
            pedalboard()
        self.chains = ChainSpec.parse(chains)
        self.chains.check(self.stems)
        loaded = load_chains(self.chains, self.stems, self._shape)
        longest = max((chain.timing.latency for chain in loaded.values()), default=0)
        self.chain_latency = longest if reserve is None else reserve
        self._check_reserve(loaded)
        self.latency = separator.latency + self.chain_latency
        self._out = np.zeros((len(self.stems), self.channels, self.hop), np.float32)
        self._slots = {stem: ChainSlot(stem, self._shape, self.chain_latency, report) for stem in self.stems}
        self._aligned: dict[str, AlignedChain | None] = dict.fromkeys(self.stems)
        self._finalizer = weakref.finalize(self, _close, list(self._slots.values()))
        for stem, chain in loaded.items():
            self._assign(stem, self._align(chain))
            self._slots[stem].reset()

    def process(self, block: Block) -> Stems:
        """Return the stems of the next hop, through their chains; shapes as in `Separator.process`."""
        stems = self._separator.process(block)
        if not self._guard.accepts(block, stems):  # the separator failed, not a chain; the worker resets it
            self._out[:] = np.nan
            return self._out
        for slot, stem in zip(self._slots.values(), stems, strict=True):
            slot.push(stem)
        for slot, out in zip(self._slots.values(), self._out, strict=True):
            slot.pull(out)
        return self._out

    def reset(self) -> None:
        """Clear the state of the separator and the effects; parameters keep their values."""
        self._separator.reset()
        for slot in self._slots.values():
            slot.reset()

    def set_chains(self, chains: Chains) -> None:
        """Replace the effects on the stems: load them now, then crossfade.

        Args:
            chains: all of them; a stem that is not there has none.

        Raises:
            ConfigError: an invalid chain, or exceeds the reserved latency; nothing changes.
            SeparatorError: an effect that cannot be loaded; nothing changes.
        """
        spec = ChainSpec.parse(chains)
        spec.check(self.stems)
        with self._changing:
            self._change(spec)

    def set_effect(self, stem: str, index: int, parameter: str, value: object) -> None:
        """Set one parameter, or ``bypass``, of one effect.

        Args:
            stem: whose chain.
            index: the effect's place in it, from 0, bypassed ones counted.
            parameter: its name, or ``bypass``.
            value: its new value.

        Raises:
            ConfigError: no such stem, effect or parameter, or a value out of its range; nothing changes.
            SeparatorError: an effect that has to be loaded again cannot be.
        """
        check_stem(stem, self.stems)
        with self._changing:
            self._change(self.chains.with_effect(stem, index, parameter, value))

    def set_bypass(self, stem: str, *, bypassed: bool) -> None:
        """Bypass a stem's whole chain, or end the bypass, by a crossfade; the chain keeps processing.

        Args:
            stem: the stem.
            bypassed: whether its chain is bypassed.

        Raises:
            ConfigError: no such stem.
        """
        check_stem(stem, self.stems)
        self._slots[stem].bypassed = bypassed

    @property
    def bypassed(self) -> frozenset[str]:
        """The stems whose chains are bypassed."""
        return frozenset(stem for stem, slot in self._slots.items() if slot.bypassed)

    def close(self) -> None:
        """End the processes of effects, if any."""
        self._finalizer()

    def _change(self, spec: ChainSpec) -> None:
        changes = {stem: self._changes(stem, spec) for stem in self.stems}
        changed = [stem for stem in self.stems if changes[stem] is None]
        aligned_chains = self._ready(spec, changed)
        self.chains = spec
        for stem in changed:
            self._assign(stem, aligned_chains.get(stem))
        for stem, found in changes.items():
            for set_parameter in found or ():
                aligned = self._aligned[stem]
                assert aligned is not None
                self._slots[stem].set_parameter(aligned, *set_parameter)

    def _changes(self, stem: str, spec: ChainSpec) -> list[ParameterChange] | None:
        aligned = self._aligned[stem]
        if aligned is not None and self._slots[stem].failed is aligned:
            return None
        return parameter_changes(
            self.chains.of(stem), spec.of(stem), () if aligned is None else aligned.chain.parameter_specs
        )

    def _ready(self, spec: ChainSpec, stems: list[str]) -> dict[str, AlignedChain]:
        """Return the aligned chains of ``stems``, prerolled with the last second of audio."""
        loaded = load_chains(spec, stems, self._shape)
        self._check_reserve(loaded)
        aligned_chains = {stem: self._align(chain) for stem, chain in loaded.items()}
        try:
            for stem, aligned in aligned_chains.items():
                self._slots[stem].preroll(aligned)
        except ChainError as error:
            close_chains(loaded)
            raise SeparatorError(f"the effect chain on {stem} {error}") from error
        return aligned_chains

    def _align(self, chain: Chain) -> AlignedChain:
        return AlignedChain(chain, self.channels, self.hop, self.chain_latency)

    def _assign(self, stem: str, aligned: AlignedChain | None) -> None:
        self._aligned[stem] = aligned
        self._slots[stem].swap(aligned)

    def _check_reserve(self, loaded: Mapping[str, Chain]) -> None:
        late = {chain.timing.latency: stem for stem, chain in loaded.items()}
        longest = max(late, default=0)
        if longest > self.chain_latency:
            close_chains(loaded)
            raise ConfigError(
                f"the chain of {late[longest]!r} is {longest} frames late and {self.chain_latency} are reserved: "
                f"start with chain_reserve={longest} (--effect-latency {longest} on the command line)"
            )


def check_stem(stem: str, stems: tuple[str, ...]) -> None:
    """Check that a stem exists.

    Args:
        stem: the name to check.
        stems: the known names.

    Raises:
        ConfigError: ``stem`` is none of ``stems``.
    """
    if stem not in stems:
        raise ConfigError(f"there is no stem {stem!r}; {did_you_mean(stem, stems)}")


def load_chained(
    *,
    sample_rate: int = 44100,
    separator: str = "live",
    chains: Chains | None = None,
    reserve: int | None = None,
    **options: Any,  # noqa: ANN401 - each separator checks its own options
) -> ChainedSeparator:
    """Build a separator with effect chains, for `load_separator("chained", ...)`.

    Args:
        sample_rate: frames per second of the stream.
        separator: the one to put chains behind, as for `load_separator`.
        chains: as for `ChainedSeparator`.
        reserve: as for `ChainedSeparator`.
        options: the separator's own.

    Raises:
        SeparatorError: as for `load_separator` and `ChainedSeparator`.
        ConfigError: the same.

    >>> load_chained(separator="passthrough", reserve=100).latency
    100
    """
    return ChainedSeparator(load_separator(separator, sample_rate, **options), chains, reserve=reserve)


def _close(slots: list[ChainSlot]) -> None:
    for slot in slots:
        slot.close()
