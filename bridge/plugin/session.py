"""One instance of the plug-in in the host: its separator, its rings, and the controls received from it."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream_sep.audio.ring_layout import RingLayout
from stream_sep.audio.shared_rings import SharedRings
from stream_sep.engine.worker.process_worker import ProcessWorker
from stream_sep.errors import ConfigError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.plugin.line import PipeLine, SocketLine
    from stream_sep.engine.worker.separator_info import SeparatorInfo

PROTOCOL = 1
"""Version of the protocol."""
MODELS = ("live", "instant", "bands", "passthrough", "near", "studio")
"""Choices of the plug-in's parameter `model`, in its order; fixed, as projects store the number."""
STEM_COUNT = 4

_HELLO_SECONDS = 10.0
_FADE_SECONDS = 0.006
_BACKLOG_SECONDS = 2.0
_MAX_LATENCY_SECONDS = 30.0
_MAX_BLOCK = 1 << 20


@dataclass(frozen=True)
class Hello:
    """The first message of an instance: its request for a separator.

    Attributes:
        model: the separator.
        rate: frames per second.
        block: frames of the longest block.
        latency: frames between its input and its output.
        controls: values by control path.
        room: the most latency that it may have later, at another block size.
    """

    model: str
    rate: int
    block: int
    latency: int
    controls: Mapping[str, float]
    room: int = 0

    @classmethod
    def from_line(cls, line: str) -> Hello:
        """Read the first line of a connection.

        Raises:
            ConfigError: it is invalid, or of another version.

        >>> Hello.from_line('{"hello":1,"model":"live","rate":44100,"block":512,"latency":960,"controls":{}}').block
        512
        """
        message = read_message(line)
        if message.get("hello") != PROTOCOL:
            raise ConfigError(
                f"the plug-in uses version {message.get('hello')!r} of the protocol, the host {PROTOCOL}; run "
                "'stream-sep plugin install' again and restart the DAW"
            )
        if message.get("model") not in MODELS:
            raise ConfigError(f"unknown plug-in model {message.get('model')!r}; choose one of {', '.join(MODELS)}")
        rate = _whole(message, "rate", 1000, 400000)
        max_latency = int(_MAX_LATENCY_SECONDS * rate) + _MAX_BLOCK
        latency = _whole(message, "latency", 1, max_latency)
        return cls(
            model=message["model"],
            rate=rate,
            block=_whole(message, "block", 1, _MAX_BLOCK),
            latency=latency,
            controls=numbers_of(message.get("controls")),
            room=_whole({"room": latency, **message}, "room", latency, max_latency),
        )


