"""A second process with the separator loaded, which takes over at once when the first one ends."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream_sep.errors import StreamSepError
from stream_sep.lowlevel.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_sep.effects.spec import ChainSpec
    from stream_sep.engine.worker.rpc import RpcClient
    from stream_sep.lowlevel.child_process import ChildProcess


LOADER = "separator stand-by"
"""Name of the thread that loads the next process."""


@dataclass(frozen=True)
class LoadedProcess:
    """A process that has loaded the separator and waits for its rings.

    Attributes:
        process: the process.
        client: its requests and replies.
        chains: the effects that it loaded; None if effects are not available.
    """

    process: ChildProcess
    client: RpcClient
    chains: ChainSpec | None


class Standby:
    """Keeps one loaded process for the next restart; for the thread that restarts.

    Args:
        load: starts a process and loads the separator in it; raises `StreamSepError` where that fails.
    """

    def __init__(self, load: Callable[[], LoadedProcess]) -> None:
        self._load = load
        self._loaded: LoadedProcess | None = None
        self._loader: threading.Thread | None = None

    def prepare(self) -> None:
        """Load a process in the background."""
        self._loader = threading.Thread(target=self._prepare, name=LOADER, daemon=True)
        self._loader.start()

    def take(self) -> LoadedProcess | None:
        """Return the loaded process, which is no longer kept; wait for one that still loads.

        Returns:
            The process; None if it could not be loaded or has ended.
        """
        if self._loader is not None:
            self._loader.join()  # `load` has a timeout, and a new process would take longer
        loaded, self._loaded = self._loaded, None
        if loaded is None or not loaded.process.ended.is_set():
            return loaded
        loaded.client.close()
        return None

    def close(self, timeout: float) -> None:
        """Release the process, which has been killed.

        Args:
            timeout: most seconds to wait.
        """
        deadline = Deadline(timeout)
        if self._loader is not None:
            self._loader.join(deadline.left / 2)
        if self._loaded is not None:
            self._loaded.client.close(limit=deadline.left)

    def _prepare(self) -> None:
        with suppress(StreamSepError):  # the restart, which then loads a process itself, reports the reason
            self._loaded = self._load()
