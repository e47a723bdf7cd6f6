"""A run on a real JACK server under load, beside a client that does nothing: whose fault is a lost block?"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream_sep.backends.jack import JackBackend
from stream_sep.backends.jack_session import open_client
from stream_sep.engine.config import EngineConfig
from stream_sep.engine.engine import Engine

if TYPE_CHECKING:
    from stream_sep.engine.stats import EngineStats


@dataclass(frozen=True)
class Soak:
    """What a run on JACK came to.

    Attributes:
        bare_xruns: cycles lost while a client without any work ran beside the same load.
        engine_xruns: cycles lost while the engine ran.
        stats: the engine's counters at the end.
    """

    bare_xruns: int
    engine_xruns: int
    stats: EngineStats


def soak_jack(model: str, options: dict[str, Any], seconds: float) -> Soak:
    """Run a bare client, then the engine, for ``seconds`` each, with a Python busy loop in this process.

    Raises:
        DeviceError: no JACK server.
    """
    stopped = threading.Event()
    threading.Thread(target=_hog, args=(stopped,), daemon=True).start()
    try:
        bare = _bare_xruns(seconds)
        backend = JackBackend(connect=True)
        with Engine(backend, EngineConfig(model=model, options=options)) as engine:
            time.sleep(seconds)
            xruns = backend.xruns
        return Soak(bare, xruns, engine.stats())
    finally:
        stopped.set()


def _hog(stopped: threading.Event) -> None:
    while not stopped.is_set():
        sum(range(1000))


def _bare_xruns(seconds: float) -> int:
    xruns: list[float] = []
    client = open_client("stream_sep_bare")
    client.set_xrun_callback(xruns.append)
    client.activate()
    time.sleep(seconds)
    client.deactivate()
    client.close()
    return len(xruns)
