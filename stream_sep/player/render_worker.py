"""Whatever renders songs for an engine: in line for tests and offline work, or in a process of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from stream_sep.audio.rings import RingLayout, Rings
from stream_sep.effects.spec import ChainSpec
from stream_sep.engine.worker.effects import UNCHAINED
from stream_sep.engine.worker.hop_worker import SeparatorInfo, warm_up
from stream_sep.engine.worker.process_worker import ProcessWorker
from stream_sep.errors import ConfigError
from stream_sep.player.commands import Orders
from stream_sep.player.effects import Effects
from stream_sep.player.playhead_map import Board, SharedBoard
from stream_sep.player.render_ahead import HOP, LEAD_SECONDS, Feeder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream_sep.audio.rings import SharedRings
    from stream_sep.effects.chained_separator import ChainedSeparator, Chains
    from stream_sep.protocols import Separator


class Player(Protocol):
    """Renders what is ordered."""

    @property
    def board(self) -> Board:
        """What lies where."""
        ...

    def order(self, orders: Orders) -> None:
        """Have ``orders`` followed as soon as can be."""
        ...

    def supply(self, orders: Orders) -> None:
        """Take up refined stems and the next song."""
        ...


def slots_for(rate: int) -> int:
    """Return how many hops the stem ring holds."""
    return -(-round(LEAD_SECONDS * rate) // HOP) + 16


def info_of(separator: Separator) -> SeparatorInfo:
    """Return what the engine must know: hops of a player's own size, and no latency, as songs are known ahead."""
    info = warm_up(separator, calls=4)
    rehearse(separator)
    return SeparatorInfo(info.stems, info.sample_rate, info.channels, HOP, 0, info.hop_seconds)


def rehearse(separator: Separator) -> None:
    """Render a little into rings of its own, so that the first sound need not wait for compiled code to load."""
    rings = Rings(RingLayout(2, len(separator.stems), HOP, 32 * HOP, 16))
    feeder = Feeder(separator, rings, Board(16, HOP), lambda _: None, block=HOP)
    feeder.order(Orders())
    while feeder.step():
        rings.skip(0)
    rings.read_ahead(1)


def load_effects(
    info: SeparatorInfo,
    chains: Chains | None,
    reserve: int | None,
    report: Callable[[str], None],
    *,
    again: bool = False,
) -> Effects | None:
    """Return what the stems go through, or None where neither chains nor a reserve are wanted; see `Effects`."""
    if chains is None and reserve is None:
        return None
    wanted, ahead = ChainSpec.parse(chains), slots_for(info.sample_rate)
    return Effects(
        info.stems, info.sample_rate, HOP, chains=wanted, reserve=reserve, ahead=ahead, report=report, again=again
    )


