"""Measures control delay: from a message to a running engine to the change in its sound, on a JACK server."""

from __future__ import annotations

import queue
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_sep.backends.jack_session import open_client
from stream_sep.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_CHANGE = 1e-4
_TIMEOUT_SECONDS = 2.0
_MAX_VOID = 2


@dataclass(frozen=True)
class ControlDelay:
    """Milliseconds from a message to the first frame that it changes.

    Attributes:
        p50: the median.
        p99: the 99th percentile.
        longest: the maximum.
        moves: count of timed moves.
        lost: those of them that never changed the sound.
        void: moves that do not count, as the server had an xrun and its clock jumped.
    """

    p50: float
    p99: float
    longest: float
    moves: int
    lost: int
    void: int

    def to_dict(self) -> dict[str, float | int]:
        """Return the figures for JSON."""
        return {"p50": self.p50, "p99": self.p99, "max": self.longest, "lost": self.lost, "void": self.void}


class LevelChangeProbe:
    """A JACK client that notes the frame at which a steady sound changes.

    Args:
        source: the port to listen to, such as ``stream_sep:mix_L``.

    Attributes:
        xruns: count of the server's xruns.

    Raises:
        DeviceError: no JACK server.
    """

    def __init__(self, source: str) -> None:
        self._client: Any = open_client("stream_sep_watch")
        self._port = self._client.inports.register("sound")
        self._changes: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._level: float | None = None
        self._moving = False
        self.xruns = 0
        self._cycle = time.perf_counter(), 0
        self._client.set_process_callback(self._process)
        self._client.set_xrun_callback(self._on_xrun)
        self._client.activate()
        self._client.connect(source, self._port)

    @property
    def now(self) -> int:
        """The server's current frame, estimated from its last cycle.

        JACK's own estimate drifts after many xruns.
        """
        moment, frame = self._cycle
        return frame + round((time.perf_counter() - moment) * float(self._client.samplerate))

    def milliseconds(self, frames: int) -> float:
        """Return ``frames`` of the server in milliseconds."""
        return float(1000 * frames / self._client.samplerate)

    def wait(self) -> int | None:
        """Return the frame of the next change, or None if none comes in time."""
        try:
            return self._changes.get(timeout=_TIMEOUT_SECONDS)
        except queue.Empty:
            return None

    def clear(self) -> None:
        """Drop the changes detected so far."""
        while not self._changes.empty():
            self._changes.get()

    def close(self) -> None:
        """Close the JACK client."""
        self._client.deactivate()
        self._client.close()

    def _on_xrun(self, _delay_us: float) -> None:
        self.xruns += 1

    def _process(self, _frames: int) -> None:
        self._cycle = time.perf_counter(), int(self._client.last_frame_time)
        sound: NDArray[np.float32] = self._port.get_array()
        level = float(sound[0]) if self._level is None else self._level
        changed = np.flatnonzero(np.abs(sound - level) > _CHANGE)
        if len(changed) and not self._moving:
            self._changes.put(self._cycle[1] + int(changed[0]))
        self._moving = bool(len(changed))
        self._level = float(sound[-1])


def measure_delay(probe: LevelChangeProbe, move: Callable[[int], None], moves: int) -> ControlDelay:
    """Make ``moves`` moves, one after the other at random moments, and return their delays.

    Args:
        probe: detects changes in the sound, which must be steady but for the moves.
        move: makes the move of a number; each must change the sound. One that was lost is made again.
        moves: how many.

    Returns:
        The delays, in ms.

    Raises:
        BridgeError: none changed the sound.
    """
    rng, delays, void, lost, turn = random.Random(0), list[float](), list[float](), 0, 0  # noqa: S311 - no secrets
    while len(delays) + lost < moves and len(void) < _MAX_VOID * moves:
        time.sleep(0.03 + rng.random() * 0.02)
        probe.clear()
        xruns, sent = probe.xruns, probe.now
        move(turn)
        changed = probe.wait()
        turn += changed is not None
        if changed is None:
            lost += 1
        else:
            valid = probe.xruns == xruns and changed >= sent
            (delays if valid else void).append(max(0.0, probe.milliseconds(changed - sent)))
    counted = delays or void  # a server that never keeps up has only void ones
    if not counted:
        raise BridgeError(
            f"none of {moves} moves changed the sound; check that the engine plays and that the port is connected"
        )
    p50, p99 = np.percentile(counted, [50, 99])
    return ControlDelay(float(p50), float(p99), max(counted), len(counted) + lost, lost, len(void))
