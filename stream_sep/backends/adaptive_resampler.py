"""Carries sound from one device to another whose clock differs: a ring that is read a little faster or slower.

Each device's blocks are timed by a delay-locked loop (F. Adriaensen, "Using a DLL to filter time", Linux Audio
Conference 2005), which gives the rate of its clock and how far it has got at any moment. The reader's step is the
ratio of both rates, with what keeps the sound at its age. Between the samples lies a windowed sinc (J. O. Smith, "The
Digital Audio Resampling Home Page").
"""

# ruff: noqa: ANN001, ANN201, ANN202 - Numba infers the types of what the audio threads run

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import carray

from stream_sep.lowlevel.numba_intrinsics import load_acquire, njit_inline, njit_reassoc, pointer_at, store_release

if TYPE_CHECKING:
    from numpy.typing import NDArray

TAPS = 64
"""Samples that a new one is made of; half of them come after it."""
PHASES = 512
"""Places between two samples that the sinc is kept for; between those it is a line, 106 dB below."""
CAPACITY = 1 << 15
FADE = 256
"""Frames of the fade around a gap."""

_CUTOFF, _KAISER = 0.95, 9.0  # passes 19.5 kHz at 44.1 kHz; side lobes 90 dB down
_SLOW_HZ, _QUICK_HZ = 0.05, 1.0  # of the loops: in the end, and at first
_SETTLE_SECONDS = 10.0  # in which an age that is not right gets so
_LOST_NS, _LOST_BLOCKS = 40e6, 4.0  # a block as far from its time as both begins a new reckoning
_WIDEST = 0.005  # no clock is further off
_MOMENTS, _HEAD, _WRITTEN = 8, 0, 8  # a cache line apart
_LEAVING = 2

_INTS = (
    "inputs", "reserve", "ring", "wires", "shared", "moments", "kernel", "written", "locked", "read",
    "rise", "starved", "overflows",
)  # fmt: skip
_FLOATS = (
    "nominal", "fraction", "step", "given_time", "given_period", "given_since", "taken_time", "taken_period",
    "taken_since",
)  # fmt: skip
BRIDGE = np.dtype([(name, np.int64) for name in _INTS] + [(name, np.float64) for name in _FLOATS])
"""The memory behind the input callback's one argument."""


class ClockBridge:
    """Two channels of sound on their way between two clocks.

    Args:
        sample_rate: frames per second that both devices call theirs.
        inputs: channels of the device that gives.
        input_map: for left and right, the channel it comes from, counted from 0.
        reserve: frames that the sound gets older than with one clock, to cover both devices' blocks and their jitter.
    """

    def __init__(self, sample_rate: int, inputs: int, input_map: tuple[int, int], reserve: int) -> None:
        self.reserve = reserve
        self._record = np.zeros(1, BRIDGE)
        self._arrays: dict[str, NDArray[np.generic]] = {
            "ring": np.zeros((2, 2 * CAPACITY), np.float32),
            "wires": np.array(input_map, np.int64),
            "shared": np.zeros(16, np.int64),
            "moments": np.zeros((_MOMENTS, 3), np.float64),
            "kernel": sinc_table(),
        }
        for name, array in self._arrays.items():
            self._record[name] = array.ctypes.data
        self._record["inputs"], self._record["reserve"] = inputs, reserve
        self._record["nominal"] = 1e9 / sample_rate
        self.restart()

    @property
    def address(self) -> int:
        """Where compiled code finds it; valid as long as this object lives."""
        return self._record.ctypes.data

    @property
    def record(self) -> NDArray[np.void]:
        """The record itself, for tests."""
        return self._record

    def restart(self) -> None:
        """Forget both clocks and the sound under way; only while neither device runs."""
        self._arrays["shared"][:] = 0
        self._arrays["ring"][:] = 0
        self._record["written"] = self._record["locked"] = self._record["rise"] = 0
        self._record["step"] = 1.0
        for side in ("given", "taken"):
            self._record[f"{side}_period"] = self._record["nominal"]
            self._record[f"{side}_since"] = -1.0


