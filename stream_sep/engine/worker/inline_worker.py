"""A separator on the thread of the caller, for offline work and tests."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from stream_sep.effects.chained_separator import ChainedSeparator
from stream_sep.effects.spec import ChainSpec
from stream_sep.engine.worker.effects import require_effects, with_chains
from stream_sep.engine.worker.hop_worker import HopWorker
from stream_sep.engine.worker.separator_info import warm_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.audio.rings import Rings
    from stream_sep.effects.chained_separator import Chains
    from stream_sep.protocols import Separator

_log = logging.getLogger(__name__)


class InlineWorker:
    """Separates when `catch_up` is called, on the caller's thread: for offline work and tests.

    Args:
        load: builds the separator.
        report: callback that receives a message when an effect chain fails; logged unless given.
        chains: the effects to start with.
        chain_reserve: frames of latency reserved for effects; with neither this nor ``chains``, none can be added.
        meanwhile: what plays during a restart, as part of a message.

    Raises:
        SeparatorError: the separator, or an effect, cannot be loaded.
        ConfigError: invalid chains, or chains whose latency exceeds the reserve.
    """

    def __init__(
        self,
        load: Callable[[], Separator],
        report: Callable[[str], None] = _log.warning,
        *,
        chains: Chains | None = None,
        chain_reserve: int | None = None,
        meanwhile: str = "the dry sound plays",
    ) -> None:
        self._load, self._report, self._changing, self._meanwhile = load, report, threading.Lock(), meanwhile
        self._separator = with_chains(load(), chains, chain_reserve, report)
        self.info = warm_up(self._separator)
        self.restarts = 0
        self._worker: HopWorker | None = None

    @property
    def chain_latency(self) -> int:
        """Frames of latency that the chains add to all stems."""
        return self.info.chain_latency

    @property
    def chains(self) -> ChainSpec:
        """The current effects."""
        return self._separator.chains if isinstance(self._separator, ChainedSeparator) else ChainSpec()

    def set_chains(self, chains: Chains) -> None:
        """Replace the effects; as `ChainedSeparator.set_chains`."""
        with self._changing:
            require_effects(self._separator).set_chains(chains)

    def set_effect(self, stem: str, index: int, parameter: str, value: object) -> None:
        """Set a parameter of an effect; as `ChainedSeparator.set_effect`."""
        with self._changing:
            require_effects(self._separator).set_effect(stem, index, parameter, value)

    def set_bypass(self, stem: str, *, bypassed: bool) -> None:
        """Bypass a stem's chain; as `ChainedSeparator.set_bypass`."""
        with self._changing:
            require_effects(self._separator).set_bypass(stem, bypassed=bypassed)

    def start(self, rings: Rings) -> None:
        """Attach to ``rings``."""
        self._worker = HopWorker(self._separator, rings)

    def catch_up(self) -> None:
        """Separate every complete hop."""
        while self._worker is not None and self._worker.step():
            pass

    def stop(self) -> None:
        """Release the rings, and end effects in their own processes."""
        self._worker = None
        if isinstance(self._separator, ChainedSeparator):
            self._separator.close()
