"""The figures of control: how soon a message is heard, what a storm of messages does, what idle bridges cost."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from pythonosc.osc_message_builder import OscMessageBuilder

from bridge.control_delay import SoundWatch, measure_delay
from bridge.osc_server import OscServer
from stream_sep.config import EngineConfig
from stream_sep.engine import Engine
from stream_sep.io.jack_client import JackBackend
from stream_sep.io.offline import OfflineBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STORM_RATE = 1000
_SOUND = 0.25


def measure_control(model: str, options: dict[str, Any], moves: int, seconds: float) -> dict[str, Any]:
    """Return the figures of control on a running JACK server, as plain values for JSON.

    Args:
        model: the separator.
        options: its options.
        moves: fader moves to time.
        seconds: length of the storm of messages, and of the rest after it.

    Raises:
        DeviceError: no JACK server.
    """
    backend = JackBackend()
    frames = round((moves * 0.06 + 2 * seconds + 20) * backend.sample_rate)
    steady = np.broadcast_to(np.float32(_SOUND), (2, frames))
    with (
        Engine(backend, EngineConfig(model=model, options=options), source=steady) as engine,
        _osc(engine) as send,
    ):
        watch = SoundWatch(f"{backend.client_name}:mix_L")
        try:
            time.sleep(1)
            delay = measure_delay(watch, lambda move: send("/master/gain", -6.0 if move % 2 == 0 else 0.0), moves)
        finally:
            watch.close()
        late = engine.stats().late_hops
        newest = _storm(send, seconds)
        time.sleep(0.3)
        storm = {
            "messages": int(seconds * _STORM_RATE),
            "late_hops": engine.stats().late_hops - late,
            "newest_value_right": abs(float(engine.controls["stem/vocals/gain_db"]) - newest) < 1e-4,
        }
    return {
        "block_ms": 1000 * backend.block_size / backend.sample_rate,
        "osc_to_sound_ms": {"p50": delay.p50, "p99": delay.p99, "max": delay.longest, "lost": delay.lost},
        "storm": storm,
        "idle_percent_of_a_core": _idle_cost(seconds),
    }


@contextlib.contextmanager
def _osc(engine: Engine) -> Iterator[Callable[[str, float], None]]:
    """Give a function that sends one message to a server of ``engine``."""
    server = OscServer(engine, port=0)
    server.start()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            yield lambda address, value: _send(sender, server.port, address, value)
    finally:
        server.stop()


def _send(sender: socket.socket, port: int, address: str, value: float) -> None:
    message = OscMessageBuilder(address)
    message.add_arg(value, "f")
    sender.sendto(message.build().dgram, ("127.0.0.1", port))


def _storm(send: Callable[[str, float], None], seconds: float) -> float:
    """Send a thousand fader moves a second; return the last value."""
    began, value = time.perf_counter(), 0.0
    for number in range(int(seconds * _STORM_RATE)):
        value = -(number % 400) / 10
        send("/stem/vocals/gain", value)
        ahead = began + number / _STORM_RATE - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
    return value


def _idle_cost(seconds: float) -> float:
    """Return what the bridges take of a core while nobody moves anything, beside an engine that stands still."""
    with Engine(OfflineBackend(), EngineConfig(model="passthrough", worker="inline")) as engine, _osc(engine):
        cpu, began = time.process_time(), time.perf_counter()
        time.sleep(seconds)
        return 100 * (time.process_time() - cpu) / (time.perf_counter() - began)