class InlinePlayer:
    """Renders on the caller's thread when it is told to.

    Args:
        load: builds the live separator.
        report: is told what cannot be read, and when a chain of effects fails.
        block: the most frames the audio thread takes at once.
        chains: the effects to begin with.
        chain_reserve: frames of latency kept for effects; with neither this nor ``chains`` there can be none later.
        meanwhile: what plays while it is started again, as part of a sentence.
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
        self.info = info_of(self._separator)
        self._effects = load_effects(self.info, chains, chain_reserve, report)
        self.board = Board(slots_for(self.info.sample_rate), HOP)
        self._feeder: Feeder | None = None
        self._orders: Orders | None = None

    @property
    def chain_latency(self) -> int:
        """Frames by which the effects make all later."""
        return 0 if self._effects is None else self._effects.latency

    @property
    def chains(self) -> ChainSpec:
        """The effects that are wanted."""
        return ChainSpec() if self._effects is None else self._effects.chained.chains

    def order(self, orders: Orders) -> None:
        """Have ``orders`` followed now."""
        self._orders = orders
        if self._feeder is not None:
            self._feeder.order(orders)
            self.catch_up()

    def supply(self, orders: Orders) -> None:
        """Take up refined stems and the next song."""
        self._orders = orders
        if self._feeder is not None:
            self._feeder.supply(orders)

    def start(self, rings: Rings) -> None:
        """Take the rings to fill, and fill them."""
        self._feeder = Feeder(
            self._separator, rings, self.board, self._report, block=self._block, effects=self._effects
        )
        if self._orders is not None:
            self._feeder.order(self._orders)
        self.catch_up()

    def catch_up(self) -> None:
        """Fill the rings."""
        assert self._feeder is not None
        while self._feeder.step():
            pass

    def stop(self) -> None:
        """Let go of the rings, of the songs and of effects in processes of their own."""
        if self._feeder is not None:
            self._feeder.close()
        self._feeder = None
        if self._effects is not None:
            self._effects.close()

    def set_chains(self, chains: Chains) -> None:
        """Have other effects; as `ChainedSeparator.set_chains`."""
        self._change(lambda chained: chained.set_chains(chains))

    def set_effect(self, stem: str, index: int, parameter: str, value: object) -> None:
        """Set a parameter of an effect; as `ChainedSeparator.set_effect`."""
        self._change(lambda chained: chained.set_effect(stem, index, parameter, value))

    def set_bypass(self, stem: str, *, bypassed: bool) -> None:
        """Send a stem past its chain; as `ChainedSeparator.set_bypass`."""
        self._change(lambda chained: chained.set_bypass(stem, bypassed=bypassed))

    def _change(self, change: Callable[[ChainedSeparator], None]) -> None:
        if self._effects is None:
            raise ConfigError(UNCHAINED)
        change(self._effects.chained)
        if self._feeder is not None:
            self._feeder.refresh()
            self.catch_up()


class ProcessPlayer(ProcessWorker):
    """Renders in a process, which is started again when it dies: what lies ready is longer than that takes.

    Args:
        name: the live separator, as for `load_separator`.
        sample_rate: frames per second.
        options: the separator's options; plain values only.
        report: is told when the process dies, when it is back, and what cannot be read.
        block: the most frames the audio thread takes at once.
        chains: the effects to begin with.
        chain_reserve: frames of latency kept for effects; with neither this nor ``chains`` there can be none later.
        meanwhile: what plays while it is started again, as part of a sentence.

    Raises:
        SeparatorError: the separator, or an effect, cannot be loaded.
        ConfigError: chains that make no sense, or are later than the reserve.
    """

    child = "stream_sep.player.render_process"

    def __init__(
        self,
        name: str,
        sample_rate: int,
        options: Mapping[str, Any],
        report: Callable[[str], None],
        *,
        block: int,
        chains: Chains | None = None,
        chain_reserve: int | None = None,
        meanwhile: str = "the dry sound plays",
    ) -> None:
        self.board = SharedBoard.create(slots_for(sample_rate), HOP)
        self._block = block
        self._orders = Orders(playing=False)
        self._is_begun = False
        try:
            super().__init__(
                name, sample_rate, options, report, chains=chains, chain_reserve=chain_reserve, meanwhile=meanwhile
            )
        except BaseException:
            self.board.close()
            raise

    def order(self, orders: Orders) -> None:
        """Have ``orders`` followed as soon as can be."""
        self._orders = orders
        if self._is_begun:
            self._client.notify({"orders": orders.plain()})
            if self._process.exit_code is None:  # else the process that comes back jumps
                self._orders = replace(orders, frame=None)

    def supply(self, orders: Orders) -> None:
        """Take up refined stems and the next song."""
        self._orders = orders
        if self._is_begun:
            self._client.notify({"supply": orders.plain()})

    def start(self, rings: SharedRings) -> None:
        """Let the process fill ``rings`` and watch over it."""
        super().start(rings)
        self._is_begun = True

    def stop(self) -> None:
        """End the process and the watch."""
        super().stop()
        self.board.close()

    def _task(self, *, join: bool) -> dict[str, Any]:
        return {
            **super()._task(join=join),
            "board": self.board.describe(),
            "orders": self._orders.plain(),
            "block": self._block,
        }
