"""Xruns on a JACK server under load, with the engine and with a bare client as the baseline."""

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


WINDOW_SECONDS = 10.0
"""Seconds of each run before the other's turn: the machine's other load changes by the minute."""


@dataclass(frozen=True)
class Soak:
    """The result of a run on JACK.

    Attributes:
        bare_xruns: cycles lost while a client without any work ran under the same load.
        engine_xruns: cycles lost while the engine ran.
        late_hops: late hops of the engine.
        stats: the engine's counters at the end of its last turn.
    """

    bare_xruns: int
    engine_xruns: int
    late_hops: int
    stats: EngineStats


def soak_jack(model: str, options: dict[str, Any], seconds: float) -> Soak:
    """Run a bare client and the engine in turns, ``seconds`` each, with a Python busy loop in this process.

    Args:
        model: the separator's name.
        options: the separator's options.
        seconds: length of each turn.

    Raises:
        DeviceError: no JACK server.
    """
    stopped = threading.Event()
    threading.Thread(target=_hog, args=(stopped,), daemon=True).start()
    bare = engine = late = 0
    turns = max(1, round(seconds / WINDOW_SECONDS))
    try:
        for _ in range(turns):
            bare += _bare_xruns(seconds / turns)
            lost, stats = _engine_xruns(model, options, seconds / turns)
            engine, late = engine + lost, late + stats.late_hops
    finally:
        stopped.set()
    return Soak(bare, engine, late, stats)


def _engine_xruns(model: str, options: dict[str, Any], seconds: float) -> tuple[int, EngineStats]:
    backend = JackBackend(connect=True)
    with Engine(backend, EngineConfig(model=model, options=options)) as running:
        time.sleep(seconds)
        lost = backend.xruns
    return lost, running.stats()


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
