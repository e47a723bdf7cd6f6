"""Render workers: their interface, and the one that renders on the caller's thread, for tests and offline use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from stream_sep.audio.ring_layout import RingLayout
from stream_sep.audio.rings import Rings
from stream_sep.effects.spec import ChainSpec
from stream_sep.engine.worker.base import Worker
from stream_sep.engine.worker.effects import NO_EFFECTS
from stream_sep.engine.worker.separator_info import SeparatorInfo, warm_up
from stream_sep.errors import ConfigError
from stream_sep.player.commands import PlaybackCommand
from stream_sep.player.effects import Effects
from stream_sep.player.playhead_map import PlayheadMap
from stream_sep.player.render_ahead import HOP, LEAD_SECONDS, RenderAhead

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.effects.chained_separator import ChainedSeparator, Chains
    from stream_sep.protocols import Separator


class RenderWorker(Worker, Protocol):
    """Renders songs as commanded."""

    @property
    def playhead_map(self) -> PlayheadMap:
        """Song positions of the rendered hops."""
        ...

    def command(self, command: PlaybackCommand) -> None:
        """Apply ``command`` as soon as possible."""
        ...

    def update_sources(self, command: PlaybackCommand) -> None:
        """Use new refined stems and the next song."""
        ...


def ring_slots(rate: int) -> int:
    """Return the number of hops in the stem ring."""
    return -(-round(LEAD_SECONDS * rate) // HOP) + 16


def player_info(separator: Separator) -> SeparatorInfo:
    """Return the separator's description with the player's hop and no latency, as songs are read ahead."""
    info = warm_up(separator, calls=4)
    prime_jit(separator)
    return SeparatorInfo(info.stems, info.sample_rate, info.channels, HOP, 0, info.hop_seconds)


def prime_jit(separator: Separator) -> None:
    """Render a little into private rings, so that the first audio does not wait for compiled code to load."""
    rings = Rings(RingLayout(2, len(separator.stems), HOP, 32 * HOP, 16))
    renderer = RenderAhead(separator, rings, PlayheadMap(16, HOP), lambda _: None, block=HOP)
    renderer.command(PlaybackCommand())
    while renderer.step():
        rings.mark_skipped(0)
    rings.read_ahead(1)


def load_effects(
    info: SeparatorInfo,
    chains: Chains | None,
    reserve: int | None,
    report: Callable[[str], None],
    *,
    again: bool = False,
) -> Effects | None:
    """Return the effects on the stems, or None without chains and reserve; see `Effects`.

    Args:
        info: the separator's description.
        chains: the initial effects.
        reserve: latency reserved for effects, in frames.
        report: called with a message when a chain fails.
        again: whether the chains ran before a restart.
    """
    if chains is None and reserve is None:
        return None
    spec, ahead = ChainSpec.parse(chains), ring_slots(info.sample_rate)
    return Effects(
        info.stems, info.sample_rate, HOP, chains=spec, reserve=reserve, ahead=ahead, report=report, again=again
    )


class InlineRenderWorker:
    """Renders on the caller's thread.

    Args:
        load: builds the live separator.
        report: called with a message when a file cannot be read or an effect chain fails.
        block: largest block of the audio thread, in frames.
        chains: the initial effects.
        chain_reserve: frames of latency kept for effects; with neither this nor ``chains`` there can be none later.
        meanwhile: what plays during a restart, as part of the message.
    """

    restarts = 0

    def __init__(
        self,
        load: Callable[[], Separator],
        report: Callable[[str], None],
        *,
        block: int,
        chains: Chains | None = None,
        chain_reserve: int | None = None,
        meanwhile: str = "the dry sound plays",
    ) -> None:
        del meanwhile  # nothing is started again in line
        self._separator, self._report, self._block = load(), report, block
        self.info = player_info(self._separator)
        self._effects = load_effects(self.info, chains, chain_reserve, report)
        self.playhead_map = PlayheadMap(ring_slots(self.info.sample_rate), HOP)
        self._renderer: RenderAhead | None = None
        self._command: PlaybackCommand | None = None

    @property
    def chain_latency(self) -> int:
        """Latency of the effects, in frames."""
        return 0 if self._effects is None else self._effects.latency

    @property
    def chains(self) -> ChainSpec:
        """The requested effects."""
        return ChainSpec() if self._effects is None else self._effects.chained.chains

    def command(self, command: PlaybackCommand) -> None:
        """Apply ``command`` now."""
        self._command = command
        if self._renderer is not None:
            self._renderer.command(command)
            self.catch_up()

    def update_sources(self, command: PlaybackCommand) -> None:
        """Use new refined stems and the next song."""
        self._command = command
        if self._renderer is not None:
            self._renderer.update_sources(command)

    def start(self, rings: Rings) -> None:
        """Attach ``rings`` and fill them."""
        self._renderer = RenderAhead(
            self._separator, rings, self.playhead_map, self._report, block=self._block, effects=self._effects
        )
        if self._command is not None:
            self._renderer.command(self._command)
        self.catch_up()

    def catch_up(self) -> None:
        """Fill the rings."""
        assert self._renderer is not None
        while self._renderer.step():
            pass

    def stop(self) -> None:
        """Detach the rings, close the songs and end effect processes."""
        if self._renderer is not None:
            self._renderer.close()
        self._renderer = None
        if self._effects is not None:
            self._effects.close()

    def set_chains(self, chains: Chains) -> None:
        """Replace the effects; as `ChainedSeparator.set_chains`."""
        self._change(lambda chained: chained.set_chains(chains))

    def set_effect(self, stem: str, index: int, parameter: str, value: object) -> None:
        """Set a parameter of an effect; as `ChainedSeparator.set_effect`."""
        self._change(lambda chained: chained.set_effect(stem, index, parameter, value))

    def set_bypass(self, stem: str, *, bypassed: bool) -> None:
        """Bypass a stem's chain; as `ChainedSeparator.set_bypass`."""
        self._change(lambda chained: chained.set_bypass(stem, bypassed=bypassed))

    def _change(self, change: Callable[[ChainedSeparator], None]) -> None:
        if self._effects is None:
            raise ConfigError(NO_EFFECTS)
        change(self._effects.chained)
        if self._renderer is not None:
            self._renderer.rerender()
            self.catch_up()