class PluginSession:
    """Serves one connection until it ends.

    Args:
        line: the connection.
        on_controls: callback for the values that the DAW moved, by path.
        on_ready: called when stems are available.
        report: callback that receives error messages.
    """

    def __init__(
        self,
        line: SocketLine | PipeLine,
        *,
        on_controls: Callable[[PluginSession, Mapping[str, float]], None],
        on_ready: Callable[[PluginSession], None],
        report: Callable[[str], None],
    ) -> None:
        self._line, self._report = line, report
        self._on_controls, self._on_ready = on_controls, on_ready
        self.controls: dict[str, float] = {}
        self.late_hops = 0
        self.peaks: tuple[float, ...] = ()
        self.hello: Hello | None = None
        self.latency_ms = 0.0

    def serve(self) -> None:
        """Load a separator, send the description of its rings, and handle messages until the connection ends."""
        try:
            self.hello = Hello.from_line(next(self._line.lines(_HELLO_SECONDS), ""))
            self.controls.update(self.hello.controls)
            with contextlib.ExitStack() as stack:
                worker = ProcessWorker(self.hello.model, self.hello.rate, {}, self._report)
                stack.callback(worker.stop)
                if self._line.is_open():  # else the DAW quit while the separator was loaded
                    self._play(worker, stack)
        except StreamSepError as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - its user has to see any error, and other instances go on
            self._report(traceback.format_exc())
            self._fail(f"the plug-in's host failed: {type(error).__name__}: {error}; please report it with its log")
        finally:
            self._line.close()

    def send_controls(self, values: Mapping[str, float]) -> None:
        """Move controls of the plug-in."""
        self.controls.update(values)
        self._line.send(json.dumps({"set": dict(values)}))

    def close(self) -> None:
        """End the connection."""
        self._line.close()

    def _fail(self, why: str) -> None:
        self._report(why)
        self._line.send(json.dumps({"error": why}))

    def _play(self, worker: ProcessWorker, stack: contextlib.ExitStack) -> None:
        assert self.hello is not None
        layout = ring_layout(worker.info, self.hello)
        rings = SharedRings.create(layout)
        stack.callback(rings.close)
        stack.callback(worker.stop)  # before the rings are closed; stopping twice is harmless
        worker.start(rings)
        self.latency_ms = 1000 * self.hello.latency / self.hello.rate
        self._line.send(json.dumps({**rings.describe(), "separator": worker.info.latency}))
        self._on_ready(self)
        for line in self._line.lines():
            self._receive(line)

    def _receive(self, line: str) -> None:
        try:
            message = read_message(line)
        except ConfigError:
            return
        status = message.get("status")
        if isinstance(status, dict):
            self.late_hops = int(numbers_of(status).get("late_hops", self.late_hops))
            peaks = status.get("peaks")
            self.peaks = tuple(peak for peak in peaks if _is_number(peak)) if isinstance(peaks, list) else ()
        moved = numbers_of(message.get("set"))
        if moved:
            self.controls.update(moved)
            self._on_controls(self, moved)


def ring_layout(info: SeparatorInfo, hello: Hello) -> RingLayout:
    """Return a layout with room for an instance's block size and latency.

    Args:
        info: the separator's description.
        hello: the instance's first message.

    Raises:
        ConfigError: the separator has other stems than the plug-in has outputs, or needs more latency than it has.
    """
    if info.channels != 2 or len(info.stems) != STEM_COUNT:
        raise ConfigError(f"{hello.model} has {len(info.stems)} stems of {info.channels} channels, not 4 of 2")
    room = max(hello.room, hello.latency)
    if hello.latency < info.latency + info.hop:
        raise ConfigError(
            f"{hello.model} needs at least {info.latency + info.hop} frames of latency, the plug-in has "
            f"{hello.latency}; their versions differ: run 'stream-sep plugin install' again"
        )
    spare = hello.block + 2 * math.ceil(_FADE_SECONDS * hello.rate) + 4 * info.hop
    slots = math.ceil((room - info.latency + spare) / info.hop) + 4
    backlog = max(room + spare + math.ceil(_BACKLOG_SECONDS * hello.rate), 2 * slots * info.hop)
    return RingLayout(
        channels=2,
        stems=STEM_COUNT,
        hop=info.hop,
        capacity=1 << backlog.bit_length(),
        slots=slots,
    )


def read_message(line: str) -> dict[str, Any]:
    """Parse the JSON object of a line.

    Raises:
        ConfigError: it is not one.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the plug-in sent {line[:80]!r}, which is not JSON") from error
    if not isinstance(message, dict):
        raise ConfigError(f"the plug-in sent {line[:80]!r}, which is not a JSON object")
    return message


def numbers_of(found: object) -> dict[str, float]:
    """Return the finite numbers in ``found``, by key.

    >>> numbers_of({"a": 1, "b": "x", "c": True})
    {'a': 1.0, 'c': 1.0}
    """
    entries = found.items() if isinstance(found, dict) else ()
    return {str(key): float(value) for key, value in entries if _is_number(value)}


def _is_number(value: object) -> bool:
    return isinstance(value, bool | int | float) and abs(value) <= sys.float_info.max  # no int is too long for this


def _whole(message: Mapping[str, Any], key: str, low: int, high: int) -> int:
    value = message.get(key)
    if not isinstance(value, int | float) or not low <= value <= high or value != int(value):
        raise ConfigError(f"the plug-in requests {key} {value!r}, which is not a whole number in {low}..{high}")
    return int(value)
