"""Measures control: delay from a message to the sound, a flood of messages, and the cost of idle bridges."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from pythonosc.osc_message_builder import OscMessageBuilder
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from bridge.benchmarks.control_delay import LevelChangeProbe, measure_delay
from bridge.daws.surface import DawSurface
from bridge.midi.apis import system_ports
from bridge.midi.connection import VIRTUAL_PORT
from bridge.midi.jack import CLIENT, JackMidiPort
from bridge.midi.map import parse_map
from bridge.midi.surface import MidiSurface
from bridge.osc.server import OscServer
from bridge.oscquery.server import OscQueryServer
from bridge.web.live.surface import LivePage
from stream_sep.backends.jack import JackBackend
from stream_sep.backends.offline import OfflineBackend
from stream_sep.engine.config import EngineConfig
from stream_sep.engine.engine import Engine
from stream_sep.evaluation.signals import cpu_percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websockets.sync.client import ClientConnection

    from bridge.protocols import MixerControl

_STORM_RATE = 1000
_SOUND = 0.25
_SETTLE_SECONDS = 1.0
_METER_SECONDS = 5.0
_UNITY, _HALF = bytes((0xB0, 7, 95)), bytes((0xB0, 7, 64))
_MAP = """
schema = 1
name = "one fader"
pickup = false
[[control]]
in = "cc:1:7"
to = "master/fader"
"""


def measure_control(model: str, options: dict[str, Any], moves: int, seconds: float) -> dict[str, Any]:
    """Measure control on a running JACK server; return values for JSON.

    Args:
        model: the separator.
        options: its options.
        moves: fader moves to time, over OSC, MIDI and a WebSocket each.
        seconds: length of the flood of messages, and of the pause after it.

    Returns:
        Figures by name, delays in ms.

    Raises:
        DeviceError: no JACK server.
        BridgeError: MIDI, OSCQuery or the live page is not installed.
    """
    backend = JackBackend()
    frames = round((moves * 0.18 + 2 * seconds + 30) * backend.sample_rate)
    steady = np.broadcast_to(np.float32(_SOUND), (2, frames))
    with (
        Engine(backend, EngineConfig(model=model, options=options), source=steady) as engine,
        _osc(engine) as send,
        contextlib.closing(LevelChangeProbe(f"{backend.client_name}:mix_L")) as watch,
    ):
        time.sleep(1)
        osc = measure_delay(watch, lambda move: send("/master/gain", -6.0 if move % 2 == 0 else 0.0), moves)
        with _browser(engine) as web_socket:
            web_socket.send('{"meters": false}')
            low, high = (_message("/master/gain", decibels) for decibels in (-12.0, -3.0))
            web = measure_delay(watch, lambda move: web_socket.send(low if move % 2 == 0 else high), moves)
        with _box(engine) as box:
            midi = measure_delay(watch, lambda move: box.send(_HALF if move % 2 == 0 else _UNITY), moves)
        meters = meter_rate(engine, _METER_SECONDS)
        storm = _flood(engine, send, seconds)
    return {
        "block_ms": 1000 * backend.block_size / backend.sample_rate,
        "osc_to_sound_ms": osc.to_dict(),
        "midi_to_sound_ms": midi.to_dict(),
        "web_to_sound_ms": web.to_dict(),
        "web_meters_bytes_a_second": meters,
        "storm": storm,
        "idle_percent_of_a_core": idle_cost(seconds),
    }


@contextlib.contextmanager
def _osc(engine: Engine) -> Iterator[Callable[[str, float], None]]:
    """Yield a function that sends one message to an OSC server of ``engine``."""
    server = OscServer(engine, port=0)
    server.start()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            yield lambda address, value: _send(sender, server.port, address, value)
    finally:
        server.stop()


@contextlib.contextmanager
def _browser(engine: Engine) -> Iterator[ClientConnection]:
    """Yield a connection of a browser to a live page of ``engine``."""
    page = LivePage(engine, port=0)
    with (
        _started(page),
        connect(f"ws://127.0.0.1:{page.port}/ws", subprotocols=[Subprotocol("osc")], proxy=None) as web_socket,
    ):
        yield web_socket


def meter_rate(engine: Engine, seconds: float) -> float:
    """Return the bytes a second that a browser receives while nothing but the meters moves.

    Args:
        engine: a running engine.
        seconds: length of the measurement.
    """
    with _browser(engine) as web_socket:
        _drain(web_socket, _SETTLE_SECONDS)  # the control tree, and messages before the meters
        return _drain(web_socket, seconds) / seconds


def _drain(web_socket: ClientConnection, seconds: float) -> int:
    """Receive for a while; return the number of bytes."""
    ends, count = time.perf_counter() + seconds, 0
    with contextlib.suppress(TimeoutError):
        while (left := ends - time.perf_counter()) > 0:
            count += len(web_socket.recv(timeout=left))
    return count


def _message(address: str, value: float) -> bytes:
    message = OscMessageBuilder(address)
    message.add_arg(value, "f")
    return message.build().dgram


def _send(sender: socket.socket, port: int, address: str, value: float) -> None:
    sender.sendto(_message(address, value), ("127.0.0.1", port))


@contextlib.contextmanager
def _box(engine: Engine) -> Iterator[JackMidiPort]:
    """Yield a MIDI device with one fader, the master's, connected to ``engine``."""
    with _started(_midi(engine)):
        # to the engine only: JACK adds a block of delay to a feedback loop of two clients
        box = JackMidiPort(("", f"{CLIENT}:in"), lambda _: None)
        with contextlib.closing(box):
            box.connect()
            yield box


def _midi(mixer: MixerControl) -> MidiSurface:
    return MidiSurface(mixer, VIRTUAL_PORT, parse_map(_MAP), ports=lambda: system_ports("jack"))


@contextlib.contextmanager
def _started(*surfaces: OscServer | OscQueryServer | MidiSurface | DawSurface | LivePage) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for surface in surfaces:
            surface.start()
            stack.callback(surface.stop)
        yield


def _flood(engine: Engine, send: Callable[[str, float], None], seconds: float) -> dict[str, Any]:
    """Send a thousand fader moves a second; return the figures."""
    late, began, value = engine.stats().late_hops, time.perf_counter(), 0.0
    messages = int(seconds * _STORM_RATE)
    for number in range(messages):
        value = -(number % 400) / 10
        send("/stem/vocals/gain", value)
        ahead = began + number / _STORM_RATE - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
    time.sleep(0.3)
    return {
        "messages": messages,
        "late_hops": engine.stats().late_hops - late,
        "newest_value_right": abs(float(engine.controls["stem/vocals/gain_db"]) - value) < 1e-4,
    }


def idle_cost(seconds: float) -> float:
    """Return the CPU load of all bridges and their processes while nothing moves, in percent of a core.

    OSC, OSCQuery with its announcement, MIDI on a running JACK server and a DAW, on an engine that is not running.
    """
    with (
        Engine(OfflineBackend(), EngineConfig(model="passthrough", worker="inline")) as engine,
        _started(
            OscServer(engine, port=0),
            OscQueryServer(engine, port=0),
            _midi(engine),
            DawSurface(engine, "reaper", listen=0),
        ),
    ):
        time.sleep(2)  # one-off work at the start, such as the announcement
        return cpu_percent(seconds)
