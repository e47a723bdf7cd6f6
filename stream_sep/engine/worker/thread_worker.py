"""A separator on a thread of the engine's process, rebuilt when it fails."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from stream_sep.effects.chained_separator import ChainedSeparator
from stream_sep.engine.worker.effects import restore_chains
from stream_sep.engine.worker.hop_worker import HopWorker
from stream_sep.engine.worker.inline_worker import InlineWorker
from stream_sep.engine.worker.separator_info import warm_up
from stream_sep.lowlevel.backoff import Backoff

if TYPE_CHECKING:
    from stream_sep.audio.rings import Rings
    from stream_sep.protocols import Separator

_log = logging.getLogger(__name__)
_JOIN_TIMEOUT = 1.0


class ThreadWorker(InlineWorker):
    """Separates on a thread of this process: no second interpreter, but no protection from other Python code either.

    When the separator raises, it is loaded again with its current chains; the dry sound plays meanwhile.
    """

    _thread: threading.Thread | None = None

    def start(self, rings: Rings) -> None:
        """Start separating the captured audio."""
        self._rings, self._stopped, self._backoff = rings, threading.Event(), Backoff()
        self._thread = threading.Thread(target=self._run, name="separator", daemon=True)
        self._thread.start()

    def catch_up(self) -> None:
        """Do nothing: the thread does it."""

    def stop(self) -> None:
        """End the thread; one whose separator hangs is abandoned, as a thread cannot be ended from outside."""
        if self._thread is not None:
            self._stopped.set()
            self._thread.join(_JOIN_TIMEOUT)
        super().stop()

    def _run(self) -> None:
        worker: HopWorker | None = HopWorker(self._separator, self._rings)
        while worker is not None:
            started = time.monotonic()
            try:
                worker.run(self._stopped)
            except Exception as error:  # noqa: BLE001 - a model can fail in any way; the audio continues
                if self._stopped.is_set():
                    return
                _log.debug("the separator failed", exc_info=True)
                what = f"{type(error).__name__}: {error}"
                self._report(f"the separator failed ({what}): {self._meanwhile} while it starts again")
                worker = self._come_back(time.monotonic() - started)
            else:
                return

    def _come_back(self, lived: float) -> HopWorker | None:
        while not self._stopped.wait(self._backoff.delay_after(lived)):
            try:
                self._reload()
                worker = HopWorker(self._separator, self._rings, join=True)
            except Exception as error:  # noqa: BLE001 - as above
                self._report(f"the separator did not come back ({error}); trying again")
                lived = 0.0
                continue
            self.restarts += 1
            self._report("the separator is back: the stems fade in")
            return worker
        return None

    def _reload(self) -> None:
        with self._changing:
            fresh = self._with_the_same_chains(self._load())
            self.info.check_compatible(warm_up(fresh))
            self._separator = fresh

    def _with_the_same_chains(self, separator: Separator) -> Separator:
        old = self._separator
        if not isinstance(old, ChainedSeparator) or separator is old:
            return separator
        restored = restore_chains(separator, old.chains, old.chain_latency, self._report)
        for stem in old.bypassed:
            restored.set_bypass(stem, bypassed=True)
        old.close()
        return restored