def sinc_table() -> NDArray[np.float32]:
    """Return the windowed sinc for each place between two samples, ``(PHASES + 1, TAPS)``; rows add up to 1."""
    places = np.arange(PHASES + 1)[:, None] / PHASES
    t = np.arange(TAPS)[None] - (TAPS // 2 - 1) - places
    window = np.i0(_KAISER * np.sqrt(np.maximum(1 - (2 * t / TAPS) ** 2, 0)))
    table = np.sinc(_CUTOFF * t) * window
    rows: NDArray[np.float32] = (table / table.sum(axis=1, keepdims=True)).astype(np.float32)
    return rows


@njit_inline
def give_block(bridge, sound, frames, now):
    """Put a block of the giving device, ``(frames, inputs)``, into the ring; ``now`` in nanoseconds.

    Args:
        bridge: the resampler's record.
        sound: ``(frames, inputs)``.
        frames: frames of the block.
        now: monotonic clock in nanoseconds.
    """
    wires = carray(pointer_at(bridge.wires), (2,), np.int64)
    ring = carray(pointer_at(bridge.ring), (2, 2 * CAPACITY), np.float32)
    for channel in range(2):
        for frame in range(frames):
            at = (bridge.written + frame) % CAPACITY
            # twice, so that any stretch of it lies in one piece
            ring[channel, at] = ring[channel, at + CAPACITY] = sound[frame, wires[channel]]
    bridge.written += frames
    bridge.given_time, bridge.given_period, bridge.given_since = _follow(
        bridge.nominal, bridge.given_time, bridge.given_period, bridge.given_since, np.float64(now), frames
    )
    _publish_moment(bridge)


@njit_inline
def take_aim(bridge, frames, now):
    """Set the pace for a block of the taking device, of ``frames``, that begins at ``now``.

    Args:
        bridge: the resampler's record.
        frames: frames of the block.
        now: monotonic clock in nanoseconds.
    """
    bridge.taken_time, bridge.taken_period, bridge.taken_since = _follow(
        bridge.nominal, bridge.taken_time, bridge.taken_period, bridge.taken_since, np.float64(now), frames
    )
    shared = carray(pointer_at(bridge.shared), (16,), np.int64)
    head = load_acquire(shared, _HEAD)
    if head == 0:
        return
    moments = carray(pointer_at(bridge.moments), (_MOMENTS, 3), np.float64)
    written, time, period = moments[head % _MOMENTS]
    reached = written + (bridge.taken_time - time) / period
    wanted = np.float64(bridge.reserve + frames)
    if bridge.locked == 0:
        place = np.floor(reached - wanted)
        # a device that stands still seems to go on: only what is there counts
        if place < 0.0 or load_acquire(shared, _WRITTEN) < np.int64(place) + frames + TAPS:
            return
        bridge.read, bridge.fraction = np.int64(place), reached - wanted - place
        bridge.locked, bridge.rise = 1, 0
    error = reached - wanted - bridge.read - bridge.fraction
    if abs(error) > bridge.reserve:
        bridge.locked = _LEAVING  # a device stood still: better a gap than sound that is late from now on
    pull = error * bridge.nominal / (_SETTLE_SECONDS * 1e9)
    bridge.step = bridge.taken_period / period + min(max(pull, -_WIDEST), _WIDEST)


@njit_inline
def take_block(bridge, block, frames):
    """Fill ``block``, ``(2, frames)`` or longer, from the ring; silence, with a fade, where there is nothing.

    Args:
        bridge: the resampler's record.
        block: ``(2, frames)`` or longer, which is written.
        frames: frames of the block.
    """
    shared = carray(pointer_at(bridge.shared), (16,), np.int64)
    written = load_acquire(shared, _WRITTEN)
    ready = _count_ready(bridge, written, frames) if bridge.locked else np.int64(0)
    ends = bridge.locked == _LEAVING or ready < frames
    for frame in range(ready):
        bridge.rise = min(bridge.rise + 1, FADE)
        gain = np.float32(bridge.rise) / np.float32(FADE)
        if ends:
            gain *= np.float32(ready - frame - 1) / np.float32(ready)
        _make_sample(bridge, block, frame, gain)
        forward = bridge.fraction + bridge.step
        bridge.read += np.int64(forward)
        bridge.fraction = forward - np.int64(forward)
    for channel in range(2):
        for frame in range(ready, frames):
            block[channel, frame] = 0.0
    if ends and bridge.locked:
        bridge.locked = 0
        bridge.starved += 1


@njit_inline
def _follow(nominal, time, period, since, now, frames):  # noqa: PLR0917 - either side's, and inlined
    """Return when a clock's block ended in truth, its nanoseconds a frame, and how long it has been followed."""
    late = now - time - frames * period
    if since < 0.0 or abs(late) > max(_LOST_NS, _LOST_BLOCKS * frames * nominal):
        return now, period, 0.0
    bandwidth = min(max(1e9 / max(since, 1.0), _SLOW_HZ), _QUICK_HZ)
    weight = 2.0 * np.pi * bandwidth * frames * nominal * 1e-9
    steady = period + weight * weight * late / frames
    steady = min(max(steady, nominal * (1.0 - _WIDEST)), nominal * (1.0 + _WIDEST))
    return time + frames * period + np.sqrt(2.0) * weight * late, steady, since + frames * nominal


@njit_inline
def _publish_moment(bridge):
    shared = carray(pointer_at(bridge.shared), (16,), np.int64)
    head = shared[_HEAD] + 1
    moments = carray(pointer_at(bridge.moments), (_MOMENTS, 3), np.float64)
    moments[head % _MOMENTS, 0] = bridge.written
    moments[head % _MOMENTS, 1] = bridge.given_time
    moments[head % _MOMENTS, 2] = bridge.given_period
    store_release(shared, _WRITTEN, bridge.written)
    store_release(shared, _HEAD, head)


@njit_inline
def _count_ready(bridge, written, frames):
    """Return how many frames can be made: none of a sound so old that it may be overwritten while it is read."""
    if written - bridge.read > CAPACITY // 2:
        return np.int64(0)
    room = np.float64(written - TAPS // 2 - 1 - bridge.read) - bridge.fraction
    return min(max(np.int64(np.floor(room / bridge.step)) + 1, 0), frames) if room >= 0.0 else np.int64(0)


@njit_inline
def _make_sample(bridge, block, frame, gain):
    kernel = carray(pointer_at(bridge.kernel), (PHASES + 1, TAPS), np.float32)
    ring = carray(pointer_at(bridge.ring), (2, 2 * CAPACITY), np.float32)
    place = bridge.fraction * PHASES
    row = np.int64(place)
    share = np.float32(place - row)
    first = (bridge.read - TAPS // 2 + 1) % CAPACITY
    for channel in range(2):
        sound = ring[channel, first : first + TAPS]
        block[channel, frame] = gain * _blend(kernel[row], kernel[row + 1], share, sound)


@njit_reassoc
def _blend(low, high, share, sound):
    total = np.float32(0.0)
    for tap in range(TAPS):
        total += (low[tap] + share * (high[tap] - low[tap])) * sound[tap]
    return total
